/**
 * Owns small files that are always whole: written aside, flushed, renamed. Never holds what is in them.
 * Invariant: whoever reads such a file sees the state before a write or after it, kill -9 and power cuts included.
 */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the file hold this text, readable by its owner only; its folder must be there. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
