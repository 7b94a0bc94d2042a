/**
 * Owns when what one lease writes may be told: at once as long as that is seldom, of this lease and of all of the agent's together; else a little later,
 * when more has come that is told with it.
 * Never holds anything itself: who uses it does. Invariant: over any time a lease, and an agent, is told of at most a burst and the rate's part of it, but
 * for what has to be told because a lease ends or much is held.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { TokenBucket, type TokenRate } from '../../shared/token-bucket.ts';

/** Messages of one lease. Much output, which is told whatever the pace is, makes the next little bit wait for no longer than the debt says. */
const OF_LEASE: TokenRate = { burst: 250, perSecond: 250, debtMax: 5 };
/** Of all leases of an agent: less than half of what a coordinator listens to (coordinator/agents/message-budget.ts), so that it never stops to. */
const OF_AGENT: TokenRate = { burst: 2000, perSecond: 2000, debtMax: 100 };
/** Sooner there would be little more to tell. */
const WAIT_MS_MIN = 4;

/** What paces a lease. */
export type PaceClock = Pick<Clock, 'monotonicMs' | 'after'>;

/** What its users need of a pace. */
export type LeasePace = Pick<Pace, 'isOpen' | 'told' | 'wait' | 'rest'>;

/** What all leases of one agent have together. */
export function agentPace(clock: PaceClock): TokenBucket {
  return new TokenBucket(clock, OF_AGENT);
}

/** See the head of this file. */
export class Pace {
  readonly #clock: PaceClock;
  readonly #own: TokenBucket;
  readonly #shared: TokenBucket;
  readonly #due: () => void;
  #timer: Timer | null = null;

  /** `due` is called when what waits is to be told. */
  constructor(clock: PaceClock, shared: TokenBucket, due: () => void) {
    this.#clock = clock;
    this.#own = new TokenBucket(clock, OF_LEASE);
    this.#shared = shared;
    this.#due = due;
  }

  /** May something be told now? */
  get isOpen(): boolean {
    return this.#waitMs === 0;
  }

  get #waitMs(): number {
    return Math.max(this.#own.msUntil(1), this.#shared.msUntil(1));
  }

  /** A message was told. */
  told(): void {
    this.#own.take();
    this.#shared.take();
  }

  /** Something waits. Idempotent. */
  wait(): void {
    this.#timer ??= this.#clock.after(Math.max(WAIT_MS_MIN, this.#waitMs), () => {
      this.#timer = null;
      this.#due();
    });
  }

  /** Nothing waits any more. Idempotent. */
  rest(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
