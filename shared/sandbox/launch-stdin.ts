/**
 * Owns feeding one launch's standard input: bytes or a stream, never more than the launcher gave credit for.
 * Never reads ahead of the credit, so a program that does not read holds its source back.
 * Invariant: exactly one chunk with `isLast` is sent, unless the launch ends first.
 */

/** Sends input; `isLast` ends the program's standard input after these bytes. */
export type SendInput = (bytes: Uint8Array, isLast: boolean) => void;

/** The input of one launch. */
export interface LaunchStdin {
  /** The launcher can take this many bytes more. */
  credit(bytes: number): void;
  /** The launch is over; the source is let go. */
  stop(): void;
}

const nothing = new Uint8Array(0);

/** Feeds bytes that are all there. */
export class BytesStdin implements LaunchStdin {
  readonly #send: SendInput;
  #left: Uint8Array | null;

  constructor(bytes: Uint8Array, send: SendInput) {
    this.#left = bytes;
    this.#send = send;
  }

  credit(bytes: number): void {
    const left = this.#left;
    if (left === null) return;
    const isLast = left.length <= bytes;
    this.#left = isLast ? null : left.subarray(bytes);
    this.#send(isLast ? left : left.subarray(0, bytes), isLast);
  }

  stop(): void {
    this.#left = null;
  }
}

/** Feeds a stream; when the stream fails the input ends and `onFailure` is told. */
export class StreamStdin implements LaunchStdin {
  readonly #send: SendInput;
  #credit = 0;
  #isStopped = false;
  #wake: (() => void) | null = null;

  constructor(source: AsyncIterable<Uint8Array>, send: SendInput, onFailure: (cause: unknown) => void) {
    this.#send = send;
    this.#pump(source).catch(onFailure);
  }

  credit(bytes: number): void {
    this.#credit += bytes;
    this.#resume();
  }

  stop(): void {
    this.#isStopped = true;
    this.#resume();
  }

  #resume(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async #pump(source: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#credited();
    for await (const chunk of source) {
      let left = chunk;
      while (left.length > 0) {
        await this.#credited();
        if (this.#isStopped) return;
        const count = Math.min(this.#credit, left.length);
        this.#credit -= count;
        this.#send(left.subarray(0, count), false);
        left = left.subarray(count);
      }
      if (this.#isStopped) return;
    }
    if (!this.#isStopped) this.#send(nothing, true);
  }

  async #credited(): Promise<void> {
    while (this.#credit === 0 && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
