/**
 * Owns what an execution's answer is in the words of Judge0's protocol: status, message, output, figures. Pure.
 * Never runs or asks anything. Invariant: the same answer and submission always come to the same words, whoever asks and whenever.
 *
 * Expected output is compared here, for a single run: the protocol's rule (lines without what is white at their end, a program without output is never
 * right) is no kind of native check, and a test's report holds the beginning of the output only.
 */
import { constants } from 'node:os';
import type { Execution } from '../../../shared/model/execution.ts';
import type { Report } from '../../../shared/model/verdict.ts';
import { type Submission, type Text, toBytes } from './judge0-attributes.ts';
import { type StatusId, toStatus } from './judge0-statuses.ts';

/** The attributes that come of running. */
export interface Outcome {
  readonly stdout: Text | null;
  readonly stderr: Text | null;
  readonly compile_output: Text | null;
  readonly message: Text | null;
  readonly exit_code: number | null;
  readonly exit_signal: number | null;
  readonly status: ReturnType<typeof toStatus>;
  readonly time: string | null;
  readonly wall_time: string | null;
  readonly memory: number | null;
}

/** How a run ended, before anything is compared. */
interface Ending {
  readonly status: StatusId;
  readonly message: string | null;
}

const SECOND_MS = 1000;
const KIB = 1024;
const FILE_SIZE_SIGNAL = constants.signals.SIGXFSZ;
const statusOfSignal: Readonly<Record<number, StatusId>> = {
  [constants.signals.SIGSEGV]: 7,
  [constants.signals.SIGXFSZ]: 8,
  [constants.signals.SIGFPE]: 9,
  [constants.signals.SIGABRT]: 10,
};
/** Why a program can't be started that is the program's own doing. */
const formatErrors: Readonly<Record<string, string>> = {
  ENOEXEC: 'Exec format error',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
};
const LATE = 'Time limit exceeded';

const words = (text: string): Text => ({ text, encoding: 'utf8' });

/** Seconds as the protocol writes them: at most three digits, at least one. */
export function toSeconds(ms: number): string {
  const seconds = Math.round(ms) / SECOND_MS;
  return Number.isInteger(seconds) ? `${seconds}.0` : String(seconds);
}

function signalOf({ verdict, signal }: Report): number | null {
  if (verdict === 'output-exceeded' || verdict === 'file-size-exceeded') return FILE_SIZE_SIGNAL;
  if (verdict === 'memory-exceeded') return constants.signals.SIGKILL;
  if (signal === null) return null;
  const realTime = /^SIGRTMIN\+(\d+)$/.exec(signal)?.[1];
  return realTime === undefined ? (constants.signals[signal as NodeJS.Signals] ?? null) : 34 + Number(realTime);
}

function toEnding(report: Report, { cpu_time_limit: cpuLimit }: Submission): Ending {
  const { verdict, exitCode, start, usage } = report;
  const isLate = cpuLimit > 0 && usage.cpuTimeMs > cpuLimit * SECOND_MS;
  if (verdict === 'cpu-time-exceeded' || (isLate && verdict !== 'start-failed')) return { status: 5, message: LATE };
  if (verdict === 'wall-time-exceeded' || verdict === 'idle-time-exceeded')
    return { status: 5, message: `${LATE} (wall clock)` };
  if (verdict === 'start-failed') {
    const why = formatErrors[start?.errno ?? ''];
    return why === undefined
      ? { status: 13, message: start?.detail ?? 'the program could not be started' }
      : { status: 14, message: `execve: ${why}` };
  }
  const signal = signalOf(report);
  if (signal !== null) return { status: statusOfSignal[signal] ?? 12, message: `Caught fatal signal ${signal}` };
  if (exitCode !== null && exitCode !== 0) return { status: 11, message: `Exited with error status ${exitCode}` };
  // Refused by the disk, and ended well all the same.
  return { status: 3, message: null };
}

const white = new Set([0, 9, 10, 11, 12, 13, 32]);

function withoutEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && white.has(bytes[end - 1] ?? 0)) end -= 1;
  return bytes.subarray(0, end);
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  const text = withoutEnd(bytes);
  for (let at = 0; at <= text.length; ) {
    const found = text.indexOf(10, at);
    const end = found === -1 ? text.length : found;
    yield withoutEnd(text.subarray(at, end));
    at = end + 1;
  }
}

/** Is the output what was expected, by the protocol's rule? */
export function isExpected(actual: Buffer, expected: Buffer): boolean {
  // Output that is not there is nothing at all, not an empty text.
  if (actual.length === 0) return false;
  const wanted = linesOf(expected);
  for (const line of linesOf(actual)) {
    const other = wanted.next();
    if (other.done === true || !line.equals(other.value)) return false;
  }
  return wanted.next().done === true;
}

const outputOf = ({ stdout, stdoutEncoding }: Report): Buffer => Buffer.from(stdout, stdoutEncoding);

function toStream(text: string, encoding: Report['stdoutEncoding']): Text | null {
  return text === '' ? null : { text, encoding };
}

const nothing: Omit<Outcome, 'status'> = {
  ...{ stdout: null, stderr: null, compile_output: null, message: null, exit_code: null, exit_signal: null },
  ...{ time: null, wall_time: null, memory: null },
};

function toCompileOutput({ compile }: Execution): Text | null {
  if (compile === null) return null;
  if (compile.verdict.endsWith('-time-exceeded')) return words('Compilation time limit exceeded.');
  const bytes = Buffer.concat([
    Buffer.from(compile.stdout, compile.stdoutEncoding),
    Buffer.from(compile.stderr, compile.stderrEncoding),
  ]);
  if (bytes.length === 0) return null;
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? words(text) : { text: bytes.toString('base64'), encoding: 'base64' };
}

/** Each run that took place. */
function runsOf({ run, tests }: Execution): Report[] {
  return run === null ? tests.flatMap(({ report }) => report ?? []) : [run];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function toJudged(execution: Execution, submission: Submission, last: Report): Ending {
  const ending = toEnding(last, submission);
  const { expected_output: expected } = submission;
  if (ending.status !== 3 || expected === null) return ending;
  const isRight =
    execution.tests.length === 0
      ? isExpected(outputOf(last), toBytes(expected))
      : execution.verdict === 'accepted' && last.stdout !== '';
  return { status: isRight ? 3 : 4, message: null };
}

/** Why there was no run: not the program's doing. */
function toFault({ failure, stage, endedIn }: Execution): string {
  if (failure !== null) return failure.detail;
  if (stage === 'cancelled') return 'cancelled';
  return `the environment could not be built: its script '${endedIn}' failed`;
}

/** What came of a submission so far. */
export function toOutcome(execution: Execution, submission: Submission): Outcome {
  const { stage, endedIn } = execution;
  if (stage === 'queued' || stage === 'building') return { ...nothing, status: toStatus(1) };
  if (execution.finishedAt === null) return { ...nothing, status: toStatus(2) };
  const compile_output = toCompileOutput(execution);
  if (endedIn === 'compile') return { ...nothing, compile_output, status: toStatus(6) };
  const runs = runsOf(execution);
  const last = runs.at(-1);
  if (last === undefined || stage !== 'finished')
    return { ...nothing, compile_output, message: words(toFault(execution)), status: toStatus(13) };
  const { status, message } = toJudged(execution, submission, last);
  return {
    stdout: toStream(last.stdout, last.stdoutEncoding),
    stderr: toStream(last.stderr, last.stderrEncoding),
    compile_output,
    message: message === null ? null : words(message),
    ...{ exit_code: last.exitCode ?? 0, exit_signal: status === 5 ? null : signalOf(last), status: toStatus(status) },
    time: toSeconds(mean(runs.map(({ usage }) => usage.cpuTimeMs))),
    wall_time: toSeconds(mean(runs.map(({ usage }) => usage.wallTimeMs))),
    memory: Math.round(mean(runs.map(({ usage }) => usage.memoryPeakBytes)) / KIB),
  };
}
