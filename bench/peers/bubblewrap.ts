/**
 * Owns the command lines of bubblewrap that the scenarios set our sandbox against.
 * Never gives it limits or counters: it has none, which its figures must be read with.
 */
import type { AbsentRival } from '../recording/recording.ts';
import { locate, presenceOf, type Rival, versionOf } from './peer.ts';
import { TimedCommand } from './timed-command.ts';

/** The path of bubblewrap, fetched from Debian's packages when this machine has none; null when that fails too. */
export function findBubblewrap(): string | null {
  const found = locate('bubblewrap');
  return 'why' in found ? null : found.path;
}

/** Every namespace that it can make, the host's tree read-only, its own /proc, /dev and /tmp. */
export function bubblewrapCommand(program: string, argv: readonly string[]): string[] {
  const tree = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'];
  return [program, '--unshare-all', '--die-with-parent', ...tree, ...argv];
}

/** What a scenario says when there is none. */
export const noBubblewrap: AbsentRival = { name: 'bubblewrap', why: 'could not be fetched' };

/** The rival. */
export const bubblewrap: Rival = {
  name: 'bubblewrap',
  find: (variables) =>
    presenceOf('bubblewrap', variables, (program) => ({
      version: versionOf(program, '--version'),
      settings: [bubblewrapCommand('bwrap', ['PROGRAM']).join(' ')],
    })),
  start: async (peer) => new TimedCommand(peer, (argv) => bubblewrapCommand(peer.path, argv)),
};
