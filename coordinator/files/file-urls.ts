/**
 * Owns where agents get a file's bytes: the store's own presigned URL, or a URL of this coordinator with a token of ours. The URL is the permission, for a
 * while, and names an object, not a file of a tenant. Never reads one.
 */

import type { Clock } from '../../shared/clock.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { isSealOf, sealOf } from '../text-seal.ts';

/** Path below which this coordinator serves files to agents. */
export const FILES_PATH = '/internal/files';

const tokenPattern = /^([0-9a-z]{1,40}\/[0-9a-z]{1,80})\.(\d{1,12})$/;

/** Makes URLs and checks the tokens in our own. */
export class FileUrls {
  readonly #clock: Clock;
  readonly #objects: Pick<ObjectStore, 'presignGet'>;
  readonly #key: Uint8Array;
  readonly #ttlSeconds: number;
  #origin = '';

  constructor(
    deps: { clock: Clock; objects: Pick<ObjectStore, 'presignGet'>; key: Uint8Array },
    options: { ttlSeconds: number },
  ) {
    this.#clock = deps.clock;
    this.#objects = deps.objects;
    this.#key = deps.key;
    this.#ttlSeconds = options.ttlSeconds;
  }

  /** Under which URL this coordinator is reached; known only once it listens. */
  get origin(): string {
    return this.#origin;
  }

  serveFrom(origin: string): void {
    this.#origin = origin.replace(/\/$/, '');
  }

  /** A URL of the object. */
  urlOf(objectKey: string): string {
    const stored = this.#objects.presignGet(objectKey, this.#ttlSeconds);
    if (stored !== null) return stored;
    const text = `${objectKey}.${Math.ceil(this.#clock.nowMs() / 1000) + this.#ttlSeconds}`;
    const token = `${Buffer.from(text).toString('base64url')}.${sealOf(this.#key, `get ${text}`)}`;
    return `${this.#origin}${FILES_PATH}/${token}`;
  }

  /** The object that a token of ours stands for, or null when it is not ours or too old. */
  objectOf(token: string): string | null {
    const [encoded = '', signature = ''] = token.split('.');
    const text = Buffer.from(encoded, 'base64url').toString();
    if (!isSealOf(signature, this.#key, `get ${text}`)) return null;
    const [, objectKey = null, expiry] = tokenPattern.exec(text) ?? [];
    return Number(expiry) * 1000 > this.#clock.nowMs() ? objectKey : null;
  }
}
