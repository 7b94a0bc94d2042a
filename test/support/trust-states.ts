/**
 * Owns signed trust states for tests: of a fresh key or of several, as new or as old as a test wants them.
 */
import { toTimestamp } from '../../shared/clock.ts';
import { type SigningKey, toTrustedKey } from '../../shared/layers/envelope.ts';
import { signTrustState } from '../../shared/layers/trust-state.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { Revocation, TrustState } from '../../shared/model/trust.ts';

/** A state that these keys sign and that names them, unless the changes say otherwise. */
export function trustState(keys: readonly SigningKey[], version = 1, changes: Partial<TrustState> = {}): Envelope {
  const nowMs = Date.now();
  const times = { issuedAt: toTimestamp(nowMs), expires: toTimestamp(nowMs + 3_600_000) };
  return signTrustState({ version, ...times, keys: keys.map(toTrustedKey), revocations: [], ...changes }, keys);
}

/** A revocation that ends nothing, unless it is fatal. */
export function revocation(kind: Revocation['kind'], value: string, isFatal = false): Revocation {
  return { kind, value, isFatal, reason: 'a test', revokedAt: toTimestamp(Date.now()) };
}
