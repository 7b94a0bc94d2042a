/**
 * Owns how much may be tried again: when many things fail at once, trying all of them again makes it worse (retry budgets: Beyer et al., "Site
 * Reliability Engineering", 2016, chapter 21). A tenth of what is asked for, and always a few a second, so that one small accident is never
 * more than that.
 * Never decides what is worth it. Invariant: over any time, retries are at most a tenth of the demands of that time, the few a second, and the reserve.
 */
import type { Clock } from '../../shared/clock.ts';

const SHARE = 0.1;
const PER_SECOND = 5;
const RESERVE = 200;

/** One budget for all demands. */
export class RetryBudget {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #tokens = RESERVE;
  #atMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** A demand was submitted. */
  asked(): void {
    this.#add(SHARE);
  }

  /** Retries that could be taken now. */
  get left(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#add(((nowMs - this.#atMs) * PER_SECOND) / 1000);
    this.#atMs = nowMs;
    return Math.floor(this.#tokens);
  }

  /** Takes one retry; false when there is none left. */
  take(): boolean {
    if (this.left < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(RESERVE, this.#tokens + tokens);
  }
}
