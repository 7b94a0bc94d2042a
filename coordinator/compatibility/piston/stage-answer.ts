/**
 * Owns what a Piston client is told of a script: its output, how it ended in Piston's words, what it used. Pure.
 * Invariant: what ended a program is told by what has proved it, and in no field that a client of Piston's could take for something else.
 */
import { constants } from 'node:os';
import { decodeInput, type Report, type Verdict } from '../../../shared/model/verdict.ts';
import { interleave, type OutputPiece } from './output-order.ts';

/** A stage of an answer. */
export interface StageAnswer {
  readonly stdout: string;
  readonly stderr: string;
  /** Both in the order in which they came. */
  readonly output: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  readonly status: 'RE' | 'SG' | 'TO' | 'OL' | 'EL' | 'XX' | null;
  readonly cpu_time: number;
  readonly wall_time: number;
  readonly memory: number;
  /** Ours: where Piston has no word for what ended it. */
  readonly verdict?: Verdict;
}

type Ending = Pick<StageAnswer, 'code' | 'signal' | 'message' | 'status' | 'verdict'>;

const FIRST_REAL_TIME_SIGNAL = 34;

function numberOf(signal: string): number {
  const beyond = /^SIGRTMIN\+(\d+)$/.exec(signal)?.[1];
  return beyond === undefined
    ? (constants.signals[signal as NodeJS.Signals] ?? FIRST_REAL_TIME_SIGNAL)
    : FIRST_REAL_TIME_SIGNAL + Number(beyond);
}

/** Is this the name of a signal? */
export function isSignal(name: unknown): name is string {
  return (
    typeof name === 'string' && (Object.hasOwn(constants.signals, name) || /^SIGRTM(IN|AX)([+-]\d{1,2})?$/.test(name))
  );
}

const killed = { code: null, signal: 'SIGKILL' } as const;

function toSignaled(signal: string): Ending {
  return { code: null, signal, status: 'SG', message: `Caught fatal signal ${numberOf(signal)}` };
}

/** How a program that went its own way ended. */
function toOwnEnding({ exitCode, signal }: Report): Ending {
  if (signal !== null) return toSignaled(signal);
  if (exitCode === 0 || exitCode === null) return { code: exitCode, signal: null, status: null, message: null };
  return { code: exitCode, signal: null, status: 'RE', message: `Exited with error status ${exitCode}` };
}

/** How a script ended. */
export function toEnding(report: Report): Ending {
  const { verdict, start, stdoutTruncated, signal } = report;
  switch (verdict) {
    case 'cpu-time-exceeded':
      return { ...killed, status: 'TO', message: 'Time limit exceeded' };
    case 'wall-time-exceeded':
    case 'idle-time-exceeded':
      return { ...killed, status: 'TO', message: 'Time limit exceeded (wall clock)' };
    case 'output-exceeded':
      return stdoutTruncated
        ? { ...killed, status: 'OL', message: 'stdout length exceeded' }
        : { ...killed, status: 'EL', message: 'stderr length exceeded' };
    case 'memory-exceeded':
      return { ...toSignaled('SIGKILL'), verdict };
    case 'file-size-exceeded':
      return { ...toSignaled(signal ?? 'SIGXFSZ'), verdict };
    case 'disk-exceeded':
      return { ...toOwnEnding(report), verdict };
    case 'start-failed':
      return { code: null, signal: null, status: 'XX', message: start?.detail ?? 'it could not be started', verdict };
    default:
      return toOwnEnding(report);
  }
}

/** The stage; `pieces`: its output as it came, where that is known. */
export function toStage(report: Report, pieces: readonly OutputPiece[]): StageAnswer {
  const stdout = decodeInput(report.stdout, report.stdoutEncoding);
  const stderr = decodeInput(report.stderr, report.stderrEncoding);
  const { cpuTimeMs, wallTimeMs, memoryPeakBytes } = report.usage;
  return {
    ...{ stdout: stdout.toString(), stderr: stderr.toString(), output: interleave(stdout, stderr, pieces) },
    ...toEnding(report),
    ...{ cpu_time: Math.round(cpuTimeMs), wall_time: Math.round(wallTimeMs), memory: memoryPeakBytes },
  };
}
