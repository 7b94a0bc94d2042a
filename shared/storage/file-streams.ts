/**
 * Owns reading and writing an open file as a stream without taking the file over.
 * Node's own handle.createReadStream either closes the handle at its end or keeps it from ever being closed; these do neither.
 */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

const CHUNK_BYTES = 256 * 1024;
const GATHERED_BYTES = 1024 * 1024;
/** The kernel takes 1,024 parts in one call. */
const GATHERED_CHUNKS = 256;

/** All bytes of the file from its start; independent of any other stream on it. */
export function streamFile(file: FileHandle): Readable {
  return Readable.from(readAll(file), { objectMode: false });
}

/**
 * Appends chunks from the file's start on, gathered into large writes of which one is under way while the next is gathered: a write for each
 * chunk as it comes from a socket would wait for a thread ten thousand times in a gigabyte. Backpressure comes with that; at most two
 * gatherings are held.
 */
export async function writeStream(file: FileHandle, source: AsyncIterable<Uint8Array>): Promise<void> {
  let position = 0;
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const chunks = gathered;
    const start = position;
    position += bytes;
    gathered = [];
    bytes = 0;
    await writing;
    writing = writeChunks(file, chunks, start);
    // Whoever flushes next hears of it; until then it is no unhandled rejection.
    writing.catch(() => undefined);
  };
  for await (const chunk of source) {
    gathered.push(chunk);
    bytes += chunk.length;
    if (bytes >= GATHERED_BYTES || gathered.length >= GATHERED_CHUNKS) await flush();
  }
  await flush();
  await writing;
}

/** Writes chunks one behind the other from `start` on, each whole. */
export async function writeChunks(file: FileHandle, chunks: Uint8Array[], start: number): Promise<void> {
  let left = chunks;
  for (let position = start; left.length > 0; ) {
    const { bytesWritten } = await file.writev(left, position);
    position += bytesWritten;
    left = skip(left, bytesWritten);
  }
}

/** What is left of chunks of which so many bytes are written; a full disk may take a part. */
function skip(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  let skipped = 0;
  for (const [index, chunk] of chunks.entries()) {
    if (skipped + chunk.length > count) return [chunk.subarray(count - skipped), ...chunks.slice(index + 1)];
    skipped += chunk.length;
  }
  return [];
}

async function* readAll(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
