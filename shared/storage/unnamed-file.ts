/**
 * Owns making files that have no name: whatever ends this process, the kernel gives their space back, and nobody else can open them.
 * Never reads or writes one.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { createIncomingPath } from './incoming-folder.ts';

/** An empty file for reading and writing on the disk of this folder, which is there. */
export async function createUnnamedFile(directory: string): Promise<FileHandle> {
  const path = await createIncomingPath(directory);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}
