/**
 * Owns what may have happened to a user's program, and the Report of one script's run.
 * Never holds our own failures: those are SystemErrors.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';
import { limitNames } from './limits.ts';

/** Every verdict about one program. */
export const verdicts = [
  'ok',
  'nonzero-exit',
  'signaled',
  'cpu-time-exceeded',
  'wall-time-exceeded',
  'idle-time-exceeded',
  'memory-exceeded',
  'output-exceeded',
  'file-size-exceeded',
  'disk-exceeded',
  'start-failed',
] as const;
export const Verdict = OneOf(verdicts, {
  title: 'Verdict',
  description: "What happened to the user's program. A limit's verdict is given only when that limit ended it.",
});
export type Verdict = (typeof verdicts)[number];

/** How text that may not be UTF-8 is carried. */
export const Encoding = OneOf(['utf8', 'base64'], {
  title: 'Encoding',
  description: 'How bytes are carried as text; base64 where they are not UTF-8.',
});
export type Encoding = Static<typeof Encoding>;

const count = (description: string) => Type.Integer({ minimum: 0, description });
const milliseconds = (description: string) => Type.Number({ minimum: 0, description });

/** What a run used; milliseconds with fractions, bytes, counts. */
export const Usage = Closed(
  {
    cpuTimeMs: milliseconds('Processor time of all descendants, orphans too.'),
    cpuUserMs: milliseconds('Of it, in user mode.'),
    cpuSystemMs: milliseconds('Of it, in the kernel.'),
    wallTimeMs: milliseconds('Real time from the successful exec.'),
    memoryPeakBytes: count('The most that was charged to the program at a time.'),
    processesPeak: count('The most tasks at a time.'),
    outputBytes: count('Of stdout and stderr together.'),
    diskBytes: count('Held by everything writable at the end.'),
    voluntarySwitches: count('How often it waited for something.'),
    involuntarySwitches: count('How often another program had its turn.'),
    throttledMs: milliseconds('How long the kernel held it back for its share of processors.'),
    oomKills: count("How often the kernel ended a process for the program's memory limit."),
  },
  { title: 'Usage', description: 'What a run used: milliseconds with fractions, bytes, counts.' },
);
export type Usage = Static<typeof Usage>;

const Exceeded = Closed(
  {
    limit: OneOf(limitNames as readonly string[], { description: "The limit's name." }),
    allowed: count("In the limit's unit."),
    observed: count('In the same unit.'),
  },
  { title: 'Exceeded', description: 'A limit that was reached.' },
);

const StartFailure = Closed(
  {
    step: Type.String({ description: 'Which step of starting failed.' }),
    errno: Type.String({ description: 'Such as ENOENT.' }),
    detail: Type.String({ description: 'The same as a sentence.' }),
  },
  { title: 'StartFailure', description: 'Why a program could not be started; never its own exit code 126 or 127.' },
);

/** What one script did: verdict, output, usage. */
export const Report = Closed(
  {
    verdict: Verdict,
    exitCode: Nullable(Type.Integer(), { description: 'Null: it did not exit by itself.' }),
    signal: Nullable(Type.String(), { description: 'Such as SIGSEGV; real-time signals are SIGRTMIN+n.' }),
    stdout: Type.String({ description: 'What it wrote, as `stdoutEncoding` says.' }),
    stdoutEncoding: Encoding,
    stdoutTruncated: Type.Boolean({ description: 'Did it write more than `outputBytes` allows?' }),
    stderr: Type.String({ description: 'What it wrote, as `stderrEncoding` says.' }),
    stderrEncoding: Encoding,
    stderrTruncated: Type.Boolean({ description: 'Did it write more than `outputBytes` allows?' }),
    exceeded: Nullable(Exceeded, { description: 'The limit that ended it, if one did.' }),
    start: Nullable(StartFailure, { description: 'Why it could not be started, if it could not.' }),
    usage: Usage,
    startedAt: Nullable(Timestamp, { description: 'When exec succeeded; null: it did not.' }),
    endedAt: Timestamp,
    slot: Nullable(count('Which of the agent it had.'), { description: 'Null: it had none, as a build.' }),
  },
  { title: 'Report', description: 'What one script did: verdict, output, usage.' },
);
export type Report = Static<typeof Report>;

/** Output bytes as the API carries them: UTF-8 text when they are that, else base64. */
export function encodeOutput(bytes: Uint8Array): { text: string; encoding: Encoding } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), encoding: 'utf8' };
  } catch {
    return {
      text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
      encoding: 'base64',
    };
  }
}

/** The bytes of a text that the API carried. */
export function decodeInput(text: string, encoding: Encoding): Buffer {
  return Buffer.from(text, encoding);
}
