/**
 * Owns what a machine must have so that a builder can work on it, and the sentence for each thing that is missing.
 * Never installs anything.
 */
import { existsSync } from 'node:fs';

/** Programs and files, and the Debian or Ubuntu package that brings each. */
const requirements = [
  { path: '/usr/bin/mmdebstrap', of: 'mmdebstrap', why: 'bases are made by it' },
  {
    path: '/usr/share/keyrings/debian-archive-keyring.gpg',
    of: 'debian-archive-keyring',
    why: 'bases are checked by it',
  },
  { path: '/usr/bin/tar', of: 'tar', why: 'layers are read and unpacked by it' },
] as const;

/** One sentence with the remedy for each missing thing; `exists` is for tests. */
export function missingRequirements(exists: (path: string) => boolean = existsSync): string[] {
  return requirements
    .filter(({ path }) => !exists(path))
    .map(({ path, of, why }) => `${path} is missing (${why}); install it: apt-get install ${of}`);
}
