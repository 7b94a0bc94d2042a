/**
 * Owns writing one file of a backup, or of what is restored, and holding one against its digest. Never overwrites.
 * Invariant: what `writeCopy` has told is on the disk, its name too once the folder's `syncFolder` is over.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DigestingStream } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { toBody } from '../../shared/storage/object-store.ts';
import type { Copied } from './backup-manifest.ts';

/** Writes a new file, for its owner alone, with the folders above it. */
export async function writeCopy(path: string, source: Readable | Uint8Array): Promise<Copied> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const digesting = new DigestingStream();
  const handle = await open(path, 'wx', 0o600);
  try {
    await pipeline(toBody(source), digesting, (checked: AsyncIterable<Buffer>) => handle.writeFile(checked));
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes: digesting.bytes, sha256: digesting.digest() };
}

/** What a file holds. */
export async function describeFile(path: string): Promise<Copied> {
  const digesting = new DigestingStream();
  await pipeline(createReadStream(path), digesting, async (checked: AsyncIterable<Buffer>) => {
    for await (const _ of checked) {
      // Only counted.
    }
  });
  return { bytes: digesting.bytes, sha256: digesting.digest() };
}

/** SystemError `file-corrupt` when the file is not what was copied. */
export async function checkFile(path: string, { bytes, sha256 }: Copied): Promise<void> {
  const found = await describeFile(path).catch((error: NodeJS.ErrnoException) => error);
  if (!(found instanceof Error) && found.bytes === bytes && found.sha256 === sha256) return;
  const said = found instanceof Error ? found.message : `${found.bytes} bytes with ${found.sha256}`;
  throw new SystemError(
    'file-corrupt',
    `${path} is not what was backed up (${bytes} bytes with ${sha256}): ${said}; use another backup`,
  );
}

/** Flushes a folder's names. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
