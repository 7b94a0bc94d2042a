/**
 * Owns the newest bytes of a terminal's output, by position, so that a client that comes back misses nothing. Never decides how many are kept.
 * Invariant: the bytes from `start` to `end` are those that the program wrote, without a gap.
 */

const CAPACITY_BYTES_MIN = 4096;

/** See the head of this file. */
export class OutputScrollback {
  #bytes = Buffer.alloc(0);
  /** Where in `#bytes` the kept ones begin. */
  #offset = 0;
  #start = 0;
  #end = 0;

  /** Position of the oldest byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Position after the newest. */
  get end(): number {
    return this.#end;
  }

  /** Adds what is new of these bytes, which begin at this position, and answers it; null: some before them is missing. */
  add(position: number, bytes: Buffer): Buffer | null {
    if (position > this.#end) return null;
    const fresh = bytes.subarray(Math.min(bytes.length, this.#end - position));
    this.#makeRoom(fresh.length);
    fresh.copy(this.#bytes, this.#offset + this.#end - this.#start);
    this.#end += fresh.length;
    return fresh;
  }

  #makeRoom(count: number): void {
    const kept = this.#end - this.#start;
    if (this.#offset + kept + count <= this.#bytes.length) return;
    const isEnough = kept + count <= this.#bytes.length / 2;
    const into = isEnough ? this.#bytes : Buffer.alloc(Math.max(CAPACITY_BYTES_MIN, 2 * (kept + count)));
    this.#bytes.copy(into, 0, this.#offset, this.#offset + kept);
    this.#bytes = into;
    this.#offset = 0;
  }

  /** A copy of what is kept from this position on, at most so many bytes. */
  read(position: number, bytesMax: number): Buffer {
    const from = this.#offset + Math.max(position, this.#start) - this.#start;
    const until = this.#offset + this.#end - this.#start;
    return Buffer.from(this.#bytes.subarray(from, Math.min(until, from + bytesMax)));
  }

  /** Drops what is before this position. */
  forget(position: number): void {
    const dropped = Math.min(position, this.#end) - this.#start;
    if (dropped <= 0) return;
    this.#start += dropped;
    this.#offset += dropped;
    if (this.#start === this.#end) this.#bytes = Buffer.alloc(0);
    if (this.#start === this.#end) this.#offset = 0;
  }
}
