/**
 * Owns looking over the text of a JSON body before it becomes values: how deep and how many they would be, whether an object says a name twice, whether
 * a number is one. Never decides what is JSON: the parser does. Invariant: its time grows with the text alone, and it ends at the first bound: 32 MiB of
 * brackets would be gigabytes of values.
 */
import { type ErrorPlace, SystemError } from '../errors.ts';

const DEPTH_MAX = 100;
const VALUES_MAX = 1_000_000;
const NAME_CHARACTERS_SHOWN_MAX = 64;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const number = /-?[0-9][0-9.eE+-]*/y;

/** An object or a list that is not over yet. */
interface Container {
  /** Of an object: the names so far. */
  readonly names: Set<string> | null;
  /** Where we are in it. */
  name: string;
  index: number;
}

/** Where the text of a string ends: at its closing quote, or with the text. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}

/** A name as the parser will have it; what is no string stays as it is, since the parser refuses it. */
function toName(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function toPointer(open: readonly Container[], last: string | null): string {
  const names = open.map(({ names: known, name, index }) => (known === null ? String(index) : name));
  if (last !== null) names[names.length - 1] = last;
  const shown = names.map((name) =>
    name.slice(0, NAME_CHARACTERS_SHOWN_MAX).replaceAll('~', '~0').replaceAll('/', '~1'),
  );
  return shown.map((name) => `/${name}`).join('');
}

function refuse({ pointer, detail }: ErrorPlace): SystemError {
  return new SystemError('request-invalid', `${pointer || 'the body'} ${detail}`, { errors: [{ pointer, detail }] });
}

/** Looks at one text. */
class Look {
  readonly #text: string;
  readonly #open: Container[] = [];
  #values = 1;
  #isName = false;
  #found: ErrorPlace | null = null;

  constructor(text: string) {
    this.#text = text;
  }

  run(): ErrorPlace | null {
    const text = this.#text;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) at = this.#string(at);
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.#enter(code === OPEN_BRACE);
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) this.#leave();
      else if (code === COMMA) this.#next();
      else if (code === COLON) this.#isName = false;
      else if (code === 45 || (code >= 48 && code <= 57)) at = this.#number(at);
    }
    return this.#found;
  }

  #string(at: number): number {
    const end = endOfString(this.#text, at);
    const inside = this.#open.at(-1);
    if (!this.#isName || inside?.names == null) return end;
    const name = toName(this.#text.slice(at + 1, end));
    if (inside.names.has(name)) this.#find(toPointer(this.#open, name), 'is there twice');
    inside.names.add(name);
    inside.name = name;
    this.#isName = false;
    return end;
  }

  #enter(isObject: boolean): void {
    if (this.#open.length >= DEPTH_MAX) throw refuse({ pointer: '', detail: `is nested deeper than ${DEPTH_MAX}` });
    this.#open.push({ names: isObject ? new Set() : null, name: '', index: 0 });
    this.#isName = isObject;
    this.#count();
  }

  #leave(): void {
    this.#open.pop();
    this.#isName = false;
  }

  #next(): void {
    const inside = this.#open.at(-1);
    if (inside === undefined) return;
    inside.index += 1;
    this.#isName = inside.names !== null;
    this.#count();
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > VALUES_MAX) throw refuse({ pointer: '', detail: `holds more than ${VALUES_MAX} values` });
  }

  #number(at: number): number {
    number.lastIndex = at;
    const digits = number.exec(this.#text)?.[0] ?? '-';
    const isEndless = digits.length > 3 && Number.isNaN(Number(digits)) === false && !Number.isFinite(Number(digits));
    if (isEndless) this.#find(toPointer(this.#open, null), 'is a number beyond all that we can hold');
    return at + digits.length - 1;
  }

  #find(pointer: string, detail: string): void {
    this.#found ??= { pointer, detail };
  }
}

/** What is wrong with the values that this text stands for, if it is JSON; SystemError `request-invalid` at once when they would be too many or too deep. */
export function findInJsonText(text: string): SystemError | null {
  const found = new Look(text).run();
  return found === null ? null : refuse(found);
}
