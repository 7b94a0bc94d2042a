/**
 * Owns what a receiver is sent: the event's type, its time and the execution as the API answers it, in at most so many bytes. Pure.
 * Never differs between attempts. Invariant: what is left out of an output is said by `stdoutTruncated` and `stderrTruncated`, what is left out of tests by
 * the absence of their reports; the API has it whole.
 */
import { toTimestamp } from '../../shared/clock.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { Encoding } from '../../shared/model/verdict.ts';
import { textLengthOf } from '../../shared/text-length.ts';
import type { Delivery } from './delivery-store.ts';

/** Largest payload whose outputs are whole; bytes. */
export const PAYLOAD_BYTES_MAX = 256 * 1024;
/** How much of each output is tried to be kept in a payload that would be larger; characters. */
const OUTPUT_CHARACTERS = [65_536, 16_384, 4096, 1024, 256, 0] as const;

const streams = ['stdout', 'stderr'] as const;

function toShort(text: string, encoding: Encoding, charactersMax: number): string {
  // Four characters of base64 are three bytes; a half of a character of text is not kept.
  if (encoding === 'base64') return text.slice(0, charactersMax - (charactersMax % 4));
  const end = /[\uD800-\uDBFF]/.test(text[charactersMax - 1] ?? '') ? charactersMax - 1 : charactersMax;
  return text.slice(0, Math.max(0, end));
}

/** The same with every output cut, wherever in the answer there is a report. */
function withShortOutputs(value: unknown, charactersMax: number): unknown {
  if (Array.isArray(value)) return value.map((item) => withShortOutputs(item, charactersMax));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  // Not what is the client's own: it may look like anything.
  for (const [name, member] of Object.entries(value)) {
    copy[name] = name === 'metadata' ? member : withShortOutputs(member, charactersMax);
  }
  for (const stream of streams) {
    const text = copy[stream];
    const encoding = copy[`${stream}Encoding`];
    if (typeof text !== 'string' || typeof encoding !== 'string' || text.length <= charactersMax) continue;
    copy[stream] = toShort(text, encoding as Encoding, charactersMax);
    copy[`${stream}Truncated`] = true;
  }
  return copy;
}

/** The body of every attempt of a delivery. */
export function toPayload({ event, createdAtMs }: Delivery, execution: Execution): Buffer {
  const timestamp = execution.finishedAt ?? toTimestamp(createdAtMs);
  const write = (data: unknown) => Buffer.from(JSON.stringify({ type: event, timestamp, data }));
  // Its JSON is longer than its texts: what can't fit is not written only to see that.
  const whole = textLengthOf(execution) > PAYLOAD_BYTES_MAX ? null : write(execution);
  if (whole !== null && whole.length <= PAYLOAD_BYTES_MAX) return whole;
  for (const charactersMax of OUTPUT_CHARACTERS) {
    const short = write(withShortOutputs(execution, charactersMax));
    if (short.length <= PAYLOAD_BYTES_MAX) return short;
  }
  const silent = withShortOutputs(execution, 0) as Execution;
  const tests = silent.tests.map(({ name, outcome }) => ({ name, outcome, report: null, check: null }));
  const terse = write({ ...silent, tests });
  return terse.length <= PAYLOAD_BYTES_MAX ? terse : write({ ...silent, tests: [] });
}
