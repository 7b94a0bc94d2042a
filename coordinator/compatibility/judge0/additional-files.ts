/**
 * Owns unpacking the zip of a submission's additional files into files of a request, in memory and within bounds. The only place that reads archives.
 * Never writes a file: names stay names until the launcher makes them in a sandbox.
 * Invariants: what an archive announces is held against the bounds before anything is unpacked, and what it holds against what it announced; a link
 * becomes a plain file that holds its target's name.
 */
import { buffer } from 'node:stream/consumers';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { SystemError } from '../../../shared/errors.ts';
import { FILES_MAX, type File } from '../../../shared/model/environment.ts';
import { EXTRACTED_KIB_MAX } from './judge0-settings.ts';

const BYTES_MAX = EXTRACTED_KIB_MAX * 1024;

function refuse(detail: string): SystemError {
  return new SystemError('request-invalid', detail, { errors: [{ pointer: '/additional_files', detail }] });
}

/** The files of an archive; SystemError `request-invalid` when it is none, or holds too much. */
export async function unpackFiles(archive: Buffer): Promise<File[]> {
  try {
    const zip = await fromBufferPromise(archive, { lazyEntries: true, autoClose: false });
    const entries: Entry[] = [];
    let bytes = 0;
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/')) continue;
      entries.push(entry);
      bytes += entry.uncompressedSize;
      if (entries.length >= FILES_MAX) throw refuse(`holds more than ${FILES_MAX - 1} files`);
      if (bytes > BYTES_MAX) throw refuse(`is larger than ${EXTRACTED_KIB_MAX} KiB once it is unpacked`);
    }
    const files = new Map<string, File>();
    for (const entry of entries) {
      const file = await unpack(zip, entry);
      // The first of two of one name stays, as where files are not overwritten.
      if (!files.has(file.path)) files.set(file.path, file);
    }
    return [...files.values()];
  } catch (error) {
    if (error instanceof SystemError) throw error;
    throw refuse(`is no zip that can be unpacked: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Archives seldom say what may be executed: all of it may. */
async function unpack(zip: ZipFile, entry: Entry): Promise<File> {
  if (entry.isEncrypted()) throw refuse(`holds ${entry.fileName}, which is encrypted`);
  const content = await buffer(await zip.openReadStreamPromise(entry));
  const path = entry.fileName.replace(/^(\.\/)+/, '');
  return { path, content: content.toString('base64'), encoding: 'base64', executable: true };
}
