/**
 * Owns envelopes that name the keys which signed them, as a signing key that turns over needs: statements signed by several keys, and who may
 * have signed the one that follows another.
 * Never interprets a statement beyond the keys that it names. Invariant: what is opened here was signed by a key that was trusted before, and by
 * one that it names itself, so that no statement can lock out whoever signs the next.
 */
import { digestOf } from '../digest.ts';
import type { Envelope, TrustedKey } from '../model/manifest.ts';
import { openEnvelope, type SigningKey, signEnvelope } from './envelope.ts';

/** Who may have signed: keys that are trusted already, keys named by id, or, at the very first, whoever names itself. */
export type TrustAnchor = { readonly keys: readonly TrustedKey[] } | { readonly keyIds: readonly string[] } | null;

/** A statement that names signing keys. */
interface Naming {
  readonly keys: readonly TrustedKey[];
}

/** The payload signed by each of these keys: while one follows another, by both. */
export function signByAll(payloadType: string, payload: Uint8Array, keys: readonly SigningKey[]): Envelope {
  const signed = keys.map((key) => signEnvelope(payloadType, payload, key));
  const [first] = signed;
  if (first === undefined) throw new TypeError(`${payloadType} is signed by at least one key`);
  return { ...first, signatures: signed.flatMap(({ signatures }) => signatures) };
}

/** The statement in the envelope, null when it is not of its schema; SystemError `layer-untrusted` unless it is signed as it must be. */
export function openAnchored<Statement extends Naming>(
  envelope: Envelope,
  anchor: TrustAnchor,
  payloadType: string,
  decode: (payload: Uint8Array) => Statement | null,
): Statement | null {
  // Read before anything is verified: only to learn which keys the statement says that it is signed with.
  const own = decode(Buffer.from(envelope.payload, 'base64'))?.keys ?? [];
  if (anchor !== null) openEnvelope(envelope, 'keys' in anchor ? anchor.keys : chosen(own, anchor.keyIds), payloadType);
  return decode(openEnvelope(envelope, own, payloadType));
}

function chosen(keys: readonly TrustedKey[], keyIds: readonly string[]): TrustedKey[] {
  // An id is believed only if it is the digest of the key that comes with it.
  return keys.filter(
    ({ keyid, publicKey }) => keyIds.includes(keyid) && digestOf(Buffer.from(publicKey, 'base64')) === keyid,
  );
}
