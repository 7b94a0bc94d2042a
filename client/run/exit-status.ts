/**
 * Owns what envicutor-run's exit status says. Pure.
 * Never the last word: a program may exit with any of these numbers itself, only the report tells them apart.
 */
import { constants } from 'node:os';
import type { Report } from '../../shared/model/verdict.ts';

/** A limit ended the program. */
export const STATUS_LIMIT = 124;
/** Our own failure: a flag, this machine, the sandbox. */
export const STATUS_OURS = 125;
const STATUS_NOT_EXECUTABLE = 126;
const STATUS_NOT_FOUND = 127;
const STATUS_SIGNAL = 128;
const FIRST_REAL_TIME_SIGNAL = 34;

/** One line each, for --help. */
export const statusLines: readonly string[] = [
  "the program's own exit code, or 128 and the number of the signal that ended it",
  `${STATUS_LIMIT}  it was ended for a limit`,
  `${STATUS_OURS}  our own failure: a flag, this machine, the sandbox`,
  `${STATUS_NOT_EXECUTABLE}  it could not be executed; ${STATUS_NOT_FOUND}: it was not found`,
];

/** The status of a process that was ended by this signal. */
export function toSignalStatus(signal: string): number {
  const realTime = /^SIGRTMIN\+(\d+)$/.exec(signal)?.[1];
  if (realTime !== undefined) return STATUS_SIGNAL + FIRST_REAL_TIME_SIGNAL + Number(realTime);
  return STATUS_SIGNAL + ((constants.signals as Readonly<Record<string, number>>)[signal] ?? 0);
}

/** The status for a report. */
export function toExitStatus(report: Pick<Report, 'verdict' | 'exitCode' | 'signal' | 'start'>): number {
  switch (report.verdict) {
    case 'ok':
    case 'nonzero-exit':
      return report.exitCode ?? STATUS_OURS;
    case 'signaled':
      return toSignalStatus(report.signal ?? '');
    case 'start-failed':
      return report.start?.errno === 'ENOENT' ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
    default:
      return STATUS_LIMIT;
  }
}
