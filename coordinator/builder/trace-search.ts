/**
 * Owns the search for byte sequences in bodies that come in chunks.
 * Never keeps more than the tail of a chunk that could begin a trace.
 */

/** Looks for any of some traces in one body after another. */
export class TraceSearch {
  readonly #traces: readonly Buffer[];
  readonly #tailBytes: number;
  #tail = Buffer.alloc(0);

  constructor(traces: readonly Uint8Array[]) {
    this.#traces = traces.map((trace) => Buffer.from(trace));
    this.#tailBytes = Math.max(0, ...traces.map((trace) => trace.length - 1));
  }

  /** Forgets what came before: a new body begins. */
  begin(): void {
    this.#tail = Buffer.alloc(0);
  }

  /** Does this chunk end or hold a trace that began in this body? */
  isFoundIn(chunk: Buffer): boolean {
    if (this.#traces.length === 0) return false;
    if (this.#traces.some((trace) => chunk.includes(trace))) return true;
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, this.#tailBytes)]);
    if (this.#tail.length > 0 && this.#traces.some((trace) => seam.includes(trace))) return true;
    const kept = chunk.length >= this.#tailBytes ? chunk : Buffer.concat([this.#tail, chunk]);
    this.#tail = Buffer.from(kept.subarray(Math.max(0, kept.length - this.#tailBytes)));
    return false;
  }
}
