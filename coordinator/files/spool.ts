/**
 * Owns bodies on their way into the files' store: written into a file without a name while their digest is made, so that they are known before they
 * are stored. Never holds more than a few chunks in memory.
 * Invariants: one that was interrupted or is too large leaves nothing; all together never have more than their bound on this disk, on which the state is,
 * and those of one tenant no more than half of it.
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

/** Whose a body is, how large it may be, and what its sender says that it has. */
export interface BodyTerms {
  readonly tenantId: string;
  readonly bytesMax: number;
  readonly announced: number | null;
}

const RETRY_SECONDS = 2;

/** See the head of this file; its folder is touched with the first body. */
export class Spool {
  readonly #directory: string;
  readonly #bytesMax: number;
  /** What may come of each tenant. */
  readonly #coming = new Map<string, number>();
  #prepared: Promise<unknown> | null = null;

  constructor(directory: string, { uploadBytesMax }: { readonly uploadBytesMax: number }) {
    this.#directory = directory;
    this.#bytesMax = uploadBytesMax;
  }

  /**
   * Takes a body in. SystemError `body-too-large`; `rate-exceeded` when too much is on its way; `request-invalid` when it ends before its announced length,
   * or its sender goes away; `object-store-unavailable` when this disk can't hold it.
   */
  async take(body: Readable, { tenantId, bytesMax, announced }: BodyTerms): Promise<SpooledBody> {
    if (announced !== null && announced > bytesMax) throw tooLarge(bytesMax);
    const leave = this.#enter(tenantId, announced ?? bytesMax);
    let file: FileHandle | null = null;
    try {
      file = await this.#create();
      const { bytes, sha256 } = await receive(body, file, bytesMax);
      if (announced !== null && announced !== bytes)
        throw new SystemError('request-invalid', `the body has ${bytes} bytes; its content-length said ${announced}`);
      return toSpooled(file, bytes, sha256, leave);
    } catch (error) {
      leave();
      await file?.close();
      throw error instanceof SystemError ? error : unavailable(error);
    }
  }

  /** Room for a body, until the answer is called. One alone is always let in. */
  #enter(tenantId: string, bytes: number): () => void {
    let all = 0;
    for (const coming of this.#coming.values()) all += coming;
    const own = this.#coming.get(tenantId) ?? 0;
    const isFull = all > 0 && all + bytes > this.#bytesMax;
    if (isFull || (own > 0 && own + bytes > this.#bytesMax / 2)) {
      const detail = `files of ${own} bytes of this tenant are on their way, ${all} of all; send this one when they are there`;
      throw new SystemError('rate-exceeded', detail, { retryAfterSeconds: RETRY_SECONDS });
    }
    this.#coming.set(tenantId, own + bytes);
    return () => {
      const left = (this.#coming.get(tenantId) ?? 0) - bytes;
      if (left > 0) this.#coming.set(tenantId, left);
      else this.#coming.delete(tenantId);
    };
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

function toSpooled(file: FileHandle, bytes: number, sha256: Digest, leave: () => void): SpooledBody {
  let closed: Promise<void> | null = null;
  return {
    bytes,
    sha256,
    read: () => streamFile(file),
    close: () => {
      closed ??= file.close().finally(leave);
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
