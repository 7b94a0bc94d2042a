/**
 * Owns nsjail as a rival: its command line for one run, with all its namespaces and default limits on the host's tree, read-only.
 * Never given limits or counters of ours; nor taken as a binary that third parties built: Debian 12 and 13 have none, so one that somebody has put here is used.
 */
import { presenceOf, type Rival, versionOf } from './peer.ts';
import { TimedCommand } from './timed-command.ts';

const command = (program: string, argv: readonly string[]) => [
  ...[program, '--mode', 'o', '--really_quiet', '--chroot', '/', '--', ...argv],
];

/** The rival. */
export const nsjail: Rival = {
  name: 'nsjail',
  find: (variables) =>
    presenceOf('nsjail', variables, (program) => ({
      version: versionOf(program, '--version'),
      settings: [command('nsjail', ['PROGRAM']).join(' ')],
    })),
  start: async (peer) => new TimedCommand(peer, (argv) => command(peer.path, argv)),
};
