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
export const Verdict = OneOf(verdicts);
export type Verdict = (typeof verdicts)[number];

/** How text that may not be UTF-8 is carried. */
export const Encoding = OneOf(['utf8', 'base64']);
export type Encoding = Static<typeof Encoding>;

const count = Type.Integer({ minimum: 0 });
const milliseconds = Type.Number({ minimum: 0 });

/** What a run used; milliseconds with fractions, bytes, counts. */
export const Usage = Closed({
  cpuTimeMs: milliseconds,
  cpuUserMs: milliseconds,
  cpuSystemMs: milliseconds,
  wallTimeMs: milliseconds,
  memoryPeakBytes: count,
  processesPeak: count,
  outputBytes: count,
  diskBytes: count,
  voluntarySwitches: count,
  involuntarySwitches: count,
  throttledMs: milliseconds,
  oomKills: count,
});
export type Usage = Static<typeof Usage>;

/** What one script did: verdict, output, usage. */
export const Report = Closed({
  verdict: Verdict,
  exitCode: Nullable(Type.Integer()),
  signal: Nullable(Type.String()),
  stdout: Type.String(),
  stdoutEncoding: Encoding,
  stdoutTruncated: Type.Boolean(),
  stderr: Type.String(),
  stderrEncoding: Encoding,
  stderrTruncated: Type.Boolean(),
  exceeded: Nullable(Closed({ limit: OneOf(limitNames as readonly string[]), allowed: count, observed: count })),
  start: Nullable(Closed({ step: Type.String(), errno: Type.String(), detail: Type.String() })),
  usage: Usage,
  startedAt: Nullable(Timestamp),
  endedAt: Timestamp,
  slot: Nullable(Type.Integer({ minimum: 0 })),
});
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
