/**
 * Owns what became of an execution, as a sentence for somebody who has never used the API: what happened, and what to do about it. Pure; never decides a
 * verdict. Invariant: a program that fails is told apart from a request that could not be run, which is never its author's fault.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import type { Report } from '../../../shared/model/verdict.ts';
import { toTimeText } from '../foundation/formats.ts';
import { toAmountText } from '../foundation/limit-use.ts';

/** A sentence, what follows from it, and how it is meant. */
export interface VerdictSentence {
  readonly headline: string;
  readonly detail: string;
  readonly kind: 'good' | 'wary' | 'bad' | 'plain';
}

type Ended = Pick<Execution, 'stage' | 'verdict' | 'endedIn' | 'failure'> &
  Pick<Execution, 'setup' | 'dependencies' | 'verify' | 'compile' | 'run'>;

const crashes: Readonly<Record<string, string>> = {
  SIGSEGV: 'It used memory that is not its own: an index out of range, or a pointer to nothing.',
  SIGBUS: 'It used memory in a way that the processor refuses.',
  SIGFPE: 'It calculated what cannot be calculated, such as a division by zero.',
  SIGILL: 'It came to an instruction that this processor does not have.',
  SIGABRT: 'It gave up by itself, as programs do after an error that nobody caught.',
  SIGTRAP: 'It stopped itself, as programs do when something can’t be true.',
  SIGSYS: 'It asked the kernel for something that programs may not do here.',
  SIGPIPE: 'It wrote to somebody who had stopped reading.',
  SIGKILL: 'It was killed, by itself or by a program that it started.',
  SIGTERM: 'It was asked to end, by itself or by a program that it started.',
};

const scripts = {
  setup: 'The setup script',
  dependencies: 'The dependencies script',
  verify: 'The check of the environment',
  compile: 'The compile script',
  run: 'The program',
} as const;
type ScriptName = keyof typeof scripts;

const limitSentences: Readonly<Record<string, readonly [headline: string, remedy: string]>> = {
  cpuTimeMs: [
    'used more processor time than it may',
    'An endless loop does that; if it only needs longer, raise its processor time under Limits.',
  ],
  wallTimeMs: [
    'took longer than it may',
    'It may wait for something that never comes; if it only needs longer, raise its real time under Limits.',
  ],
  idleTimeMs: [
    'waited for too long',
    'It did nothing for all that time: perhaps it waits for input that is not there.',
  ],
  memoryBytes: ['needed more memory than it may', 'If it needs that much, raise its memory under Limits.'],
  outputBytes: [
    'wrote more output than it may',
    'An endless loop that prints does that. What it wrote until then is below.',
  ],
  fileSizeBytes: ['wrote a larger file than it may', 'Raise its file size under Limits if that is meant.'],
  diskBytes: ['ran out of disk', 'Raise its disk under Limits if it needs that much.'],
  diskInodes: ['made more files than it may', 'Raise its number of files under Limits if it needs that many.'],
};

function toUnit(limit: string): 'ms' | 'bytes' | 'count' {
  return limit.endsWith('Ms') ? 'ms' : limit.endsWith('Bytes') ? 'bytes' : 'count';
}

function toLimitSentence(who: string, { exceeded }: Pick<Report, 'exceeded'>): VerdictSentence {
  const [headline, remedy] = limitSentences[exceeded?.limit ?? ''] ?? ['reached a limit', 'Raise it under Limits.'];
  const allowed = exceeded === null ? '' : `${toAmountText(exceeded.allowed, toUnit(exceeded.limit))} are allowed. `;
  return { headline: `${who} ${headline}.`, detail: `${allowed}${remedy}`, kind: 'wary' };
}

function toExitSentence(script: ScriptName, { exitCode }: Pick<Report, 'exitCode'>): VerdictSentence {
  if (script === 'compile')
    return { headline: 'It did not compile.', detail: 'What the compiler says about it is below.', kind: 'wary' };
  if (script === 'run')
    return {
      headline: `The program ended with exit code ${exitCode}.`,
      detail: 'Programs say by any code but 0 that something went wrong; what they wrote about it is under Errors.',
      kind: 'wary',
    };
  return {
    headline: `${scripts[script]} failed with exit code ${exitCode}.`,
    detail: 'Nothing was run: the environment could not be built. Its log says where it stopped.',
    kind: 'wary',
  };
}

function toReportSentence(script: ScriptName, report: Report): VerdictSentence {
  const who = scripts[script];
  switch (report.verdict) {
    case 'ok':
      return {
        headline: 'It ran to its end.',
        detail: `Exit code 0, after ${toTimeText(report.usage.wallTimeMs)}.`,
        kind: 'good',
      };
    case 'nonzero-exit':
      return toExitSentence(script, report);
    case 'signaled': {
      const reason = crashes[report.signal ?? ''] ?? 'A signal ended it.';
      return { headline: `${who} crashed (${report.signal}).`, detail: reason, kind: 'wary' };
    }
    case 'start-failed':
      return {
        headline: `${who} could not be started.`,
        detail: report.start === null ? 'Its script names no program that is there.' : toEnded(report.start.detail),
        kind: 'wary',
      };
    default:
      return toLimitSentence(who, report);
  }
}

const toEnded = (sentence: string) =>
  `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${/[.!?]$/.test(sentence) ? '' : '.'}`;

/** See the head of this file. */
export function toVerdictSentence(execution: Ended): VerdictSentence {
  const { stage, failure, endedIn } = execution;
  if (stage === 'cancelled')
    return { headline: 'It was cancelled.', detail: 'Nothing more of it runs.', kind: 'plain' };
  if (stage === 'failed') {
    const detail = failure === null ? 'Try again.' : toEnded(failure.detail);
    return { headline: 'It could not be run, and that is not your fault.', detail, kind: 'bad' };
  }
  const script = endedIn !== null && endedIn in scripts ? (endedIn as ScriptName) : 'run';
  const report = execution[script];
  if (report !== null) return toReportSentence(script, report);
  const isBuild = script === 'setup' || script === 'dependencies' || script === 'verify';
  return {
    headline: `${scripts[script]} ended: ${(execution.verdict ?? 'unknown').replaceAll('-', ' ')}.`,
    detail: isBuild ? 'It failed for somebody before, and is not built again for a while.' : '',
    kind: execution.verdict === 'ok' ? 'good' : 'wary',
  };
}
