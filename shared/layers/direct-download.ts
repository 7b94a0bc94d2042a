/**
 * Owns getting a large body by plain http:// straight from the socket into a file: read into a few buffers that are used again and again, hashed
 * where they lie, written from there (decision 20).
 * Never interprets more of HTTP than one answer of a known length needs; any other answer is left to the ordinary client.
 * Invariants: a buffer is filled again only after it was written; what is resolved has exactly the announced bytes in the file; nothing is held
 * but the buffers, however large the body is.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { Digest } from '../digest.ts';
import { writeChunks } from '../storage/file-streams.ts';

/** Settings of a download. */
export interface DirectDownloadOptions {
  /** How long nothing may move; milliseconds. */
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Hears how many bytes have come. */
  readonly received: (bytes: number) => void;
}

/** What came of it; `other`: the answer is none for this way, and nothing was written. */
export type DirectOutcome = { readonly digest: Digest } | 'other';

/** Hashing one holds the event loop up for about a quarter of a millisecond. */
const BUFFER_BYTES = 256 * 1024;
const BUFFERS = 8;
const HEAD_BYTES_MAX = 16 * 1024;

/** Gets `bytes` bytes of a http:// URL; rejects when the connection fails, stalls or ends before them. */
export async function downloadDirectly(
  url: string,
  bytes: number,
  file: FileHandle,
  options: DirectDownloadOptions,
): Promise<DirectOutcome> {
  return await new DirectDownload(new URL(url), bytes, file, options).outcome;
}

class DirectDownload {
  readonly outcome: Promise<DirectOutcome>;
  readonly #bytes: number;
  readonly #file: FileHandle;
  readonly #received: (bytes: number) => void;
  readonly #socket: Socket;
  readonly #free: Buffer<ArrayBuffer>[] = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafe(BUFFER_BYTES));
  readonly #hash = createHash('sha256');
  readonly #ending = Promise.withResolvers<DirectOutcome>();
  /** Null when the head is over. */
  #head: Buffer | null = Buffer.alloc(0);
  #got = 0;
  #done = 0;
  #writing = 0;
  #isPaused = false;
  #isOver = false;

  constructor(url: URL, bytes: number, file: FileHandle, { stallTimeoutMs, signal, received }: DirectDownloadOptions) {
    this.#bytes = bytes;
    this.#file = file;
    this.#received = received;
    const { hostname, port, pathname, search, host } = url;
    this.#socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? 80 : Number(port),
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (count, buffer) => this.#take(buffer as Buffer<ArrayBuffer>, count),
      },
    });
    const fail = (error: Error) => this.#end(error);
    const stop = () => fail(new Error('the fetcher was closed'));
    signal.addEventListener('abort', stop, { once: true });
    this.#socket.on('error', fail);
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#ended());
    this.#socket.setTimeout(stallTimeoutMs, () => fail(new Error(`nothing came for ${stallTimeoutMs} ms`)));
    const head = `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
    this.#socket.write(head);
    this.outcome = this.#ending.promise.finally(() => {
      signal.removeEventListener('abort', stop);
      this.#socket.destroy();
    });
    if (signal.aborted) stop();
  }

  /** Reading stops while the last one waits for its turn; but each address that is dialled takes one, be it reached or not. */
  #nextBuffer(): Buffer<ArrayBuffer> {
    return this.#free.pop() ?? Buffer.allocUnsafe(BUFFER_BYTES);
  }

  /** Takes what was read into a buffer; false: nothing more for now. */
  #take(buffer: Buffer<ArrayBuffer>, count: number): boolean {
    if (this.#isOver) return false;
    let body: Buffer = buffer.subarray(0, count);
    if (this.#head !== null) {
      const rest = this.#takeHead(body);
      if (rest === null) {
        this.#free.push(buffer);
        return !this.#isOver;
      }
      body = rest;
    }
    // What comes after the announced end is not of this answer.
    body = body.subarray(0, this.#bytes - this.#got);
    this.#write(buffer, body);
    this.#isPaused = this.#free.length <= 1 && !this.#isComplete;
    return !this.#isPaused && !this.#isComplete;
  }

  get #isComplete(): boolean {
    return this.#got === this.#bytes;
  }

  /** What of the head's last piece is body; null while the head goes on, or when the answer is none for this way. */
  #takeHead(piece: Buffer): Buffer | null {
    const head = Buffer.concat([this.#head ?? Buffer.alloc(0), piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length <= HEAD_BYTES_MAX) {
      this.#head = head;
      return null;
    }
    if (end === -1 || end > HEAD_BYTES_MAX || !isPlainAnswer(head.toString('latin1', 0, end), this.#bytes)) {
      this.#resolve('other');
      return null;
    }
    this.#head = null;
    return piece.subarray(piece.length - (head.length - end - 4));
  }

  #write(buffer: Buffer<ArrayBuffer>, body: Buffer): void {
    const start = this.#got;
    this.#got += body.length;
    this.#hash.update(body);
    this.#writing += 1;
    writeChunks(this.#file, [body], start).then(
      () => this.#written(buffer, body.length),
      (error: Error) => this.#end(error),
    );
  }

  #written(buffer: Buffer<ArrayBuffer>, bytes: number): void {
    this.#writing -= 1;
    this.#done += bytes;
    this.#free.push(buffer);
    if (this.#isOver) return;
    this.#received(this.#done);
    if (this.#isComplete && this.#writing === 0) this.#resolve({ digest: `sha256:${this.#hash.digest('hex')}` });
    else if (this.#isPaused) {
      this.#isPaused = false;
      this.#socket.resume();
    }
  }

  #ended(): void {
    if (this.#isComplete) return;
    this.#end(new Error(`the connection ended after ${this.#got} of ${this.#bytes} bytes`));
  }

  #resolve(outcome: DirectOutcome): void {
    this.#isOver = true;
    this.#ending.resolve(outcome);
  }

  #end(error: Error): void {
    this.#isOver = true;
    this.#ending.reject(error);
  }
}

/** Is it 200 with a body of just this length, as it is? Anything else is for whoever knows all of HTTP. */
function isPlainAnswer(head: string, bytes: number): boolean {
  const [status = '', ...lines] = head.split('\r\n');
  if (!/^HTTP\/1\.1 200(?: |$)/.test(status)) return false;
  let lengths = 0;
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) return false;
    const field = name.toLowerCase();
    if (field === 'transfer-encoding' || (field === 'content-encoding' && value !== 'identity')) return false;
    if (field !== 'content-length') continue;
    if (value !== String(bytes)) return false;
    lengths += 1;
  }
  return lengths === 1;
}
