/**
 * Owns the trust state: what the verifier says, signed and numbered, about which keys and layers are to be believed.
 * Never says where a layer is or for whom (manifest). Invariant: of two states the one with the higher version is right, and only that one.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf, Timestamp } from './closed.ts';
import { Envelope, TrustedKey } from './manifest.ts';

/** How many revocations one state may hold; an operator who needs more changes cacheSalt or retires a key. */
export const REVOCATIONS_MAX = 10_000;

/** What can be revoked: a layer by its tar's digest, a content key, a signing key, and everything built before a moment. */
export const revocationKinds = ['layer', 'key', 'signing-key', 'built-before'] as const;

/** Something that is not to be used any more, for ever. */
export const Revocation = Closed({
  kind: OneOf(revocationKinds),
  value: Type.String({ minLength: 1, maxLength: 128, description: 'Digest, content key, key id, or timestamp.' }),
  isFatal: Type.Boolean({ description: 'Are executions that use it now ended?' }),
  reason: Type.String({ maxLength: 500, description: "The operator's sentence, shown to whoever is refused." }),
  revokedAt: Timestamp,
});
export type Revocation = Static<typeof Revocation>;

/** The signed statement. */
export const TrustState = Closed({
  version: Type.Integer({ minimum: 1, description: 'Grows with every state; an older one is refused.' }),
  issuedAt: Timestamp,
  expires: Timestamp,
  keys: Type.Array(TrustedKey, { minItems: 1, maxItems: 16 }),
  revocations: Type.Array(Revocation, { maxItems: REVOCATIONS_MAX }),
});
export type TrustState = Static<typeof TrustState>;

/** What the verifier is asked to sign: `POST /trust`. What it has signed before stays revoked whatever is asked. */
export const TrustOrder = Closed({ revocations: Type.Array(Revocation, { maxItems: REVOCATIONS_MAX }) });
export type TrustOrder = Static<typeof TrustOrder>;

/** The verifier's answer. */
export const SignedTrust = Closed({ envelope: Envelope });
export type SignedTrust = Static<typeof SignedTrust>;

/** What a signing key is for: it signs, it will sign, or it has signed. */
export const keyRoles = ['present', 'next', 'previous'] as const;

/** The signing keys that count: `GET /keys` of the verifier. */
export const SigningKeyList = Closed({
  keys: Type.Array(Closed({ role: OneOf(keyRoles), keyid: Type.String(), publicKey: Type.String() })),
});
export type SigningKeyList = Static<typeof SigningKeyList>;
