/**
 * Owns when a delivery is tried again and when it is over. Pure but for chance.
 * After a failure the next attempt comes 5 s later, then 20 s, 80 s, 5 min, 21 min, 85 min, then every 4 h, each within a fifth more or less, and a last
 * time when the day is over. Who is told by `Retry-After` when to come again comes no earlier, and no later than 4 h.
 * Invariants: a delivery changes its state by the lifecycle's table; none waits longer than a day since it was begun.
 */
import type { Random } from '../../shared/clock.ts';
import { type DeliveryCause, deliveryLifecycle } from '../../shared/lifecycle/delivery.ts';
import type { Attempted, Delivery } from './delivery-store.ts';

/** What came of an attempt: an answer, or none and why. */
export interface Sent {
  /** HTTP status; null without an answer. */
  readonly status: number | null;
  /** Why it failed, in a sentence; null when it did not. */
  readonly error: string | null;
  /** What the receiver said by `Retry-After`. */
  readonly retryAfterMs: number | null;
}

/** How long a delivery is tried. */
export const DELIVERY_MS_MAX = 86_400_000;
const FIRST_DELAY_MS = 5000;
const GROWTH = 4;
const DELAY_MS_MAX = 4 * 3_600_000;
const JITTER = 0.2;
const GONE = 410;

function toCause({ status, error }: Sent, isLast: boolean): DeliveryCause {
  if (error === null) return 'taken';
  if (status === GONE) return 'refused';
  return isLast ? 'ran-out' : 'failed';
}

/** How long after so many failed attempts the next one comes; milliseconds. */
export function delayAfter(failures: number, random: Pick<Random, 'next'>): number {
  const delayMs = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * GROWTH ** (failures - 1));
  return delayMs * (1 - JITTER + 2 * JITTER * random.next());
}

/** What is made of a delivery whose execution was deleted: there is nothing to send, and never will be. */
export function toLost({ state, lastStatus }: Delivery, nowMs: number): Attempted {
  const to = deliveryLifecycle.next(state, 'ran-out');
  return { state: to, nextAtMs: null, lastAtMs: nowMs, lastStatus, lastError: 'its execution was deleted' };
}

/** What an attempt that ended at `nowMs` makes of its delivery. */
export function toAttempted(
  { state, attempts, round, begunAtMs }: Delivery,
  sent: Sent,
  nowMs: number,
  random: Pick<Random, 'next'>,
): Attempted {
  const untilMs = begunAtMs + DELIVERY_MS_MAX;
  const to = deliveryLifecycle.next(state, toCause(sent, nowMs >= untilMs));
  const told = Math.min(sent.retryAfterMs ?? 0, DELAY_MS_MAX);
  const delayMs = Math.max(delayAfter(attempts - round + 1, random), told);
  return {
    state: to,
    nextAtMs: to === 'waiting' ? Math.round(Math.min(nowMs + delayMs, untilMs)) : null,
    ...{ lastAtMs: nowMs, lastStatus: sent.status, lastError: sent.error },
  };
}
