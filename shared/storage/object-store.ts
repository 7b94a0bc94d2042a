/**
 * Owns the port of the central cache: write-once objects under validated keys, read and written as streams.
 * Never says what an object means, and never trusts that one still is what was put: readers check digest and signature.
 * Invariants: a visible object is complete, and `put` never replaces one; both hold across kill -9 and among any number of
 * writers. Callers see to it that no key is a folder of another (`a` beside `a/b`): stores differ in what they make of it. One suite (test/contract/object-store.test.ts) holds every implementation to this.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Digest, digestOf } from '../digest.ts';
import { SystemError } from '../errors.ts';

/** What a writer announces; a source that is anything else is refused and leaves nothing behind. */
export interface ObjectDescription {
  readonly bytes: number;
  readonly sha256: Digest;
}

/** An object being read: its size, and its bytes or those of the range, which the caller must consume or destroy. */
export interface ObjectContent {
  readonly bytes: number;
  readonly body: Readable;
}

/** A part of an object, both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a store knows about an object without reading it; `storedAtMs` is the store's wall-clock time, exact to the second. */
export interface ObjectHead {
  readonly bytes: number;
  readonly storedAtMs: number;
}

/** One line of a listing. */
export interface ObjectEntry extends ObjectHead {
  readonly key: string;
}

/** Did this put make the object, or was there one before? */
export type PutOutcome = 'stored' | 'exists';

/**
 * The central cache. Every method throws TypeError for a malformed key and SystemError `object-store-unavailable` when the
 * store can't do what was asked; a body that has been handed out fails with whatever broke it.
 */
export interface ObjectStore {
  /** The object, or null when there is none; of a range, which must lie within it, the bytes of that alone. */
  get(key: string, range?: ByteRange): Promise<ObjectContent | null>;
  /**
   * Stores an object unless there is one; the source is consumed or destroyed whatever the outcome. SystemError
   * `layer-corrupt` when the source is not as described. `exists` says nothing about what the present object holds.
   */
  put(key: string, source: Readable | Uint8Array, description: ObjectDescription): Promise<PutOutcome>;
  /** Size and age, or null when there is none. */
  head(key: string): Promise<ObjectHead | null>;
  /** Every object whose key starts with `prefix` (plain text, may end within a name; '' is all), ordered by key. */
  list(prefix: string): AsyncIterable<ObjectEntry>;
  /** Removes an object for good; it is no error when there is none. For purging and garbage collection only. */
  delete(key: string): Promise<void>;
  /** A URL that serves this object to whoever holds it, for that long; null when the store has no URLs of its own. */
  presignGet(key: string, expiresSeconds: number): string | null;
}

const KEY_LENGTH_MAX = 512;
const SEGMENT_LENGTH_MAX = 200;
const segmentPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Throws TypeError unless `key` is segments of plain ASCII joined by '/', none starting with a dot; returns the key. */
export function checkKey(key: string): string {
  const isValid =
    key.length <= KEY_LENGTH_MAX &&
    key.split('/').every((segment) => segment.length <= SEGMENT_LENGTH_MAX && segmentPattern.test(segment));
  if (!isValid) throw new TypeError(`${JSON.stringify(key)} can't be an object's key`);
  return key;
}

/** Throws TypeError unless `prefix` is the beginning of some valid key; returns the prefix. */
export function checkPrefix(prefix: string): string {
  if (prefix !== '') checkKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
  return prefix;
}

/** Bytes as a stream whose failure, however early, waits for whoever reads it instead of ending the process. */
export function toBody(source: Readable | Uint8Array): Readable {
  // An empty chunk would stall a byte stream for ever.
  const body =
    source instanceof Readable ? source : Readable.from(source.length > 0 ? [source] : [], { objectMode: false });
  return body.on('error', () => undefined);
}

/** The description of bytes that are at hand. */
export function describeBytes(data: Uint8Array): ObjectDescription {
  return { bytes: data.length, sha256: digestOf(data) };
}

/** A small object as a whole, or null; SystemError `layer-corrupt` when it is larger than `bytesMax`. */
export async function readObject(store: ObjectStore, key: string, bytesMax: number): Promise<Uint8Array | null> {
  const content = await store.get(key);
  if (content === null) return null;
  if (content.bytes > bytesMax) {
    content.body.destroy();
    throw new SystemError(
      'layer-corrupt',
      `object ${key} has ${content.bytes} bytes; at most ${bytesMax} were expected`,
    );
  }
  return await buffer(content.body);
}
