/**
 * Owns the command lines of bubblewrap that the scenarios set our sandbox against.
 * Never gives it limits or counters: it has none, which its figures must be read with.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { AbsentRival } from '../recording.ts';

/** The path of bubblewrap, fetched from Debian's packages when this machine has none; null when that fails too. */
export function findBubblewrap(): string | null {
  const found = spawnSync(join(import.meta.dirname, 'bubblewrap.sh'), { encoding: 'utf8' });
  return found.status === 0 ? (found.stdout.trim().split('\n').at(-1) ?? null) : null;
}

/** Every namespace that it can make, the host's tree read-only, its own /proc, /dev and /tmp. */
export function bubblewrapCommand(program: string, argv: readonly string[]): string[] {
  const tree = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'];
  return [program, '--unshare-all', '--die-with-parent', ...tree, ...argv];
}

/** What a scenario says when there is none. */
export const noBubblewrap: AbsentRival = { name: 'bubblewrap', why: 'could not be fetched, left out' };
