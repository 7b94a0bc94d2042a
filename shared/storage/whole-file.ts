/**
 * Owns small files that are always whole: written aside, flushed, renamed. Never holds what is in them.
 * Invariant: whoever reads such a file sees the state before a write or after it, kill -9 and power cuts included.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the file hold this text, readable by its owner only; its folder must be there. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const aside = `${path}.new`;
  const file = await open(aside, 'w', 0o600);
  try {
    await file.writeFile(text).then(() => file.sync());
    await rename(aside, path);
  } catch (error) {
    // What came of it keeps no room on a disk that may be full.
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
