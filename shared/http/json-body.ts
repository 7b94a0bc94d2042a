/**
 * Owns reading a JSON body: UTF-8 or refused, with the position of what is wrong. Never looks at what it says.
 */
import { isUtf8 } from 'node:buffer';
import { SystemError } from '../errors.ts';

/** The value of a body; SystemError `request-invalid` says where it stops being JSON. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw new SystemError('request-invalid', 'the body is empty; JSON is expected');
  if (!isUtf8(body)) throw new SystemError('request-invalid', 'the body is not UTF-8');
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SystemError('request-invalid', `the body is not JSON: ${describe(cause, text)}`, { cause });
  }
}

function describe(cause: unknown, text: string): string {
  const message = cause instanceof Error ? cause.message : '';
  // V8 names the position, but for an early end.
  const said = /position (\d+)/.exec(message)?.[1];
  const position = said === undefined ? text.length : Number(said);
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  const column = position - before.lastIndexOf('\n');
  const end = position >= text.length ? 'it ends too early' : `unexpected ${JSON.stringify(text[position])}`;
  return `${end} at position ${position} (line ${line}, column ${column})`;
}
