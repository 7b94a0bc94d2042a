/**
 * Owns sha256 digests: their text form, computing them over bytes and streams; canonical JSON, their usual text, comes along.
 * Never compares anything but whole digests.
 */
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { textPieces } from './text-pieces.ts';

export { type Canonical, canonicalJson } from './canonical-json.ts';

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;

/** A text is made bytes of in so long pieces, in code units: in memory that is there already. */
const HASHED_LENGTH = 65_536;

/** Digest of bytes or of UTF-8 text. */
export function digestOf(data: Uint8Array | string): Digest {
  const hash = createHash('sha256');
  if (typeof data === 'string') for (const piece of textPieces(data, HASHED_LENGTH)) hash.update(piece);
  else hash.update(data);
  return `sha256:${hash.digest('hex')}`;
}

/** Is `text` a well-formed digest? */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The 64 hex digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** A stream that passes bytes on and knows afterwards how many there were and their digest. */
export class DigestingStream extends Transform {
  readonly #hash = createHash('sha256');
  #bytes = 0;
  readonly #bytesMax: number;

  /** Fails with a RangeError on the first byte above `bytesMax`. */
  constructor(bytesMax = Number.MAX_SAFE_INTEGER) {
    super();
    this.#bytesMax = bytesMax;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: Error | null, data?: Buffer) => void): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#bytesMax) {
      done(new RangeError(`stream is longer than ${this.#bytesMax} bytes`));
    } else {
      this.#hash.update(chunk);
      done(null, chunk);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Digest of all that passed; call once, after the end. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
