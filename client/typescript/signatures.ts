/**
 * Owns digests and Ed25519 signatures by WebCrypto, and DSSE's pre-authentication encoding.
 * Never throws for bytes that are no key or no signature: they have signed nothing. Needs Node 20 or newer, or a browser that knows Ed25519.
 */
import { fromCanonicalBase64 } from './base64.ts';

const encoder = new TextEncoder();

/** Bytes as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** UTF-8 bytes of a text. */
export function toBytes(text: string): Bytes {
  return encoder.encode(text);
}

/** `sha256:` and 64 hex digits. */
export async function digestOf(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** A key as lists name it: its id is the digest of its DER. */
export interface NamedKey {
  readonly keyid: string;
  readonly publicKey: string;
}

/** Is this key's id that of its bytes? */
export async function isNamedRightly({ keyid, publicKey }: NamedKey): Promise<boolean> {
  const der = fromCanonicalBase64(publicKey);
  return der !== null && (await digestOf(der)) === keyid;
}

/** Did this key (SPKI DER in base64) sign this payload as this type? */
export async function isSigned(publicKey: string, signature: Bytes, type: string, payload: Bytes): Promise<boolean> {
  const der = fromCanonicalBase64(publicKey);
  if (der === null) return false;
  try {
    const key = await crypto.subtle.importKey('spki', der, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, signature, toSigned(type, payload));
  } catch {
    return false;
  }
}

/** Can this platform check signatures at all? */
export async function canVerify(): Promise<boolean> {
  try {
    await crypto.subtle.importKey('raw', new Uint8Array(32), 'Ed25519', false, ['verify']);
    return true;
  } catch (error) {
    // These bytes may be no point of the curve; only a platform that doesn't know the algorithm says this.
    return (error as Error).name !== 'NotSupportedError';
  }
}

function toSigned(type: string, payload: Bytes): Bytes {
  const head = toBytes(`DSSEv1 ${toBytes(type).length} ${type} ${payload.length} `);
  const signed = new Uint8Array(head.length + payload.length);
  signed.set(head);
  signed.set(payload, head.length);
  return signed;
}
