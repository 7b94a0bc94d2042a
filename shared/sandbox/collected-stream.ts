/**
 * Owns the way from a launch's stream 4 to its listener: the frames COLLECTED and COLLECTED_DATA that the launcher's collector wrote.
 * Never holds a file: bytes go on as they come. Trusts nothing: the collector has read what a stranger's program left.
 * Invariant: it ended well only when the last frame said so and every copied file had all the bytes that were announced.
 */
import { SystemError } from '../errors.ts';
import { names } from './contract.ts';
import { FrameDecoder } from './frame-decoder.ts';
import type { FieldsOf, Frame } from './frames.ts';
import type { CollectedState, LaunchListener } from './sandbox.ts';

const states: Readonly<Record<number, CollectedState>> = {
  [names.COLLECT.COPIED]: 'copied',
  [names.COLLECT.NOT_REGULAR]: 'not-regular',
  [names.COLLECT.TOO_LARGE]: 'too-large',
  [names.COLLECT.TOO_MANY]: 'too-many',
  [names.COLLECT.UNREADABLE]: 'unreadable',
};

/** The collected files of one launch. */
export class CollectedStream {
  readonly #listener: LaunchListener;
  readonly #decoder = new FrameDecoder((frame) => this.#receive(frame));
  #settled: Promise<unknown> | null = null;
  #bytesLeft = 0;
  #isComplete = false;

  constructor(listener: LaunchListener) {
    this.#listener = listener;
  }

  /** Tells the listener what is in the next bytes; throws `sandbox-failed` when they are not of the contract. */
  push(chunk: Uint8Array): Promise<void> | undefined {
    const before = this.#settled;
    try {
      this.#decoder.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    } catch (cause) {
      throw cause instanceof RangeError ? incomplete(cause.message, cause) : cause;
    }
    return this.#settled === before ? undefined : this.#settled?.then(() => undefined);
  }

  /** Resolves when the listener has taken everything; rejects with `sandbox-failed` when not everything came. */
  async end(): Promise<void> {
    await this.#settled;
    if (!this.#isComplete) throw incomplete('the copying ended before its last frame');
  }

  #receive(frame: Frame): void {
    if (this.#isComplete) throw new RangeError('a frame came after the last one');
    if (frame.name === 'COLLECTED') this.#file(frame.fields);
    else if (frame.name === 'COLLECTED_DATA') this.#data(frame.fields.data);
    else throw new RangeError(`${frame.name} among the collected files`);
  }

  #file({ path, state: number, executable, size }: FieldsOf<'COLLECTED'>): void {
    if (this.#bytesLeft > 0) throw new RangeError(`a file lacks ${this.#bytesLeft} of its bytes`);
    const state = states[number];
    if (state === undefined) throw new RangeError(`a file with the unknown state ${number}`);
    this.#isComplete = path.length === 0;
    if (this.#isComplete && state === 'copied') return;
    if (state === 'copied') this.#bytesLeft = size;
    const pathBytes = Buffer.from(path);
    const isExecutable = executable === 1;
    this.#hold(this.#listener.collected?.({ path: pathBytes.toString(), pathBytes, state, isExecutable, bytes: size }));
  }

  #data(data: Uint8Array): void {
    this.#bytesLeft -= data.length;
    if (this.#bytesLeft < 0) throw new RangeError('a file has more bytes than were announced');
    this.#hold(this.#listener.collectedData?.(data));
  }

  #hold(promise: void | Promise<void>): void {
    if (promise === undefined) return;
    this.#settled = this.#settled === null ? promise : Promise.all([this.#settled, promise]);
    // Whoever waits for it hears of a failure; a frame that throws in between must not make it nobody's.
    this.#settled.catch(() => undefined);
  }
}

function incomplete(why: string, cause?: unknown): SystemError {
  return new SystemError('sandbox-failed', `copying files out of the sandbox failed: ${why}; run it again`, { cause });
}
