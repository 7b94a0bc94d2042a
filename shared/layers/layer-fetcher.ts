/**
 * Owns getting a layer's compressed blob from its URL into an unnamed file of this process, checked while it streams.
 * Never unpacks, never keeps a blob beyond its use, never holds more than a few chunks in memory, never follows a redirect.
 * Invariant: a FetchedBlob has exactly the bytes whose size and digest the signed manifest states; nobody else can open it.
 */
import { type FileHandle, mkdir } from 'node:fs/promises';
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { rootCertificates } from 'node:tls';
import { type Digest, DigestingStream } from '../digest.ts';
import { isOfDisk, SystemError } from '../errors.ts';
import type { LayerManifest } from '../model/manifest.ts';
import { streamFile, writeStream } from '../storage/file-streams.ts';
import { sweepIncoming } from '../storage/incoming-folder.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createUnnamedFile } from '../storage/unnamed-file.ts';
import { downloadDirectly } from './direct-download.ts';
import { blobKey } from './layer-manifest.ts';

/** What a manifest says about a blob. */
export type BlobDescription = LayerManifest['blob'];

/** A checked blob; `close` gives its disk space back and is idempotent. */
export interface FetchedBlob {
  readonly bytes: number;
  /** All its bytes from the start; may be called again. */
  read(): Readable;
  close(): Promise<void>;
}

/** Settings of a fetcher. */
export interface LayerFetcherOptions {
  /** Folder of this process for blobs on their way; made when missing. */
  readonly directory: string;
  /** For references whose URL is `store:`; such a URL is refused without it. */
  readonly store?: Pick<ObjectStore, 'get'>;
  /** PEM certificates of an authority that is believed besides the usual ones. */
  readonly ca?: string | undefined;
  /** A download in which nothing moves for so long is given up. */
  readonly stallTimeoutMs?: number;
}

const STALL_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 16;
/** What is smaller costs more by the connection than by its bytes. */
const DIRECT_BYTES_MIN = 256 * 1024;

/** Fetches blobs; its folder is touched at the first fetch. By node:http, which is loaded anyway: undici costs an agent 20 MB of memory. */
export class LayerFetcher {
  readonly #options: LayerFetcherOptions;
  readonly #stallTimeoutMs: number;
  readonly #plain = new HttpAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  readonly #encrypted: HttpsAgent;
  readonly #closing = new AbortController();
  #prepared: Promise<unknown> | null = null;

  constructor(options: LayerFetcherOptions) {
    this.#options = options;
    this.#stallTimeoutMs = options.stallTimeoutMs ?? STALL_TIMEOUT_MS;
    const { ca } = options;
    const trusting = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    this.#encrypted = new HttpsAgent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, ...trusting });
  }

  /** The blob, checked; `received` hears how many bytes have come. SystemError `layer-corrupt` when it is another one, `object-store-unavailable` when it can't be had, `sandbox-failed` when there is no room for it here. */
  async fetch(
    url: string,
    blob: BlobDescription,
    received: (bytes: number) => void = () => undefined,
  ): Promise<FetchedBlob> {
    await this.#prepare();
    let file: FileHandle | null = null;
    try {
      this.#closing.signal.throwIfAborted();
      file = await createUnnamedFile(this.#options.directory);
      const isDirect = /^http:\/\/[^@]*$/.test(url) && blob.bytes >= DIRECT_BYTES_MIN;
      if (!isDirect || !(await this.#fetchDirectly(url, blob, file, received))) {
        await this.#fetchStream(url, blob, file, received);
      }
      return toBlob(file, blob.bytes);
    } catch (error) {
      await file?.close();
      throw unavailable(error, `fetching ${blob.digest} from ${originOf(url)}`);
    }
  }

  /** False when the answer is none for this way: then nothing was written, and the other way says what is wrong with it. */
  async #fetchDirectly(
    url: string,
    blob: BlobDescription,
    file: FileHandle,
    received: (bytes: number) => void,
  ): Promise<boolean> {
    const options = { stallTimeoutMs: this.#stallTimeoutMs, signal: this.#closing.signal, received };
    const outcome = await downloadDirectly(url, blob.bytes, file, options);
    if (outcome === 'other') return false;
    if (outcome.digest !== blob.digest) throw mismatch(url, blob, `has ${blob.bytes} bytes with ${outcome.digest}`);
    return true;
  }

  async #fetchStream(
    url: string,
    blob: BlobDescription,
    file: FileHandle,
    received: (bytes: number) => void,
  ): Promise<void> {
    const body = await this.#open(url, blob);
    try {
      await receive(body, file, blob, url, received);
    } finally {
      body.destroy();
    }
  }

  /** Closes idle connections; running downloads fail, and so does what is asked for from now on. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#plain.destroy();
    this.#encrypted.destroy();
  }

  async #open(url: string, blob: BlobDescription): Promise<Readable> {
    if (url.startsWith('store:')) return await this.#openStored(blob);
    if (!/^https?:\/\//.test(url)) {
      throw new SystemError('layer-corrupt', `${originOf(url)} is no address that a layer can be fetched from`);
    }
    const answer = await this.#get(url).catch((error: unknown) => {
      throw unavailable(error, `fetching ${blob.digest} from ${originOf(url)}`);
    });
    const announced = answer.headers['content-length'];
    if (answer.statusCode === 200 && (announced === undefined || Number(announced) === blob.bytes)) return answer;
    answer.on('error', () => undefined).destroy();
    if (answer.statusCode === 200) throw mismatch(url, blob, `announced ${announced} bytes`);
    throw new SystemError(
      'object-store-unavailable',
      `fetching ${blob.digest} from ${originOf(url)} was answered ${answer.statusCode}`,
    );
  }

  /** The answer's head; a connection on which nothing moves for too long is an error of the request or, later, of the body. */
  #get(url: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const isPlain = url.startsWith('http:');
      const request = isPlain ? httpGet(url, { agent: this.#plain }) : httpsGet(url, { agent: this.#encrypted });
      const stalled = () => new Error(`nothing came for ${this.#stallTimeoutMs} ms`);
      request.once('error', reject);
      request.once('response', (answer) => {
        request.setTimeout(0);
        answer.setTimeout(this.#stallTimeoutMs, () => answer.destroy(stalled()));
        resolve(answer);
      });
      request.setTimeout(this.#stallTimeoutMs, () => request.destroy(stalled()));
    });
  }

  async #openStored(blob: BlobDescription): Promise<Readable> {
    const content = await this.#options.store?.get(blobKey(blob.digest));
    if (content === undefined || content === null) {
      const reason = content === null ? 'the store has no such object' : 'this process has no store';
      throw new SystemError('object-store-unavailable', `reading ${blob.digest}: ${reason}`);
    }
    if (content.bytes === blob.bytes) return content.body;
    content.body.on('error', () => undefined).destroy();
    throw mismatch('store:', blob, `has ${content.bytes} bytes`);
  }

  #prepare(): Promise<unknown> {
    this.#prepared ??= mkdir(this.#options.directory, { recursive: true, mode: 0o700 })
      .then(() => sweepIncoming(this.#options.directory))
      .catch((error) => {
        this.#prepared = null;
        throw unavailable(error, `preparing ${this.#options.directory}`);
      });
    return this.#prepared;
  }
}

async function receive(
  body: Readable,
  file: FileHandle,
  blob: BlobDescription,
  url: string,
  received: (bytes: number) => void,
): Promise<void> {
  const digesting = new DigestingStream(blob.bytes);
  const write = (source: AsyncIterable<Uint8Array>) => writeStream(file, counted(source, received));
  await pipeline(body, digesting, write).catch((error) => {
    if (error instanceof RangeError) throw mismatch(url, blob, `has more than ${blob.bytes} bytes`);
    throw error;
  });
  const digest: Digest = digesting.digest();
  if (digesting.bytes !== blob.bytes || digest !== blob.digest) {
    throw mismatch(url, blob, `has ${digesting.bytes} bytes with ${digest}`);
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  received: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    yield chunk;
    received(bytes);
  }
}

function toBlob(file: FileHandle, bytes: number): FetchedBlob {
  let closed: Promise<void> | null = null;
  return {
    bytes,
    read: () => streamFile(file),
    close: () => {
      closed ??= file.close();
      return closed;
    },
  };
}

function mismatch(url: string, blob: BlobDescription, found: string): SystemError {
  return new SystemError(
    'layer-corrupt',
    `the blob from ${originOf(url)} ${found}; signed were ${blob.bytes} bytes with ${blob.digest}`,
  );
}

/** Where a URL points, without what a signed or tokened one must not show in a log. */
function originOf(url: string): string {
  return URL.parse(url)?.host || url.split(/[/?]/, 1)[0]?.slice(0, 40) || 'nowhere';
}

function unavailable(error: unknown, attempt: string): SystemError {
  if (error instanceof SystemError) return error;
  const reason = error instanceof Error ? error.message || error.name : String(error);
  if (isOfDisk(error)) {
    return new SystemError('sandbox-failed', `${attempt} to this machine's disk failed: ${reason}`, { cause: error });
  }
  return new SystemError('object-store-unavailable', `${attempt} failed: ${reason}`, { cause: error });
}
