/**
 * Owns reading and writing an open file as a stream without taking the file over.
 * Node's own handle.createReadStream either closes the handle at its end or keeps it from ever being closed; these do neither.
 */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

const CHUNK_BYTES = 256 * 1024;

/** All bytes of the file from its start; independent of any other stream on it. */
export function streamFile(file: FileHandle): Readable {
  return Readable.from(readAll(file), { objectMode: false });
}

/** Appends chunks from the file's start on, each written whole before the next is asked for; backpressure comes with that. */
export async function writeStream(file: FileHandle, source: AsyncIterable<Uint8Array>): Promise<void> {
  let position = 0;
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length; ) {
      const { bytesWritten } = await file.write(chunk, offset, chunk.length - offset, position);
      offset += bytesWritten;
      position += bytesWritten;
    }
  }
}

async function* readAll(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
