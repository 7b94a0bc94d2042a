/**
 * Owns signed envelopes (DSSE: https://github.com/secure-systems-lab/dsse): pre-authentication encoding, Ed25519 signatures.
 * Never interprets a payload, and never decides by keyid: it is a hint which key to try first.
 * Invariant: the bytes that `openEnvelope` returns are those whose signature was checked; nobody decodes a payload a second time.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { digestOf } from '../digest.ts';
import { SystemError } from '../errors.ts';
import type { Envelope, TrustedKey } from '../model/manifest.ts';

/** A private Ed25519 key and the id under which its public half is published. */
export interface SigningKey {
  readonly keyid: string;
  readonly privateKey: KeyObject;
}

/** The key as something to sign with; throws TypeError unless it is a private Ed25519 key. */
export function toSigningKey(privateKey: KeyObject): SigningKey {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw new TypeError(
      `a signing key is a private ed25519 key, not ${privateKey.type} ${privateKey.asymmetricKeyType}`,
    );
  }
  return { keyid: toTrustedKey(createPublicKey(privateKey)).keyid, privateKey };
}

/** A public key (or the public half of a signing key) in the form that is handed to those who verify. */
export function toTrustedKey(key: KeyObject | SigningKey): TrustedKey {
  const publicKey = 'privateKey' in key ? createPublicKey(key.privateKey) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { keyid: digestOf(der), publicKey: der.toString('base64') };
}

/** DSSE's pre-authentication encoding: what is signed, so that no payload can pass for one of another type. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const typeBytes = Buffer.byteLength(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${typeBytes} ${payloadType} ${payload.length} `), payload]);
}

/** The payload in an envelope with one signature. */
export function signEnvelope(payloadType: string, payload: Uint8Array, key: SigningKey): Envelope {
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), key.privateKey);
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid: key.keyid, sig: signature.toString('base64') }],
  };
}

/** The payload's bytes, if one of the trusted keys signed them as this type; else SystemError `layer-untrusted`. */
export function openEnvelope(envelope: Envelope, trustedKeys: readonly TrustedKey[], payloadType: string): Buffer {
  if (envelope.payloadType !== payloadType) {
    throw new SystemError(
      'layer-untrusted',
      `an envelope holds ${JSON.stringify(envelope.payloadType.slice(0, 100))} where ${payloadType} is expected`,
    );
  }
  const payload = fromBase64(envelope.payload);
  const signed = preAuthenticationEncoding(payloadType, payload);
  const isSigned = envelope.signatures.some(({ keyid, sig }) => {
    const signature = fromBase64(sig);
    const likelyFirst = [...trustedKeys].sort((one, other) => rank(other, keyid) - rank(one, keyid));
    return likelyFirst.some((key) => verify(null, signed, publicKeyOf(key), signature));
  });
  if (!isSigned) {
    const keyids = envelope.signatures.map(({ keyid }) => JSON.stringify(keyid.slice(0, 100))).join(', ');
    throw new SystemError('layer-untrusted', `no trusted key made this signature, which names ${keyids}`);
  }
  return payload;
}

function rank(key: TrustedKey, keyid: string): number {
  return key.keyid === keyid ? 1 : 0;
}

/** Node's own decoder skips what is not base64, so two texts could stand for the same bytes; here only the canonical one does. */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw new SystemError('layer-untrusted', 'an envelope holds text that is not canonical base64');
  }
  return bytes;
}

const publicKeys = new WeakMap<TrustedKey, KeyObject>();

function publicKeyOf(key: TrustedKey): KeyObject {
  const known = publicKeys.get(key);
  if (known !== undefined) return known;
  let made: KeyObject;
  try {
    made = createPublicKey({ key: Buffer.from(key.publicKey, 'base64'), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new SystemError('layer-untrusted', `trusted key ${key.keyid} is not a public key`, { cause });
  }
  // Any other kind would make `verify` accept what another algorithm calls a signature.
  if (made.asymmetricKeyType !== 'ed25519') {
    throw new SystemError('layer-untrusted', `trusted key ${key.keyid} is ${made.asymmetricKeyType}, not ed25519`);
  }
  publicKeys.set(key, made);
  return made;
}
