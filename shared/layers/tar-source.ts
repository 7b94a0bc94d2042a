/**
 * Owns the tar in a blob as a stream for somebody who stores it: decompressed, counted and hashed on its way.
 * Never throws into its reader: whatever is wrong ends the stream early and calls `abandon`; the checks afterwards say what it was.
 * Invariant: `checkAll` passes only when the whole tar passed and was the signed one.
 */
import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { SystemError } from '../errors.ts';
import type { LayerManifest } from '../model/manifest.ts';
import type { FetchedBlob } from './layer-fetcher.ts';

/** What is known of a tar before it is read. */
export type SignedTar = Pick<LayerManifest, 'tar'>;

/** A blob's bytes from their start, as often as asked for. */
export type BlobSource = Pick<FetchedBlob, 'read'>;

/** 128 MiB: a frame that asks for a larger window is refused before it costs memory. */
const WINDOW_LOG_MAX = 27;
/** Node's own 16 KiB make a gigabyte sixty thousand turns of its loop. */
const CHUNK_BYTES = 256 * 1024;

/** One reading of one tar. */
export class TarSource {
  readonly #blob: BlobSource;
  readonly #signed: SignedTar['tar'];
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #digest: string | null = null;
  #problem: Error | null = null;

  constructor(blob: BlobSource, { tar }: SignedTar) {
    this.#blob = blob;
    this.#signed = tar;
  }

  /** The tar's bytes; `watch` sees each chunk first and may throw, `append` makes what follows the last one when all of it was right. */
  async *chunks(
    abandon: () => void,
    watch: (chunk: Uint8Array) => void = () => undefined,
    append: () => Uint8Array | null = () => null,
  ): AsyncGenerator<Uint8Array> {
    const blob = this.#blob.read();
    const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX };
    const zstd: Transform = createZstdDecompress({ params, chunkSize: CHUNK_BYTES });
    blob.on('error', (error) => zstd.destroy(error));
    blob.pipe(zstd);
    try {
      for await (const chunk of zstd as AsyncIterable<Buffer>) {
        this.#bytes += chunk.length;
        if (this.#bytes > this.#signed.bytes) throw new RangeError(`it is longer than ${this.#signed.bytes} bytes`);
        this.#hash.update(chunk);
        watch(chunk);
        yield chunk;
      }
      this.#digest = `sha256:${this.#hash.digest('hex')}`;
      this.checkAll();
      const tail = append();
      if (tail !== null) yield tail;
    } catch (error) {
      this.#problem = error instanceof Error ? error : new Error(String(error));
      abandon();
    } finally {
      blob.destroy();
      zstd.destroy();
    }
  }

  /** Throws SystemError `layer-corrupt` when the blob could not be decompressed, or to something else than was signed. */
  checkWhatPassed(): void {
    if (this.#problem instanceof SystemError) throw this.#problem;
    if (this.#problem !== null) throw this.#corrupt(`can't be read: ${this.#problem.message}`);
  }

  /** Throws SystemError `layer-corrupt` unless the whole tar passed and was the signed one. */
  checkAll(): void {
    if (this.#digest === null) throw this.#corrupt('ends before its last byte: nobody read on');
    if (this.#bytes !== this.#signed.bytes || this.#digest !== this.#signed.digest) {
      throw this.#corrupt(`has ${this.#bytes} bytes with ${this.#digest}`);
    }
  }

  #corrupt(found: string): SystemError {
    const { bytes, digest } = this.#signed;
    return new SystemError('layer-corrupt', `the tar ${found}; signed were ${bytes} bytes with ${digest}`);
  }
}
