/**
 * Owns a trust state's way into and out of a signed envelope, and who may sign the one that follows another.
 * Never compares versions or times (manifest-trust). Invariant: a state from here was signed by a key that was trusted before, and by one
 * that it names itself, so that no state can lock out whoever signs the next.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Canonical, canonicalJson, digestOf } from '../digest.ts';
import { SystemError } from '../errors.ts';
import type { Envelope, TrustedKey } from '../model/manifest.ts';
import { TrustState } from '../model/trust.ts';
import { openEnvelope, type SigningKey, signEnvelope } from './envelope.ts';

/** DSSE payload type of a trust state. */
export const TRUST_PAYLOAD_TYPE = 'application/vnd.envicutor.trust+json';

const stateCheck = TypeCompiler.Compile(TrustState);

/** The state signed by each of these keys: while one follows another, by both. */
export function signTrustState(state: TrustState, keys: readonly SigningKey[]): Envelope {
  if (!stateCheck.Check(state)) {
    const problem = stateCheck.Errors(state).First();
    throw new TypeError(`a trust state to be signed is not valid: ${problem?.path} ${problem?.message}`);
  }
  const payload = Buffer.from(canonicalJson(state as Canonical));
  const signed = keys.map((key) => signEnvelope(TRUST_PAYLOAD_TYPE, payload, key));
  const [first] = signed;
  if (first === undefined) throw new TypeError('a trust state is signed by at least one key');
  return { ...first, signatures: signed.flatMap(({ signatures }) => signatures) };
}

/** Who may have signed: keys that are trusted already, keys named by id, or, at the very first, whoever names itself. */
export type TrustAnchor = { readonly keys: readonly TrustedKey[] } | { readonly keyIds: readonly string[] } | null;

/** The state in the envelope; SystemError `trust-refused` unless it is signed as it must be. */
export function openTrustState(envelope: Envelope, anchor: TrustAnchor): TrustState {
  try {
    const own = keysNamedBy(envelope);
    if (anchor !== null)
      openEnvelope(envelope, 'keys' in anchor ? anchor.keys : chosen(own, anchor.keyIds), TRUST_PAYLOAD_TYPE);
    const state = decode(openEnvelope(envelope, own, TRUST_PAYLOAD_TYPE));
    if (state !== null) return state;
  } catch (cause) {
    throw new SystemError('trust-refused', `a trust state is refused: ${(cause as Error).message}`, { cause });
  }
  throw new SystemError('trust-refused', 'a trust state is refused: what is signed is not of its schema');
}

/** Read before anything is verified: only to learn which keys the state says that it is signed with. */
function keysNamedBy(envelope: Envelope): readonly TrustedKey[] {
  return decode(Buffer.from(envelope.payload, 'base64'))?.keys ?? [];
}

function chosen(keys: readonly TrustedKey[], keyIds: readonly string[]): TrustedKey[] {
  // An id is believed only if it is the digest of the key that comes with it.
  return keys.filter(
    ({ keyid, publicKey }) => keyIds.includes(keyid) && digestOf(Buffer.from(publicKey, 'base64')) === keyid,
  );
}

function decode(payload: Uint8Array): TrustState | null {
  try {
    const state: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return stateCheck.Check(state) ? state : null;
  } catch {
    return null;
  }
}
