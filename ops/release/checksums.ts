/**
 * Owns SHA256SUMS of a release, in the form that `sha256sum --check` reads, and how a program checks it.
 * Never signs it (release-key.ts).
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Its name. */
export const CHECKSUMS_FILE = 'SHA256SUMS';

/** One line for each file of a folder, sorted by name. */
export function toChecksums(folder: string, names: readonly string[]): string {
  return [...names]
    .sort()
    .map((name) => `${sha256Of(join(folder, name))}  ${name}\n`)
    .join('');
}

/** Writes them and gives their bytes, which are what is signed. */
export function writeChecksums(folder: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  writeFileSync(join(folder, CHECKSUMS_FILE), bytes);
  return bytes;
}

/** The digest of a file, in hexadecimal digits. */
export function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
