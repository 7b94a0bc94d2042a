/**
 * Owns the verifier's signing keys on disk: the present one, the next one once it was announced, the previous one until it is retired.
 * Never shows a private key and never overwrites one.
 * Invariants: two processes that start at once end up with the same present key, because a file is made whole or not at all; a rotation that was
 * cut off between two renames is finished at the next start.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemError } from '../../../shared/errors.ts';
import { type SigningKey, toSigningKey, toTrustedKey } from '../../../shared/layers/envelope.ts';
import type { TrustedKey } from '../../../shared/model/manifest.ts';
import type { keyRoles, SigningKeyList } from '../../../shared/model/trust.ts';

type KeyRole = (typeof keyRoles)[number];

/** The file of each key in the verifier's folder. */
export const keyFiles: Readonly<Record<KeyRole, string>> = {
  present: 'signing-key.pem',
  next: 'next-key.pem',
  previous: 'previous-key.pem',
};

/** The keys of one verifier; open with `SigningKeys.open`. */
export class SigningKeys {
  readonly #directory: string;
  #present: SigningKey;
  #next: SigningKey | null;
  #previous: SigningKey | null;

  private constructor(directory: string, present: SigningKey, next: SigningKey | null, previous: SigningKey | null) {
    this.#directory = directory;
    this.#present = present;
    this.#next = next;
    this.#previous = previous;
  }

  /** Reads the keys, makes the first; SystemError `configuration-invalid` when others could read one or it is none. */
  static async open(directory: string): Promise<SigningKeys> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = (role: KeyRole) => join(directory, keyFiles[role]);
    let present = await readKey(path('present'));
    if (present === null && (await readKey(path('next'))) !== null) await rename(path('next'), path('present'));
    else if (present === null) await makeKey(path('present'));
    present ??= await readKey(path('present'));
    if (present === null) throw new SystemError('configuration-invalid', `${path('present')} came and went`);
    return new SigningKeys(directory, present, await readKey(path('next')), await readKey(path('previous')));
  }

  /** What manifests and provenance are signed with. */
  get signing(): SigningKey {
    return this.#present;
  }

  /** What trust states are signed with: by the previous key too, so that whoever has not heard of the present one believes them. */
  get stateSigning(): readonly SigningKey[] {
    return this.#previous === null ? [this.#present] : [this.#present, this.#previous];
  }

  /** Every key whose signatures count, the present one first. */
  get trusted(): readonly TrustedKey[] {
    return this.list().keys.map(({ keyid, publicKey }) => ({ keyid, publicKey }));
  }

  /** Every key with its role. */
  list(): SigningKeyList {
    const named: [KeyRole, SigningKey | null][] = [
      ['present', this.#present],
      ['next', this.#next],
      ['previous', this.#previous],
    ];
    return { keys: named.flatMap(([role, key]) => (key === null ? [] : [{ role, ...toTrustedKey(key) }])) };
  }

  /** Makes the next key: from now on it is trusted and signs nothing. SystemError `conflict` while a rotation is under way. */
  async announce(): Promise<void> {
    if (this.#next !== null)
      throw new SystemError('conflict', `key ${this.#next.keyid} is announced already; switch to it`);
    if (this.#previous !== null) {
      throw new SystemError(
        'conflict',
        `key ${this.#previous.keyid} of the last rotation is trusted still; retire it first`,
      );
    }
    await makeKey(this.#path('next'));
    this.#next = await readKey(this.#path('next'));
  }

  /** The next key signs from now on; the one before it stays trusted. SystemError `conflict` when none was announced. */
  async switch(): Promise<void> {
    if (this.#next === null) throw new SystemError('conflict', 'no key was announced; announce one first');
    await rename(this.#path('present'), this.#path('previous'));
    await rename(this.#path('next'), this.#path('present'));
    [this.#previous, this.#present, this.#next] = [this.#present, this.#next, null];
  }

  /** Forgets the previous key for good; SystemError `conflict` when there is none. Returns its id. */
  async retire(): Promise<string> {
    const { previous } = this;
    await rm(this.#path('previous'), { force: true });
    this.#previous = null;
    return previous;
  }

  /** Id of the previous key; SystemError `conflict` when there is none. */
  get previous(): string {
    if (this.#previous !== null) return this.#previous.keyid;
    throw new SystemError('conflict', 'there is no previous key to retire; announce a new one and switch to it first');
  }

  #path(role: KeyRole): string {
    return join(this.#directory, keyFiles[role]);
  }
}

async function makeKey(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const temporary = `${path}.${process.pid}`;
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

async function readKey(path: string): Promise<SigningKey | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  if ((found.mode & 0o077) !== 0) {
    throw new SystemError('configuration-invalid', `${path} can be read by others; chmod 600 it, or replace the key`);
  }
  const file = await open(path, 'r');
  try {
    return toSigningKey(createPrivateKey(await file.readFile('utf8')));
  } catch (cause) {
    throw new SystemError('configuration-invalid', `${path} is not the PEM of an ed25519 key`, { cause });
  } finally {
    await file.close();
  }
}
