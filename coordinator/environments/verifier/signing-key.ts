/**
 * Owns the verifier's signing key on disk: made once, read by nobody else, and the public keys of its predecessors.
 * Never shows a private key, never replaces one: to rotate, move `signing-key.pem` away and leave its public half as `*.pub.pem`.
 * Invariant: two processes that start at once end up with the same key, because the file is made whole or not at all.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemError } from '../../../shared/errors.ts';
import { type SigningKey, toSigningKey, toTrustedKey } from '../../../shared/layers/envelope.ts';
import type { TrustedKey } from '../../../shared/model/manifest.ts';

/** The key that signs now, and every key whose signatures still count, that one first. */
export interface SigningKeys {
  readonly signing: SigningKey;
  readonly trusted: readonly TrustedKey[];
}

const KEY_FILE = 'signing-key.pem';

/** Reads or makes the key; SystemError `configuration-invalid` when others could read it or it is none. */
export async function loadSigningKeys(directory: string): Promise<SigningKeys> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, KEY_FILE);
  const found = await stat(path).catch(() => null);
  if (found === null) await makeKey(directory, path);
  else if ((found.mode & 0o077) !== 0) {
    throw new SystemError('configuration-invalid', `${path} can be read by others; chmod 600 it, or replace the key`);
  }
  const signing = await readPem(path, (pem) => toSigningKey(createPrivateKey(pem)));
  return { signing, trusted: [toTrustedKey(signing), ...(await readRetired(directory))] };
}

async function makeKey(directory: string, path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const temporary = join(directory, `.${KEY_FILE}.${process.pid}`);
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
  } finally {
    await file.close();
  }
  // link, not rename: whoever was first keeps its key, and the other one uses it.
  await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(temporary, { force: true });
}

async function readRetired(directory: string): Promise<TrustedKey[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.pub.pem')).sort();
  return await Promise.all(
    names.map((name) => readPem(join(directory, name), (pem) => toTrustedKey(createPublicKey(pem)))),
  );
}

async function readPem<Key>(path: string, toKey: (pem: string) => Key): Promise<Key> {
  try {
    return toKey(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new SystemError('configuration-invalid', `${path} is not the PEM of an ed25519 key`, { cause });
  }
}
