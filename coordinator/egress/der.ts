/**
 * Owns writing DER (X.690): the dozen forms that an X.509 certificate needs.
 * Never reads DER, so nothing here can be attacked by what somebody sends.
 * Invariant: lengths are minimal and integers positive, as DER demands.
 */

/** One value: tag, length, contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const octets: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.concat([Buffer.of(tag, 0x80 | octets.length, ...octets), body]);
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => der(0x30, ...items);
export const setOf = (...items: readonly Uint8Array[]): Buffer => der(0x31, ...items);
export const octets = (content: Uint8Array): Buffer => der(0x04, content);
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
export const boolean = (value: boolean): Buffer => der(0x01, Buffer.of(value ? 0xff : 0));
/** A context-specific value; 0xa0 + n when constructed, 0x80 + n when primitive. */
export const context = (tag: number, ...contents: readonly Uint8Array[]): Buffer => der(tag, ...contents);
/** A bit string whose last octet leaves `unused` bits out. */
export const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.of(unused), content);

/** A positive integer from big-endian octets. */
export function integer(content: Uint8Array): Buffer {
  let first = 0;
  while (first < content.length - 1 && content[first] === 0) first++;
  const short = content.subarray(first);
  return der(0x02, (short[0] ?? 0) >= 0x80 ? Buffer.of(0) : Buffer.alloc(0), short);
}

/** An object identifier from its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const content = [first * 40 + second];
  for (const arc of arcs) {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift((rest % 128) | 0x80);
    content.push(...groups);
  }
  return der(0x06, Buffer.from(content));
}

/** A time: UTCTime until 2049, GeneralizedTime after, as RFC 5280 §4.1.2.5 wants. */
export function time(atMs: number): Buffer {
  const text = `${new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return text < '2050' ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}
