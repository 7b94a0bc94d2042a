/**
 * Owns the seal of a text: what only who has the key can have made of it, HMAC-SHA256 as base64url. Never knows what is sealed.
 * Invariant: a seal has one spelling, and is compared in a time that says nothing about it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The seal of a text. */
export function sealOf(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** Is this the seal of the text? */
export function isSealOf(seal: string, key: Uint8Array, text: string): boolean {
  const [given, right] = [Buffer.from(seal), Buffer.from(sealOf(key, text))];
  return given.length === right.length && timingSafeEqual(given, right);
}
