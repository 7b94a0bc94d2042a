/**
 * Owns how much text a value has in it, which is nearly all of what it weighs when it came from JSON. Pure.
 */

/** Of all texts in a value together, in UTF-16 code units; names of members are not counted. */
export function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const name in value) length += textLengthOf((value as Record<string, unknown>)[name]);
  return length;
}
