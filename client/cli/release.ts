/**
 * Owns which release this is. Never asks anybody.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of package.json, which lies two folders above the sources and three above what is compiled. */
export function ownRelease(): string {
  const above = import.meta.filename.endsWith('.ts') ? '../..' : '../../..';
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, above, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
