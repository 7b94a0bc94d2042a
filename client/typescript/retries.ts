/**
 * Owns when something is tried again: after how long, and until when. Never decides whether it may be: whoever asks knows whether it can happen twice.
 * Invariants: a server that says when is not asked before; the budget is never exceeded by a wait, so that what can't succeed in time fails at once.
 */
import { type ClientClock, pause } from './clock.ts';
import { EnvicutorError } from './envicutor-error.ts';

/** How trouble is borne. */
export interface RetryOptions {
  /** How long trouble may last, from its first error to the last attempt; milliseconds, default 120,000; 0: nothing is tried again. */
  readonly budgetMs?: number;
  /** The first wait, which doubles; each is between half of it and the whole; milliseconds, default 250. */
  readonly delayMsMin?: number;
  /** The longest wait, but for one that the server asks for; milliseconds, default 10,000. */
  readonly delayMsMax?: number;
}

/** All of it. */
export type RetryPolicy = Required<RetryOptions>;

/** What holds where nothing is said. */
export const defaultRetries: RetryPolicy = { budgetMs: 120_000, delayMsMin: 250, delayMsMax: 10_000 };

/** So much of a wait that the server asks for is added by chance, at most so many milliseconds: not all come back at once. */
const LATER_SHARE = 0.1;
const LATER_MS_MAX = 2000;

/** One row of failures, from the first to a success. */
export class Trouble {
  readonly #policy: RetryPolicy;
  readonly #clock: ClientClock;
  #sinceMs: number | null = null;
  #failures = 0;

  constructor(policy: RetryPolicy, clock: ClientClock) {
    this.#policy = policy;
    this.#clock = clock;
  }

  /** Something went well: the next failure is the first. */
  end(): void {
    this.#sinceMs = null;
    this.#failures = 0;
  }

  /** Waits for the next attempt; throws the error when it is not to be tried again, or the reason of a signal that ends the wait. */
  async wait(error: unknown, signals: readonly AbortSignal[]): Promise<void> {
    for (const signal of signals) signal.throwIfAborted();
    if (!(error instanceof EnvicutorError && error.isRetryable)) throw error;
    const nowMs = this.#clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    const delayMs = this.#delayMs(error.retryAfterSeconds);
    if (nowMs + delayMs > this.#sinceMs + this.#policy.budgetMs) throw error;
    this.#failures += 1;
    await pause(this.#clock, delayMs, signals);
  }

  #delayMs(retryAfterSeconds: number | null): number {
    const { delayMsMin, delayMsMax } = this.#policy;
    const fullMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(this.#failures, 30));
    const delayMs = fullMs * (1 - this.#clock.random() / 2);
    if (retryAfterSeconds === null) return delayMs;
    const askedMs = retryAfterSeconds * 1000;
    return Math.max(delayMs, askedMs + Math.min(LATER_MS_MAX, askedMs * LATER_SHARE) * this.#clock.random());
  }
}
