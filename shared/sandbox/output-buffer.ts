/**
 * Owns the output of one program's stream while it runs.
 * Never bounds it: the launcher does, by the limit `outputBytes`.
 */

/** Collects the chunks of one stream; a chunk is copied, since it is only good during the call. */
export class OutputBuffer {
  readonly #chunks: Buffer[] = [];

  append(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
  }

  /** All that came. */
  bytes(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
  }
}
