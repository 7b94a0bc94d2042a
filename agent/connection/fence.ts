/**
 * Owns when an agent that has lost its coordinator stops believing in its leases: by its own monotonic clock, a margin before the coordinator
 * would at the latest have given them to others; there is one only where the owner says `whenCutOff: end`. A wall clock that is set changes nothing.
 * Never ends anything itself. Invariant: it strikes at most once for each loss, and not while there is a connection.
 */
import type { Clock, Timer } from '../../shared/clock.ts';

/** A part of a lease's time, for what was on its way when the connection broke. */
const MARGIN = 0.15;

/** The fence of one agent. */
export class Fence {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #strike: () => void;
  #ttlMs = 0;
  #timer: Timer | null = null;

  constructor(clock: Pick<Clock, 'after'>, strike: () => void) {
    this.#clock = clock;
    this.#strike = strike;
  }

  /** There is a connection, on which leases are good for this long without a report; milliseconds. */
  held(leaseTtlMs: number): void {
    this.stop();
    this.#ttlMs = leaseTtlMs;
  }

  /** The connection is gone. */
  lost(): void {
    if (this.#timer !== null || this.#ttlMs === 0) return;
    this.#timer = this.#clock.after(this.#ttlMs * (1 - MARGIN), this.#strike);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
