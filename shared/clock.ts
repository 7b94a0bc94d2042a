/**
 * Owns the ports for time and randomness and their system adapters.
 * Never decides anything: everything that decides receives a Clock and a Random, so that a seed and a virtual clock reproduce a run.
 * Invariant: `monotonicMs` never goes back; `nowMs` may.
 */
import { randomBytes } from 'node:crypto';

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** Time as the deciding code sees it; milliseconds everywhere. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for people and records. */
  nowMs(): number;
  /** Monotonic time in milliseconds with fractions, for durations and deadlines. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
}

/** Randomness as the deciding code sees it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `count` random bytes, suitable for ids and tokens when the adapter is the system's. */
  bytes(count: number): Uint8Array;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves when so many milliseconds have passed. */
export function passed(clock: Pick<Clock, 'after'>, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** Resolves when `promise` does, or when so many milliseconds have passed first; rejects as it does until then. */
export async function atMost(clock: Pick<Clock, 'after'>, delayMs: number, promise: Promise<unknown>): Promise<void> {
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(delayMs, resolve);
  try {
    await Promise.race([promise, isOver]);
  } finally {
    timer.cancel();
  }
}

/** Keeps the process alive until it is cancelled: a Clock's timers do not, and a connection may be lost. */
export function stayAlive(): Timer {
  const handle = setInterval(() => undefined, 0x7fff_ffff);
  return { cancel: () => clearInterval(handle) };
}

/** The machine's own randomness. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count),
};

/** ISO 8601 form of a wall-clock time in milliseconds. */
export function toTimestamp(nowMs: number): string {
  return new Date(nowMs).toISOString();
}
