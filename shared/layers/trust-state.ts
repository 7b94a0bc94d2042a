/**
 * Owns a trust state's way into and out of a signed envelope, and who may sign the one that follows another.
 * Never compares versions or times (manifest-trust), and never decides who may sign the next one: that is anchored-envelope's invariant.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type Canonical, canonicalJson } from '../digest.ts';
import { SystemError } from '../errors.ts';
import type { Envelope } from '../model/manifest.ts';
import { TrustState } from '../model/trust.ts';
import { openAnchored, signByAll, type TrustAnchor } from './anchored-envelope.ts';
import type { SigningKey } from './envelope.ts';

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
  return signByAll(TRUST_PAYLOAD_TYPE, payload, keys);
}

/** The state in the envelope; SystemError `trust-refused` unless it is signed as it must be. */
export function openTrustState(envelope: Envelope, anchor: TrustAnchor): TrustState {
  try {
    const state = openAnchored(envelope, anchor, TRUST_PAYLOAD_TYPE, decode);
    if (state !== null) return state;
  } catch (cause) {
    throw new SystemError('trust-refused', `a trust state is refused: ${(cause as Error).message}`, { cause });
  }
  throw new SystemError('trust-refused', 'a trust state is refused: what is signed is not of its schema');
}

function decode(payload: Uint8Array): TrustState | null {
  try {
    const state: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return stateCheck.Check(state) ? state : null;
  } catch {
    return null;
  }
}
