/**
 * Owns how coordinators prove to each other that they have the same instance key: an HMAC over who dialled whom and the other's nonce.
 * Never sends the key. Invariant: a proof of one role is none of the other, so it can't be sent back to whom it came from.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Which end of the link proves itself. */
export type PeerRole = 'dialler' | 'dialled';

/** A link as a proof is about it. */
export interface ProvenLink {
  readonly dialler: string;
  readonly dialled: string;
  /** The other side's, made for this connection. */
  readonly nonce: string;
}

/** The proof of one end. */
export function proveLink(key: Uint8Array, role: PeerRole, { dialler, dialled, nonce }: ProvenLink): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([role, dialler, dialled, nonce]))
    .digest('base64url');
}

/** Is this the proof of that end? */
export function isProven(key: Uint8Array, role: PeerRole, link: ProvenLink, proof: string): boolean {
  const expected = Buffer.from(proveLink(key, role, link));
  const given = Buffer.from(proof);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
