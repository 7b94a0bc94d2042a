/**
 * Owns what a key looks like: `envk_`, 256 random bits and a checksum, so that a scanner of texts finds one and knows it from a mistake, and what
 * can be none is refused without a look anywhere. Never keeps a key and never says whose one is.
 */
import { crc32 } from 'node:zlib';
import type { Random } from '../../shared/clock.ts';
import { toBase32 } from '../../shared/ids.ts';

const PREFIX = 'envk_';
const SECRET_BYTES = 32;
const form = /^envk_[0-9a-z]{52}[0-9a-z]{7}$/;

function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return toBase32(bytes);
}

/** A fresh key. */
export function createKeyText(random: Random): string {
  const text = PREFIX + toBase32(random.bytes(SECRET_BYTES));
  return text + checksumOf(text);
}

/** Could this be a key that was issued by somebody? */
export function isKeyText(text: string): boolean {
  return form.test(text) && checksumOf(text.slice(0, -7)) === text.slice(-7);
}
