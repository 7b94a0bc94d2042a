/**
 * Owns the bytes behind the text of answers and events. Never decodes bytes into characters: a piece of output may end within one.
 */
import type { Report } from '../../shared/model/verdict.ts';
import { fromBase64 } from './base64.ts';
import { EnvicutorError } from './envicutor-error.ts';
import type { OutputPiece } from './event-types.ts';
import { toBytes } from './signatures.ts';

function decode(text: string, encoding: string): Uint8Array<ArrayBuffer> {
  if (encoding === 'utf8') return toBytes(text);
  const bytes = fromBase64(text);
  if (bytes === null) throw new EnvicutorError('answer-malformed', 'output that should be base64 is not');
  return bytes;
}

/** What a `stdout` or `stderr` event carries. */
export function toOutputBytes({ data, encoding }: OutputPiece): Uint8Array<ArrayBuffer> {
  return decode(data, encoding);
}

/** What a script wrote, whether or not it is text. */
export function toReportBytes(report: Report, stream: 'stdout' | 'stderr'): Uint8Array<ArrayBuffer> {
  return decode(report[stream], report[`${stream}Encoding`]);
}
