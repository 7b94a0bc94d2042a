/**
 * Owns the key that signs a release: Ed25519, given as a file, else one of this user's for development.
 * Never takes another kind of key, and never replaces one that is there.
 * Invariant: a signature is the 64 raw bytes over SHA256SUMS, so that openssl and node:crypto both check it.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const PUBLIC_KEY_FILE = 'release-key.pub';
export const SIGNATURE_FILE = 'SHA256SUMS.sig';

/** A key and where it came from. */
export interface ReleaseKey {
  readonly privateKey: KeyObject;
  readonly path: string;
  /** Nobody else knows it: good for trying a release out. */
  readonly isForDevelopment: boolean;
}

/** Reads the key at `path`, or this user's own in `stateDirectory`, made when it is not there yet. Throws a sentence that names the remedy. */
export function openReleaseKey(path: string | undefined, stateDirectory: string): ReleaseKey {
  if (path !== undefined) return { privateKey: readKey(path), path, isForDevelopment: false };
  const own = join(stateDirectory, 'release-key.pem');
  if (!existsSync(own)) makeKey(own);
  return { privateKey: readKey(own), path: own, isForDevelopment: true };
}

function makeKey(path: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
}

function readKey(path: string): KeyObject {
  const remedy = 'make one: openssl genpkey -algorithm ed25519 -out FILE';
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new Error(`the release's key '${path}' can't be read as a private key in PEM (${String(cause)}); ${remedy}`, {
      cause,
    });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new Error(`the release's key '${path}' is ${key.asymmetricKeyType}, not Ed25519; ${remedy}`);
}

/** The key by which others check. */
export function toPublicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/** 64 bytes. */
export function sign(key: KeyObject, bytes: Buffer): Buffer {
  return signBytes(null, bytes, key);
}
