/**
 * Owns base64 in both alphabets with what every browser has. Never accepts a second spelling of the same bytes: null instead.
 */

/** Bytes of an API's text: standard alphabet, padded, as requests and answers hold it; null when it is none. Bits beyond the bytes are passed over, as everywhere. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const characters = atob(text);
    const bytes = new Uint8Array(characters.length);
    for (let index = 0; index < characters.length; index++) bytes[index] = characters.charCodeAt(index);
    return bytes;
  } catch {
    return null;
  }
}

/** The same, and null when these bytes have another canonical text. */
export function fromCanonicalBase64(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = fromBase64(text);
  return bytes !== null && toBase64(bytes) === text ? bytes : null;
}

/** The same in the alphabet of URLs, without padding. */
export function fromCanonicalBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (/[^A-Za-z0-9_-]/.test(text)) return null;
  const standard = text.replaceAll('-', '+').replaceAll('_', '/');
  return fromCanonicalBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '='));
}

/** The standard, padded text of bytes. */
export function toBase64(bytes: Uint8Array): string {
  // One argument for each byte would be too many for a large list.
  const parts: string[] = [];
  for (let from = 0; from < bytes.length; from += 0x8000) {
    parts.push(String.fromCharCode(...bytes.subarray(from, from + 0x8000)));
  }
  return btoa(parts.join(''));
}
