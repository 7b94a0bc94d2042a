/**
 * Owns looking at the file of tenants while the coordinator runs. Never keeps what is broken: the former content goes on to hold.
 * Invariant: a file that did not change is not read.
 */
import { statSync } from 'node:fs';
import { type KeyRing, readTenants } from './keys.ts';

/** What tells one state of the file from another. */
function stampOf(path: string): string {
  const { mtimeMs, ino, size } = statSync(path);
  return `${mtimeMs} ${ino} ${size}`;
}

/** Gives the file's tenants when it has changed since it was looked at, else null; SystemError `configuration-invalid` once for each broken state. */
export function watchTenantsFile(path: string): () => KeyRing | null {
  const look = (): string => {
    try {
      return stampOf(path);
    } catch {
      return 'gone';
    }
  };
  let seen = look();
  return () => {
    const now = look();
    if (now === seen) return null;
    seen = now;
    return readTenants(path);
  };
}
