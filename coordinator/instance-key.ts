/**
 * Owns the one secret of this coordinator: 32 random bytes in its state directory, from which keys for private layers and layer URLs
 * are derived, and tenants' webhook secrets. Never leaves the process. Losing it makes private layers unreachable (they are built again) and gives every
 * tenant another webhook secret, nothing else.
 */
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../shared/clock.ts';
import { SystemError } from '../shared/errors.ts';
import type { TenantKey } from './environments/environment-key.ts';
import { makeStateFolder, stateFiles } from './state-folder.ts';

/** Derives keys by purpose; the same purpose gives the same key for as long as the state directory lives. */
export class InstanceKey {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A 32-byte key for one purpose. */
  derive(purpose: string): Buffer {
    return createHmac('sha256', this.#key).update(purpose).digest();
  }
}

/** Reads a key that several coordinators have; SystemError `requirement-missing` when it can't be read or is no such key. */
export function readInstanceKey(path: string): InstanceKey {
  try {
    const key = readFileSync(path);
    if (key.length !== 32) throw new Error(`it holds ${key.length} bytes, not 32`);
    return new InstanceKey(key);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'requirement-missing',
      `the instance key ${path} can't be used: ${said}. Make one with 'head -c 32 /dev/urandom', and give every coordinator of the database the same.`,
      { cause },
    );
  }
}

/** Reads the key, or makes it; SystemError `requirement-missing` when the state directory can't be written. */
export function openInstanceKey(stateDirectory: string, random: Random): InstanceKey {
  const path = join(stateDirectory, stateFiles.instanceKey);
  try {
    makeStateFolder(stateDirectory);
    try {
      writeFileSync(path, random.bytes(32), { mode: 0o600, flag: 'wx', flush: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const key = readFileSync(path);
    if (key.length !== 32) throw new Error(`it holds ${key.length} bytes, not 32; remove it`);
    return new InstanceKey(key);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'requirement-missing',
      `the state directory ${stateDirectory} can't be used: ${said}. Give its owner write access, or set stateDirectory (ENVICUTOR_STATE_DIRECTORY).`,
      { cause },
    );
  }
}

/** The keys of tenants, each derived once. */
export function createTenantKeys(instanceKey: InstanceKey): (tenantId: string) => TenantKey {
  const known = new Map<string, TenantKey>();
  return (tenantId) => {
    const key = known.get(tenantId) ?? { tenantId, key: instanceKey.derive(`tenant/${tenantId}`) };
    known.set(tenantId, key);
    return key;
  };
}
