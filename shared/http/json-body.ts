/**
 * Owns reading a JSON body: UTF-8 or refused, with the position of what is wrong. Never looks at what it says, but that it says each thing once.
 */
import { isUtf8 } from 'node:buffer';
import { SystemError } from '../errors.ts';
import { findInJsonText } from './json-shape.ts';

/** The value of a body; SystemError `request-invalid` says where it stops being JSON, or what it says twice. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw new SystemError('request-invalid', 'the body is empty; JSON is expected');
  if (!isUtf8(body)) throw new SystemError('request-invalid', 'the body is not UTF-8');
  const text = body.toString();
  const wrong = findInJsonText(text);
  const value = parse(text);
  if (wrong !== null) throw wrong;
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SystemError('request-invalid', `the body is not JSON: ${describe(cause, text)}`, { cause });
  }
}

/** Searched for in texts up to so many characters: every step of the search parses a part of it again. */
const SEARCHED_CHARACTERS_MAX = 65_536;

/** Where V8 says that it stopped, or null. */
function positionIn(message: string, text: string): number | null {
  const said = /position (\d+)/.exec(message)?.[1];
  if (said !== undefined) return Number(said);
  return /end of JSON input|Unterminated/.test(message) ? text.length : null;
}

function describe(cause: unknown, text: string): string {
  const message = cause instanceof Error ? cause.message : '';
  const said = positionIn(message, text);
  if (said !== null) return describeAt(said, text);
  // V8 names the character alone.
  if (text.length <= SEARCHED_CHARACTERS_MAX) return describeAt(findPosition(text), text);
  return `unexpected ${JSON.stringify(/Unexpected token '(.)'/u.exec(message)?.[1] ?? 'text')}`;
}

/** Of the first character that can't be where it is: what comes before it is the beginning of something, and not that with it. */
function findPosition(text: string): number {
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return bad - 1;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    return error instanceof Error && positionIn(error.message, text) === text.length;
  }
}

function describeAt(position: number, text: string): string {
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  const column = position - before.lastIndexOf('\n');
  const end = position >= text.length ? 'it ends too early' : `unexpected ${JSON.stringify(text[position])}`;
  return `${end} at position ${position} (line ${line}, column ${column})`;
}
