/**
 * Owns how much a value is that came from JSON: how much text it has in it, which its JSON is never shorter than, and about how much memory it holds.
 * Pure. Never makes anything of its size to say so.
 */

/** Of an object or a list, without what is in it. */
const OBJECT_BYTES = 48;
/** Of each member, without what it is; an empty text is no more than that. */
const MEMBER_BYTES = 16;

/** Of all texts in a value together, in UTF-16 code units; names of members are not counted. */
export function textLengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  if (Array.isArray(value)) for (const item of value) length += textLengthOf(item);
  else for (const name in value) length += textLengthOf((value as Record<string, unknown>)[name]);
  return length;
}

/** About what a value holds of memory: its texts, one for each character, and what holds them, which of many that are empty is all; bytes. */
export function memoryBytesOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = OBJECT_BYTES;
  if (Array.isArray(value)) for (const item of value) bytes += MEMBER_BYTES + memoryBytesOf(item);
  else {
    for (const name in value) {
      bytes += MEMBER_BYTES + name.length + memoryBytesOf((value as Record<string, unknown>)[name]);
    }
  }
  return bytes;
}
