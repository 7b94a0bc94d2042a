/**
 * Owns time and randomness where nothing of Node is: in browsers as in Node. Never decides anything: whatever waits receives it, so that a test moves the time.
 * Invariant: a timer here keeps a program of Node alive, since somebody waits for it; each is cancelled when nobody does any more.
 */
import type { Clock } from '../../shared/clock.ts';

/** Time and randomness as the client sees them. */
export interface ClientClock extends Clock {
  /** A number in [0, 1). */
  random(): number;
}

/** The platform's own. */
export const platformClock: ClientClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  random: () => Math.random(),
};

/** Why the first of them that has ended did. */
const reasonOf = (signals: readonly AbortSignal[]): unknown => signals.find(({ aborted }) => aborted)?.reason;

/** Resolves when `start` has it so, which returns how to stop; rejects with the reason of a signal that comes first. */
export function unlessAborted(
  signals: readonly AbortSignal[],
  start: (resolve: () => void) => () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signals.some(({ aborted }) => aborted)) {
      reject(reasonOf(signals));
      return;
    }
    const leave = () => {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    };
    const abort = () => {
      leave();
      stop();
      reject(reasonOf(signals));
    };
    for (const signal of signals) signal.addEventListener('abort', abort);
    const stop = start(() => {
      leave();
      resolve();
    });
  });
}

/** Resolves when so many milliseconds have passed; rejects with the reason of a signal that comes first. */
export function pause(clock: Pick<Clock, 'after'>, delayMs: number, signals: readonly AbortSignal[]): Promise<void> {
  return unlessAborted(signals, (resolve) => {
    const timer = clock.after(delayMs, resolve);
    return () => timer.cancel();
  });
}

/** What one attempt is ended by: signals of others, and silence for too long. */
export class Leash {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #controller = new AbortController();
  readonly #signals: readonly AbortSignal[];
  readonly #stop = () => this.pull(reasonOf(this.#signals));
  #timer: { cancel(): void } | null = null;

  constructor(clock: Pick<Clock, 'after'>, signals: readonly AbortSignal[]) {
    this.#clock = clock;
    this.#signals = signals;
    for (const signal of signals) {
      if (signal.aborted) this.pull(signal.reason);
      else signal.addEventListener('abort', this.#stop);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on so many milliseconds may pass before it ends for this reason. */
  allow(delayMs: number, reason: () => unknown): void {
    this.#timer?.cancel();
    if (this.#controller.signal.aborted) return;
    this.#timer = this.#clock.after(delayMs, () => this.pull(reason()));
  }

  /** Any time may pass. */
  rest(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Ends what it holds, once. */
  pull(reason: unknown): void {
    this.release();
    this.#controller.abort(reason);
  }

  /** Lets go of timer and signals; what it held may go on. */
  release(): void {
    this.rest();
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#stop);
  }
}
