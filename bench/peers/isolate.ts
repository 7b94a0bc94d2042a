/**
 * Owns the command lines of isolate that the scenarios set our sandbox against: its box 0, without control groups (those need a host whose
 * only hierarchy is v2), so that its limits and counters are those of one process.
 * Never takes a binary that third parties built.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AbsentRival } from '../recording/recording.ts';
import { locate, presenceOf, type Rival, versionOf } from './peer.ts';
import { TimedCommand } from './timed-command.ts';

/** The path of an isolate that works on this machine, or null. */
export function findIsolate(): string | null {
  const found = locate('isolate');
  if ('why' in found) return null;
  const tries = [['--init'], ['--run', '--', '/bin/true'], ['--cleanup']].map((parameters) =>
    spawnSync(found.path, parameters),
  );
  return tries.every(({ status }) => status === 0) ? found.path : null;
}

/** A fresh box, one run, the box gone: what isolate needs for a run that finds nothing of an earlier one; for bare-spawn. */
export function isolateRound(isolate: string, argv: readonly string[]): string[] {
  return [isolate, '--init', ';', isolate, '--run', '--', ...argv, ';', isolate, '--cleanup'];
}

/** What `program` told until isolate ended it for its limit; milliseconds. */
export function isolateLimited(
  isolate: string,
  program: string,
  parameters: readonly string[],
  limit: 'cpu' | 'wall',
  limitMs: number,
): string {
  const box = spawnSync(isolate, ['--init'], { encoding: 'utf8' }).stdout.trim();
  try {
    copyFileSync(program, join(box, 'box/program'));
    const limits = [`--${limit === 'cpu' ? 'time' : 'wall-time'}=${limitMs / 1000}`];
    const run = spawnSync(isolate, ['--run', ...limits, '--', './program', ...parameters], { encoding: 'latin1' });
    if (!run.stderr.includes('Time limit exceeded')) throw new Error(`isolate says ${run.stderr}`);
    return run.stdout;
  } finally {
    spawnSync(isolate, ['--cleanup']);
  }
}

/** What a scenario says when there is none. */
export const noIsolate: AbsentRival = {
  name: 'isolate',
  why: 'not on this machine, and Debian has none (bench/peers/README.md)',
};

/** The rival. */
export const isolate: Rival = {
  name: 'isolate',
  find: (variables) =>
    presenceOf('isolate', variables, (program) => ({
      version: versionOf(program, '--version'),
      settings: [isolateRound('isolate', ['PROGRAM']).join(' '), 'box 0, without control groups, no limits'],
    })),
  start: async (peer) =>
    new TimedCommand(peer, (argv) => isolateRound(peer.path, argv), {
      // A round that failed after its first step leaves the box.
      tidy: () => void spawnSync(peer.path, ['--cleanup']),
    }),
};
