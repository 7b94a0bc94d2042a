/**
 * Owns the list of rivals: every one that a figure may stand beside, in the order in which they are shown.
 * Never leaves one out: what can't be had is listed as absent, with why.
 */
import { bubblewrap } from './bubblewrap.ts';
import { docker } from './docker.ts';
import { goJudge } from './go-judge.ts';
import { isolate } from './isolate.ts';
import { nsjail } from './nsjail.ts';
import { crun, runc } from './oci-runtime.ts';
import type { Presence, Rival, Variables } from './peer.ts';
import { runtimeSpawnRival } from './runtime-spawn.ts';

/** All of them. */
export const rivals: readonly Rival[] = [runtimeSpawnRival, bubblewrap, goJudge, isolate, nsjail, runc, crun, docker];

/** Which of them are here, each found or fetched; none is started. */
export function findRivals(variables?: Variables): Presence[] {
  return rivals.map((rival) => rival.find(variables));
}

/** One line on a rival for a report: where it came from and how it was asked, or why it was not. */
export function describe(presence: Presence): string {
  if ('absent' in presence) return `${presence.absent.name}: absent: ${presence.absent.why}`;
  const { name, version, source, settings } = presence.present;
  const origin = source === 'path' ? "this machine's own" : source;
  return `${name}: ${version} (${origin}), asked so: ${settings.join('; ')}`;
}
