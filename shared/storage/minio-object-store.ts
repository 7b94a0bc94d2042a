/**
 * Owns the object store in a bucket of MinIO (or of a store with the same API); the only importer of `minio`.
 * Bytes travel through URLs signed per object and undici's streams, never through the library (which would hold a whole
 * object in memory, and sign uploads too loosely). Never hands out a URL signed with other than the reader's credentials: a
 * URL shows its signer's access key, and a reader may only GET. Writing, listing and deleting need credentials of their own.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Client } from 'minio';
import { type Clock, systemClock } from '../clock.ts';
import { digestHex } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { Agent, type Dispatcher, request } from '../undici.ts';
import {
  type ByteRange,
  checkKey,
  checkPrefix,
  type ObjectContent,
  type ObjectDescription,
  type ObjectEntry,
  type ObjectHead,
  type ObjectStore,
  type PutOutcome,
  toBody,
} from './object-store.ts';
import { presignUrl, type StoreCredentials } from './request-signature.ts';

/** Where the bucket is and on whose behalf it is used; a process is given only the credentials that it needs. */
export interface MinioObjectStoreOptions {
  /** As this process reaches it: `http://127.0.0.1:9000`. */
  readonly endpoint: string;
  /** As agents reach it, for presigned URLs; `endpoint` by default. */
  readonly publicEndpoint?: string;
  readonly bucket: string;
  readonly region: string;
  /** May get objects, and nothing else. */
  readonly reader: StoreCredentials;
  /** May put objects: the verifier's. */
  readonly writer?: StoreCredentials;
  /** May list, and delete versions: the operator's. */
  readonly purger?: StoreCredentials;
  readonly clock?: Pick<Clock, 'nowMs'>;
}

/** How long our own requests' signatures last; only their beginning has to fall into it. */
const SIGNATURE_SECONDS = 300;
const CONNECTIONS_MAX = 64;
/** What the store says when the bytes were not as announced. */
const mismatchCodes: readonly string[] = ['XAmzContentChecksumMismatch', 'BadDigest', 'IncompleteBody'];

interface ListedVersion {
  readonly name?: string;
  readonly size: number;
  readonly lastModified?: Date;
  readonly versionId?: string;
}

/** The object store in one bucket; connects at the first call. Objects are at most 5 GiB, S3's limit for one request. */
export class MinioObjectStore implements ObjectStore {
  readonly #options: MinioObjectStoreOptions;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #connections: Dispatcher;
  /** Of the library; Node's own would keep its connections after `close`. */
  readonly #transportAgent: HttpAgent;

  constructor(options: MinioObjectStoreOptions) {
    this.#options = options;
    const settings = { keepAlive: true };
    this.#transportAgent = options.endpoint.startsWith('https:') ? new HttpsAgent(settings) : new HttpAgent(settings);
    this.#clock = options.clock ?? systemClock;
    this.#connections = new Agent({ connections: CONNECTIONS_MAX });
  }

  async get(key: string, range?: ByteRange): Promise<ObjectContent | null> {
    const url = this.#presign(this.#options.reader, 'GET', key, {}, SIGNATURE_SECONDS);
    const headers = range === undefined ? {} : { headers: { range: `bytes=${range.start}-${range.end}` } };
    const answer = await this.#send(url, { method: 'GET', ...headers }, `reading ${key}`);
    if (answer.statusCode === (range === undefined ? 200 : 206))
      return { bytes: sizeOf(answer), body: toBody(answer.body) };
    const code = await codeOf(answer);
    if (code === 'NoSuchKey') return null;
    throw unavailable(`reading ${key} was answered ${answer.statusCode} ${code}`);
  }

  async put(key: string, source: Readable | Uint8Array, description: ObjectDescription): Promise<PutOutcome> {
    const body = toBody(source);
    try {
      const headers = {
        'content-length': String(description.bytes),
        'if-none-match': '*',
        'x-amz-checksum-sha256': Buffer.from(digestHex(description.sha256), 'hex').toString('base64'),
      };
      const url = this.#presign(this.#credentials('writer'), 'PUT', key, headers, SIGNATURE_SECONDS);
      // Asking first spares the upload; the condition on the upload is what decides.
      if ((await this.head(key)) !== null) return 'exists';
      return await this.#upload(key, url, headers, body);
    } finally {
      body.destroy();
    }
  }

  async head(key: string): Promise<ObjectHead | null> {
    checkKey(key);
    const client = this.#client(this.#options.reader);
    const found = await client.statObject(this.#options.bucket, key).catch((error: unknown) => {
      if (errorCodeOf(error) === 'NotFound' || errorCodeOf(error) === 'NoSuchKey') return null;
      throw unavailable(`looking at ${key} failed: ${errorCodeOf(error)}`, error);
    });
    return found && { bytes: found.size, storedAtMs: found.lastModified.getTime() };
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    const client = this.#client(this.#credentials('purger'));
    const listing = client.listObjectsV2(this.#options.bucket, prefix, true);
    for await (const { name, size, lastModified } of versionsOf(listing, `listing ${prefix}`)) {
      if (name !== undefined && lastModified !== undefined) {
        yield { key: name, bytes: size, storedAtMs: lastModified.getTime() };
      }
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    const { bucket } = this.#options;
    const client = this.#client(this.#credentials('purger'));
    // A plain delete would add a marker and keep the bytes; every version goes, the markers too.
    const listing = client.listObjects(bucket, key, true, { IncludeVersion: true });
    for await (const { name, versionId } of versionsOf(listing, `deleting ${key}`)) {
      if (name !== key) continue;
      await client
        .removeObject(bucket, key, { governanceBypass: true, ...(versionId === undefined ? {} : { versionId }) })
        .catch((error: unknown) => {
          throw unavailable(`deleting ${key} failed: ${errorCodeOf(error)}`, error);
        });
    }
  }

  presignGet(key: string, expiresSeconds: number): string {
    return this.#presign(this.#options.reader, 'GET', key, {}, expiresSeconds, this.#options.publicEndpoint);
  }

  /** Closes all connections; what is under way fails. Idempotent. */
  async close(): Promise<void> {
    this.#transportAgent.destroy();
    await this.#connections.destroy();
  }

  async #upload(key: string, url: string, headers: Record<string, string>, body: Readable): Promise<PutOutcome> {
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#send(url, { method: 'PUT', headers, body }, `storing ${key}`);
    } catch (error) {
      // The loser of a race may see its connection closed before it has read why.
      if (body.errored === null && (await this.head(key).catch(() => null)) !== null) return 'exists';
      throw error;
    }
    if (answer.statusCode === 200) {
      await answer.body.dump();
      return 'stored';
    }
    const code = await codeOf(answer);
    if (answer.statusCode === 412) return 'exists';
    if (mismatchCodes.includes(code)) {
      throw new SystemError(
        'layer-corrupt',
        `${key} was refused: its bytes are not those that were announced (${code})`,
      );
    }
    throw unavailable(`storing ${key} was answered ${answer.statusCode} ${code}`);
  }

  async #send(
    url: string,
    options: Pick<Dispatcher.RequestOptions, 'method' | 'body'> & { headers?: Record<string, string> },
    attempt: string,
  ): Promise<Dispatcher.ResponseData> {
    return await request(url, { ...options, dispatcher: this.#connections }).catch((error: unknown) => {
      if (errorCodeOf(error) === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
        throw new SystemError('layer-corrupt', `${attempt} failed: the source is not as long as announced`, {
          cause: error,
        });
      }
      throw unavailable(`${attempt} failed: ${error instanceof Error ? error.message : String(error)}`, error);
    });
  }

  #presign(
    credentials: StoreCredentials,
    method: string,
    key: string,
    headers: Record<string, string>,
    expiresSeconds: number,
    endpoint = this.#options.endpoint,
  ): string {
    const signer = { credentials, region: this.#options.region, nowMs: this.#clock.nowMs() };
    const url = new URL(`/${this.#options.bucket}/${checkKey(key)}`, endpoint);
    return presignUrl(signer, method, url, headers, expiresSeconds);
  }

  #credentials(role: 'writer' | 'purger'): StoreCredentials {
    const credentials = this.#options[role];
    if (credentials === undefined)
      throw unavailable(`this process has no ${role}'s credentials for ${this.#options.bucket}`);
    return credentials;
  }

  #client(credentials: StoreCredentials): Client {
    const { protocol, hostname, port } = new URL(this.#options.endpoint);
    return new Client({
      endPoint: hostname,
      ...(port === '' ? {} : { port: Number(port) }),
      useSSL: protocol === 'https:',
      region: this.#options.region,
      transportAgent: this.#transportAgent,
      ...credentials,
    });
  }
}

async function* versionsOf(listing: NodeJS.ReadableStream, attempt: string): AsyncGenerator<ListedVersion> {
  try {
    for await (const version of listing) yield version as unknown as ListedVersion;
  } catch (error) {
    throw unavailable(`${attempt} failed: ${errorCodeOf(error)}`, error);
  }
}

/** Of the whole object, also when a part of it is answered. */
function sizeOf({ headers }: Dispatcher.ResponseData): number {
  const whole = /\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1];
  return Number(whole ?? headers['content-length']);
}

async function codeOf(answer: Dispatcher.ResponseData): Promise<string> {
  return /<Code>(\w+)<\/Code>/.exec(await text(answer.body))?.[1] ?? 'without a reason';
}

function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function unavailable(detail: string, cause?: unknown): SystemError {
  return new SystemError('object-store-unavailable', detail, { cause });
}
