/**
 * Owns what the exit code says: the program's own, or one of ours. Pure.
 * Never the last word: a program may exit with any of these numbers itself; --json tells them apart.
 */
import type { Execution } from '../../shared/model/execution.ts';
import { STATUS_LIMIT, STATUS_OURS, toExitStatus } from '../run/exit-status.ts';

/** Ours, by name. */
export const exitCodes = {
  ok: 0,
  /** Tests that were not accepted, a doctor that found something. */
  notAccepted: 1,
  usage: 64,
  unreachable: 69,
  refused: 77,
  configuration: 78,
  buildFailed: 120,
  compileFailed: 121,
  limit: STATUS_LIMIT,
  ours: STATUS_OURS,
  notStarted: 126,
  interrupted: 130,
} as const;

/** Each with its meaning, for help and documents. */
export const exitCodeLines: readonly (readonly [code: string, meaning: string])[] = [
  ['N', "the program's own exit code; 128 and the number of the signal that ended it"],
  [String(exitCodes.notAccepted), '`run --test`: a test was not accepted; `doctor`: something is wrong'],
  [String(exitCodes.usage), 'the words make no sense, or a file that they name is not there'],
  [String(exitCodes.unreachable), 'the coordinator can not be reached, and none could be started'],
  [String(exitCodes.refused), 'the key is refused, or may not do that'],
  [String(exitCodes.configuration), 'a setting or a file of ours makes no sense'],
  [String(exitCodes.buildFailed), 'the environment could not be built'],
  [String(exitCodes.compileFailed), 'the program does not compile'],
  [String(exitCodes.limit), 'a limit ended the program'],
  [String(exitCodes.ours), 'the coordinator failed, or refused the request'],
  [String(exitCodes.notStarted), 'the program could not be started'],
  [String(exitCodes.interrupted), 'Ctrl-C; 143 for SIGTERM, 141 when nobody reads the output any more'],
];

/** What an execution that is over means for the exit code. */
export function toExitCode(execution: Execution): number {
  const { verdict, endedIn, run } = execution;
  if (verdict === null || endedIn === null) return exitCodes.ours;
  if (endedIn === 'setup' || endedIn === 'dependencies' || endedIn === 'verify') return exitCodes.buildFailed;
  if (endedIn === 'compile') return exitCodes.compileFailed;
  if (endedIn === 'tests') return verdict === 'accepted' || verdict === 'ok' ? exitCodes.ok : exitCodes.notAccepted;
  if (endedIn === 'run' && run !== null)
    return run.verdict === 'start-failed' ? exitCodes.notStarted : toExitStatus(run);
  return exitCodes.ours;
}
