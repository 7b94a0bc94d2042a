/**
 * Owns writing any text into PostgreSQL, which refuses zeros and lone halves of characters: each is spelled out behind a sign that is itself spelled out.
 * Never changes JSON: it has none of these characters, JSON.stringify escapes them. Invariant: `fromText` undoes `toText`; equal stays equal.
 */
const SIGN = '\u001a';
const refused = new RegExp(`[\\0${SIGN}\\p{Surrogate}]`, 'gu');
const spelled = new RegExp(`${SIGN}([0-9a-f]{4})`, 'g');

const spell = (character: string): string => SIGN + character.charCodeAt(0).toString(16).padStart(4, '0');

/** A value for a statement; arrays by their elements, anything but text as it is. */
export function toText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toText);
  if (typeof value !== 'string' || (value.isWellFormed() && !value.includes('\0') && !value.includes(SIGN)))
    return value;
  return value.replace(refused, spell);
}

/** A value out of a row. */
export function fromText(value: unknown): unknown {
  if (typeof value !== 'string' || !value.includes(SIGN)) return value;
  return value.replaceAll(spelled, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
