/**
 * Owns bodies on their way into the files' store: written into a file without a name while their digest is made, so that they are known before they
 * are stored. Never holds more than a few chunks in memory. Invariant: one that was interrupted or is too large leaves nothing.
 */
import type { FileHandle } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, DigestingStream } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { streamFile, writeStream } from '../../shared/storage/file-streams.ts';
import { sweepIncoming } from '../../shared/storage/incoming-folder.ts';
import { createUnnamedFile } from '../../shared/storage/unnamed-file.ts';

/** A body that is here as a whole; `close` gives its space back and is idempotent. */
export interface SpooledBody {
  readonly bytes: number;
  readonly sha256: Digest;
  /** All its bytes; may be called again. */
  read(): Readable;
  close(): Promise<void>;
}

/** See the head of this file; its folder is touched with the first body. */
export class Spool {
  readonly #directory: string;
  #prepared: Promise<unknown> | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Takes a body in. SystemError `body-too-large`; `request-invalid` when it ends before its announced length, or its sender goes away;
   * `object-store-unavailable` when this disk can't hold it.
   */
  async take(
    body: Readable,
    { bytesMax, announced }: { bytesMax: number; announced: number | null },
  ): Promise<SpooledBody> {
    if (announced !== null && announced > bytesMax) throw tooLarge(bytesMax);
    let file: FileHandle | null = null;
    try {
      file = await this.#create();
      const { bytes, sha256 } = await receive(body, file, bytesMax);
      if (announced !== null && announced !== bytes)
        throw new SystemError('request-invalid', `the body has ${bytes} bytes; its content-length said ${announced}`);
      return toSpooled(file, bytes, sha256);
    } catch (error) {
      await file?.close();
      throw error instanceof SystemError ? error : unavailable(error);
    }
  }

  async #create(): Promise<FileHandle> {
    this.#prepared ??= mkdir(this.#directory, { recursive: true, mode: 0o700 })
      .then(() => sweepIncoming(this.#directory))
      .catch((error: unknown) => {
        this.#prepared = null;
        throw error;
      });
    await this.#prepared;
    return await createUnnamedFile(this.#directory);
  }
}

async function receive(body: Readable, file: FileHandle, bytesMax: number): Promise<{ bytes: number; sha256: Digest }> {
  const digesting = new DigestingStream(bytesMax);
  let isWritten = true;
  const write = (source: AsyncIterable<Uint8Array>) =>
    writeStream(file, source).catch((error: unknown) => {
      isWritten = false;
      throw error;
    });
  await pipeline(body, digesting, write).catch((error: unknown) => {
    if (error instanceof RangeError) throw tooLarge(bytesMax);
    // What the disk refuses ends the writing first; what ends the body ends the writing with it.
    if (!isWritten && body.errored === null && !body.destroyed) throw unavailable(error);
    const isDisk =
      error instanceof Error && 'code' in error && /^E(NOSPC|DQUOT|IO|FBIG|ROFS)$/.test(String(error.code));
    if (isDisk) throw unavailable(error);
    throw new SystemError('request-invalid', 'the body ended before it was whole; send it again', { cause: error });
  });
  return { bytes: digesting.bytes, sha256: digesting.digest() };
}

function toSpooled(file: FileHandle, bytes: number, sha256: Digest): SpooledBody {
  let closed: Promise<void> | null = null;
  return {
    bytes,
    sha256,
    read: () => streamFile(file),
    close: () => {
      closed ??= file.close();
      return closed;
    },
  };
}

function tooLarge(bytesMax: number): SystemError {
  return new SystemError('body-too-large', `a file has at most ${bytesMax} bytes; send less, or raise fileBytesMax`);
}

function unavailable(cause: unknown): SystemError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new SystemError('object-store-unavailable', `a file could not be taken in: ${said}`, { cause });
}
