/**
 * Owns what an execution's answer is in the words of Jobe's protocol: outcome, compiler's output, streams. Pure. Never runs anything.
 */
import { constants } from 'node:os';
import type { Execution } from '../../../shared/model/execution.ts';
import type { Encoding, Report } from '../../../shared/model/verdict.ts';

/** As the protocol answers a run. */
export interface JobeResult {
  readonly run_id: null;
  readonly outcome: number;
  readonly cmpinfo: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The wire's numbers. */
export const outcomes = {
  ...{ compilation: 11, runtime: 12, time: 13, success: 15, memory: 17, internal: 20, overload: 21 },
} as const;

/** A result without a run. */
export function toResult(outcome: number, texts: Partial<Omit<JobeResult, 'outcome'>> = {}): JobeResult {
  return { run_id: null, outcome, cmpinfo: '', stdout: '', stderr: '', ...texts };
}

const PRINTABLE = /[^\n\r\t\x20-\x7e]/g;

/** Text that is no UTF-8 has every byte that can't be printed spelled as hexadecimal digits. */
function spell(text: string, encoding: Encoding): string {
  if (encoding === 'utf8') return text;
  const spelled = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return Buffer.from(text, encoding).toString('latin1').replace(PRINTABLE, spelled);
}

const stdoutOf = ({ stdout, stdoutEncoding }: Report) => spell(stdout, stdoutEncoding);
const stderrOf = ({ stderr, stderrEncoding }: Report) => spell(stderr, stderrEncoding);

function toRun(run: Report): JobeResult {
  const [stdout, stderr] = [stdoutOf(run), stderrOf(run)];
  const { verdict, signal } = run;
  // What never stops writing is stopped by its time with the protocol.
  if (verdict.endsWith('-time-exceeded') || verdict === 'output-exceeded') return toResult(outcomes.time, { stdout });
  if (verdict === 'memory-exceeded') return toResult(outcomes.memory, { stdout, stderr });
  if (verdict === 'start-failed')
    return toResult(outcomes.internal, { stdout, stderr: run.start?.detail ?? 'the program could not be started' });
  if (signal !== null || verdict === 'file-size-exceeded') {
    const number = constants.signals[(signal ?? 'SIGXFSZ') as NodeJS.Signals];
    const told = signal === 'SIGSEGV' ? stderr : `${stderr}warning: command terminated with signal ${number}\n`;
    return toResult(outcomes.runtime, { stdout, stderr: told });
  }
  // The protocol asks what was written to stderr, not for the exit code.
  return toResult(stderr === '' ? outcomes.success : outcomes.runtime, { stdout, stderr });
}

/** What came of a run. */
export function toJobeResult({ stage, endedIn, compile, run, failure }: Execution): JobeResult {
  if (stage === 'finished' && endedIn === 'compile' && compile !== null)
    return toResult(outcomes.compilation, { cmpinfo: `${stdoutOf(compile)}${stderrOf(compile)}` || compile.verdict });
  if (stage === 'finished' && run !== null) return toRun(run);
  const why = failure?.detail ?? `the environment could not be built: its script '${endedIn}' failed`;
  return toResult(outcomes.internal, {
    stderr: stage === 'finished' || failure !== null ? why : 'it did not end in time',
  });
}
