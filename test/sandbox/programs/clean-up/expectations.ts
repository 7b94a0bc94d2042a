/**
 * What each program of this folder must get; its own first comment says what it tries: programs that leave as much as they can.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import type { Expectation } from '../expectation.ts';

/** The table; a key is a program's name. */
export const cleanUp: Readonly<Record<string, Expectation>> = {
  daemons: {},
  'stopped-children': {},
  'traced-children': {},
  'vfork-and-hold': {
    limits: { wallTimeMs: 120 },
    verdict: 'wall-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'wallTimeMs',
  },
  subreaper: {},
  'death-signal': {},
  'respawning-pair': { limits: { processes: 20 } },
  'ipc-objects': {},
  'many-files': {},
  'deep-tree': { says: '15000\n' },
  'unwritable-tree': {},
  'open-and-deleted': { verdict: 'signaled', signal: 'SIGKILL' },
  'loopback-connections': {},
  crash: { verdict: 'signaled', signal: 'SIGSEGV' },
  'exit-in-the-middle': { verdict: 'nonzero-exit', exitCode: 6 },
};
