/**
 * Owns what a program wrote as bytes: out of base64, as text where it is some, as rows of numbers where it is not. Pure; never shows anything.
 */
import type { Report } from '../../../shared/model/verdict.ts';

/** Bytes out of base64. */
export function toBytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

const ROW = 16;

/** Rows of sixteen bytes: where they begin, each in two digits, and what of them is readable. */
export function toHexRows(bytes: Uint8Array, bytesMax: number): string {
  const rows: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, bytesMax); at += ROW) {
    const row = [...bytes.subarray(at, Math.min(at + ROW, bytesMax))];
    const digits = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const readable = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
    rows.push(`${at.toString(16).padStart(6, '0')}  ${digits.padEnd(3 * ROW - 1)}  ${readable}`);
  }
  return rows.join('\n');
}

/** One stream of a report. */
export type WrittenOutput =
  | { readonly kind: 'text'; readonly text: string; readonly isCut: boolean }
  | { readonly kind: 'binary'; readonly bytes: Uint8Array<ArrayBuffer>; readonly isCut: boolean };

/** What a script wrote, by its report. */
export function toWritten(report: Report, stream: 'stdout' | 'stderr'): WrittenOutput {
  const isCut = report[`${stream}Truncated`];
  return report[`${stream}Encoding`] === 'utf8'
    ? { kind: 'text', text: report[stream], isCut }
    : { kind: 'binary', bytes: toBytes(report[stream]), isCut };
}
