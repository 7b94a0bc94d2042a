/**
 * Owns a rate with a burst: tokens that come back at a rate up to a burst, and may be taken beyond that as a debt, which is paid off first.
 * Never waits by itself: it says for how long. The token bucket of Turner, "New Directions in Communications" (1986), with debt.
 */
import type { Clock } from './clock.ts';

/** How many at once, and how many more each second. */
export interface TokenRate {
  readonly burst: number;
  readonly perSecond: number;
  /** No debt is larger; absent: it may be as large as what is taken. */
  readonly debtMax?: number;
}

/** See the head of this file. */
export class TokenBucket {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #rate: TokenRate;
  #left: number;
  #atMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>, rate: TokenRate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#left = rate.burst;
    this.#atMs = clock.monotonicMs();
  }

  /** Takes so many, as a debt if need be; in how many milliseconds that is paid off: 0 when there were enough. */
  take(count = 1): number {
    this.#refill();
    this.#left = Math.max(this.#left - count, -(this.#rate.debtMax ?? Number.POSITIVE_INFINITY));
    return this.#msUntil(0);
  }

  /** In how many milliseconds so many can be had without a debt; 0: now. At most the burst ever can. */
  msUntil(count: number): number {
    this.#refill();
    return this.#msUntil(count);
  }

  #msUntil(count: number): number {
    const missing = count - this.#left;
    return missing > 0 ? Math.ceil((missing * 1000) / this.#rate.perSecond) : 0;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#atMs) * perSecond) / 1000);
    this.#atMs = nowMs;
  }
}
