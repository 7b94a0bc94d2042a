/**
 * Owns comparing a program's output with what was expected, by the rules of docs/judging.md, over bytes: no encoding is assumed. Pure.
 * Never keeps more of an output than it is given. Invariant: the first difference is named, and only so much of it is shown as a person reads.
 */
import { TOLERANCE_DEFAULT } from '../../shared/judging/resolved.ts';
import type { ComparisonKind } from '../../shared/model/judging.ts';

/** What came out; a sentence about the first difference, or about what was equal. */
export interface ComparisonResult {
  readonly isEqual: boolean;
  readonly message: string;
}

const SHOWN_BYTES_MAX = 48;
const NEWLINE = 10;
const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

// Space, tab, line feed, vertical tab, form feed, carriage return.
const isBlank = (byte: number | undefined) => byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);

/** A part of some bytes; empty at the end of them. */
interface Part {
  readonly bytes: Buffer;
  /** Where the next one begins, or -1 after the last. */
  readonly next: number;
}

type Next = (all: Buffer, from: number) => Part | null;

/** The token at or after `from`. */
const nextToken: Next = (all, from) => {
  let begin = from;
  while (begin < all.length && isBlank(all[begin])) begin += 1;
  if (begin >= all.length) return null;
  let end = begin;
  while (end < all.length && !isBlank(all[end])) end += 1;
  return { bytes: all.subarray(begin, end), next: end };
};

/** The line at `from`, without blanks at its end. */
const nextLine: Next = (all, from) => {
  if (from >= all.length) return null;
  const newline = all.indexOf(NEWLINE, from);
  const end = newline < 0 ? all.length : newline;
  return { bytes: withoutBlanksAtEnd(all.subarray(from, end)), next: newline < 0 ? all.length : newline + 1 };
};

function withoutBlanksAtEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && isBlank(bytes[end - 1])) end -= 1;
  return bytes.subarray(0, end);
}

function show(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, SHOWN_BYTES_MAX).toString());
  return bytes.length > SHOWN_BYTES_MAX ? `${text}… (${bytes.length} bytes)` : text;
}

function compareParts(
  next: Next,
  noun: string,
  actual: Buffer,
  expected: Buffer,
  isSame: (one: Buffer, other: Buffer) => boolean,
): ComparisonResult {
  let at = 0;
  let of = 0;
  for (let count = 1; ; count += 1) {
    const got = next(actual, at);
    const wanted = next(expected, of);
    if (got === null && wanted === null) return { isEqual: true, message: `${count - 1} ${noun}s` };
    if (wanted === null) return differs(`${noun} ${count} is more than expected: ${show((got as Part).bytes)}`);
    if (got === null) return differs(`${noun} ${count} is missing: ${show(wanted.bytes)}`);
    if (!isSame(got.bytes, wanted.bytes)) {
      return differs(`${noun} ${count} is ${show(got.bytes)}, expected ${show(wanted.bytes)}`);
    }
    at = got.next;
    of = wanted.next;
  }
}

function differs(message: string): ComparisonResult {
  return { isEqual: false, message };
}

function compareBytes(actual: Buffer, expected: Buffer): ComparisonResult {
  if (actual.equals(expected)) return { isEqual: true, message: `${actual.length} bytes` };
  const length = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < length && actual[at] === expected[at]) at += 1;
  if (at === expected.length) return differs(`${actual.length} bytes, expected the first ${at} of them`);
  if (at === actual.length) return differs(`${at} bytes, expected ${expected.length}`);
  const [got, wanted] = [actual, expected].map((bytes) => show(bytes.subarray(at, at + SHOWN_BYTES_MAX)));
  return differs(`from byte ${at} on it is ${got}, expected ${wanted}`);
}

function toNumber(token: Buffer): number {
  const text = token.toString('latin1');
  return token.length <= 400 && number.test(text) ? Number(text) : Number.NaN;
}

/** Numbers within the tolerance, absolute or relative to what was expected; anything else only when it is the same text. */
function isNear(actual: Buffer, expected: Buffer, tolerance: number): boolean {
  if (actual.equals(expected)) return true;
  const wanted = toNumber(expected);
  const distance = Math.abs(toNumber(actual) - wanted);
  // Of two that are beyond all numbers the distance is none.
  return distance <= tolerance * Math.max(1, Math.abs(wanted)) && Number.isFinite(wanted);
}

/** Compares an output with what was expected. */
export function compare(
  { kind, tolerance = TOLERANCE_DEFAULT }: { readonly kind: ComparisonKind; readonly tolerance?: number },
  actual: Buffer,
  expected: Buffer,
): ComparisonResult {
  const isSame = (one: Buffer, other: Buffer) => one.equals(other);
  if (kind === 'exact') return compareBytes(actual, expected);
  if (kind === 'lines') {
    const [got, wanted] = [withoutBlanksAtEnd(actual), withoutBlanksAtEnd(expected)];
    return compareParts(nextLine, 'line', got, wanted, isSame);
  }
  if (kind === 'tokens') return compareParts(nextToken, 'token', actual, expected, isSame);
  return compareParts(nextToken, 'token', actual, expected, (one, other) => isNear(one, other, tolerance));
}
