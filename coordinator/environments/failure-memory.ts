/**
 * Owns remembering, briefly, that a build failed by its client's script, so that a flood of the same request is answered with the same
 * Report instead of building each time. Never remembers our own failures, and nothing across a restart.
 */
import type { Clock } from '../../shared/clock.ts';

interface Memory<Failure> {
  readonly failure: Failure;
  readonly untilMs: number;
  readonly ttlMs: number;
}

const TTL_MS_MAX = 3_600_000;
const KEPT_MAX = 1000;

/** Failures by key, each good for a time that doubles with every repetition. */
export class FailureMemory<Failure> {
  readonly #clock: Clock;
  readonly #memories = new Map<string, Memory<Failure>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The failure, while it is fresh. */
  get(key: string): Failure | null {
    const memory = this.#memories.get(key);
    return memory !== undefined && this.#clock.monotonicMs() < memory.untilMs ? memory.failure : null;
  }

  /** Remembers a failure for `ttlMs`, or twice as long as the last time when `isDoubling`. */
  remember(key: string, failure: Failure, ttlMs: number, isDoubling: boolean): void {
    const before = this.#memories.get(key);
    const chosenMs = isDoubling && before !== undefined ? Math.min(TTL_MS_MAX, 2 * before.ttlMs) : ttlMs;
    this.#memories.delete(key);
    if (this.#memories.size >= KEPT_MAX) {
      const oldest = this.#memories.keys().next().value;
      if (oldest !== undefined) this.#memories.delete(oldest);
    }
    this.#memories.set(key, { failure, ttlMs: chosenMs, untilMs: this.#clock.monotonicMs() + chosenMs });
  }

  forget(key: string): void {
    this.#memories.delete(key);
  }
}
