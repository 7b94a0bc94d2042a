/**
 * Owns output between whoever brings it and whoever reads it, bounded. Never drops a byte: who brings asks whether there is room.
 */
import { unlessAborted } from './clock.ts';

/** Pieces of output, in order, for one reader. */
export class OutputQueue {
  readonly #bytesMax: number;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isFull = false;
  #end: { readonly error: unknown } | 'good' | null = null;
  #wake: () => void = () => undefined;
  #noteDrained: () => void = () => undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** From the bound on, until all of it was read. */
  get isFull(): boolean {
    return this.#isFull;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= this.#bytesMax) this.#isFull = true;
    this.#wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.#end ??= 'good';
    this.#wake();
  }

  /** Nothing more comes, and the reader is told why. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** Resolves when all was read; rejects by a signal. */
  drained(signals: readonly AbortSignal[]): Promise<void> {
    return unlessAborted(signals, (resolve) => {
      this.#noteDrained = resolve;
      if (!this.#isFull) resolve();
      return () => undefined;
    });
  }

  /** All of it, to the end. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#bytes -= piece.length;
        yield piece;
      } else if (this.#end !== null) {
        if (this.#end !== 'good') throw this.#end.error;
        return;
      } else {
        this.#isFull = false;
        this.#noteDrained();
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}
