/**
 * Owns the temporary file in which the bodies of a raw tar wait until the entries are sorted.
 * Never leaves a name behind: the file is unlinked as soon as it is open, so that a killed builder leaks nothing.
 * Invariant: writes and reads are synchronous on purpose: they go to the page cache, and they slow a fast source down.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

const WRITE_BYTES = 1024 * 1024;

/** Where a body stands in the spool. */
export interface SpooledBody {
  readonly offset: number;
  readonly size: number;
}

/** Bodies one after the other; throws the file system's own error when the disk is full. */
export class BodySpool {
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafe(WRITE_BYTES);
  #buffered = 0;
  #end = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  /** Announces a body; exactly `size` bytes are to be appended next. */
  begin(size: number): SpooledBody {
    const body = { offset: this.#end, size };
    this.#end += size;
    return body;
  }

  append(chunk: Uint8Array): void {
    if (this.#buffered + chunk.length > WRITE_BYTES) this.flush();
    if (chunk.length >= WRITE_BYTES) {
      this.#write(chunk);
    } else {
      this.#buffer.set(chunk, this.#buffered);
      this.#buffered += chunk.length;
    }
  }

  /** Takes a whole body, to be read at once; for the time between two reads. */
  add(content: Uint8Array): SpooledBody {
    const body = this.begin(content.length);
    this.append(content);
    this.flush();
    return body;
  }

  /** To be called between the last append and the first read. */
  flush(): void {
    this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  /** Fills `target` from `position` of a body. */
  readInto(body: SpooledBody, position: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.#descriptor, target, done, target.length - done, body.offset + position + done);
      if (count === 0) throw new Error('the spool of a capture is shorter than what was written to it');
      done += count;
    }
  }

  /** A small body as a whole. */
  readWhole(body: SpooledBody): Buffer {
    const content = Buffer.alloc(body.size);
    this.readInto(body, 0, content);
    return content;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(data: Uint8Array): void {
    let done = 0;
    while (done < data.length) done += writeSync(this.#descriptor, data, done, data.length - done);
  }
}
