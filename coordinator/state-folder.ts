/**
 * Owns making the state directory, and the names of what outlives a coordinator in it. Never removes anything.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a backup has of it; everything else in it is made again. */
export const stateFiles = {
  database: 'coordinator.sqlite',
  instanceKey: 'instance.key',
  clientFiles: 'files',
} as const;

/** Makes a private folder and those above it; throws the system's error. One by one, since Node's recursive form never ends below /proc. */
export function makeStateFolder(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(path);
  if (above !== path) makeStateFolder(above);
  mkdirSync(path, { mode: 0o700 });
}
