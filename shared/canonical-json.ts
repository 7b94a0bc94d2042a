/**
 * Owns canonical JSON: the one text of a value, so that whoever has the value has its digest.
 * Never digests anything itself, and imports nothing: the client library reads this in browsers.
 */

/** What canonical JSON can hold; numbers must be safe integers. */
export type Canonical =
  | null
  | boolean
  | number
  | string
  | readonly Canonical[]
  | { readonly [name: string]: Canonical };

/**
 * Canonical JSON: members sorted by UTF-16 code units, no white space, integers only (the subset of RFC 8785 that we need).
 * Throws a TypeError for anything else, so that no two values can share a text by rounding.
 */
export function canonicalJson(value: Canonical): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`canonical JSON holds safe integers only, not ${value}`);
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const object = value as { readonly [name: string]: Canonical };
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name] as Canonical)}`);
  return `{${members.join(',')}}`;
}
