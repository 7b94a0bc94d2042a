/**
 * Owns how coordinators prove to each other that they have the same instance key: an HMAC over who dialled whom and the other's nonce.
 * Never sends the key. Invariant: a proof of one role is none of the other, so it can't be sent back to whom it came from.
 */
import { isSealOf, sealOf } from '../text-seal.ts';

/** Which end of the link proves itself. */
export type PeerRole = 'dialler' | 'dialled';

/** A link as a proof is about it. */
export interface ProvenLink {
  readonly dialler: string;
  readonly dialled: string;
  /** The other side's, made for this connection. */
  readonly nonce: string;
}

function toText(role: PeerRole, { dialler, dialled, nonce }: ProvenLink): string {
  return JSON.stringify([role, dialler, dialled, nonce]);
}

/** The proof of one end. */
export function proveLink(key: Uint8Array, role: PeerRole, link: ProvenLink): string {
  return sealOf(key, toText(role, link));
}

/** Is this the proof of that end? */
export function isProven(key: Uint8Array, role: PeerRole, link: ProvenLink, proof: string): boolean {
  return isSealOf(proof, key, toText(role, link));
}
