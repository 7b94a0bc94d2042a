/**
 * Owns the proof of when a delivery is tried again and when it is over: back-off, chance, a receiver's wish, a day. No sockets, no store.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../../coordinator/deliveries/delivery-store.ts';
import { DELIVERY_MS_MAX, delayAfter, type Sent, toAttempted } from '../../coordinator/deliveries/schedule.ts';
import { toRetryAfterMs } from '../../coordinator/deliveries/sender.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const middle = { next: () => 0.5 };
const unreachable: Sent = { status: null, error: 'it could not be reached', retryAfterMs: null };
const fresh = {
  ...{ id: 'delivery_a', tenantId: 'one', executionId: 'exec_a', event: 'execution.finished' },
  ...{ url: 'https://a.example/', host: 'a.example', state: 'waiting', attempts: 0, round: 0 },
  ...{ createdAtMs: 0, begunAtMs: 0, nextAtMs: 0, lastAtMs: null, lastStatus: null, lastError: null },
} as Delivery;

/** Every attempt of a delivery that is answered so, at its time. */
function follow(answer: (attempt: number) => Sent, from: Delivery = fresh, random = middle) {
  const times: number[] = [];
  let delivery = from;
  while (delivery.nextAtMs !== null) {
    const atMs = delivery.nextAtMs;
    times.push(atMs);
    const outcome = toAttempted(delivery, answer(times.length), atMs, random);
    delivery = { ...delivery, ...outcome, attempts: delivery.attempts + 1 };
  }
  return { times, delivery };
}

test('a receiver that never answers is tried thirteen times in a day, further and further apart, the last time when it is over', () => {
  const { times, delivery } = follow(() => unreachable);
  const seconds = [0, 5, 25, 105, 425, 1705, 6825, 21_225, 35_625, 50_025, 64_425, 78_825, 86_400];
  assert.deepEqual(
    times.map((ms) => ms / 1000),
    seconds,
  );
  assert.deepEqual([delivery.state, delivery.attempts, delivery.nextAtMs], ['exhausted', 13, null]);
});

test('chance moves an attempt by a fifth at most, and not always by the same', () => {
  const numbers = new SeededNumbers('jitter');
  const random = { next: () => numbers.below(1000) / 1000 };
  const delays = Array.from({ length: 200 }, () => delayAfter(3, random));
  assert.ok(delays.every((ms) => ms >= 64_000 && ms <= 96_000));
  assert.ok(new Set(delays).size > 150);
});

test('what is taken is delivered, what is gone is over at once, and both say so', () => {
  const taken = follow((attempt) => (attempt === 3 ? { status: 204, error: null, retryAfterMs: null } : unreachable));
  assert.deepEqual([taken.delivery.state, taken.delivery.attempts, taken.delivery.lastError], ['delivered', 3, null]);
  assert.equal(taken.delivery.lastStatus, 204);
  const gone = follow(() => ({ status: 410, error: 'the receiver answered 410', retryAfterMs: null }));
  assert.deepEqual([gone.delivery.state, gone.times.length, gone.delivery.lastStatus], ['gone', 1, 410]);
  const moved = follow(() => ({ status: 302, error: 'redirects are not followed', retryAfterMs: null }));
  assert.equal(moved.delivery.state, 'exhausted');
});

test('a receiver may ask for more time, within four hours, and never for less', () => {
  const asks = (retryAfterMs: number) => {
    const sent: Sent = { status: 503, error: 'the receiver answered 503', retryAfterMs };
    return toAttempted(fresh, sent, 1000, middle).nextAtMs;
  };
  assert.deepEqual([asks(0), asks(60_000), asks(10 ** 10)], [6000, 61_000, 1000 + 4 * 3_600_000]);
  assert.equal(toRetryAfterMs('120', 0), 120_000);
  assert.equal(toRetryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 15_000), 45_000);
  assert.equal(toRetryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 90_000), 0);
  for (const nonsense of [undefined, '', 'soon', '-1', '1e999', '99999999999999999999']) {
    const ms = toRetryAfterMs(nonsense, 0);
    assert.ok(ms === null || (ms >= 0 && Number.isFinite(ms)), String(nonsense));
  }
});

test('a replay begins the schedule anew, and what was attempted before is still counted', () => {
  const over = follow(() => unreachable).delivery;
  const replayed: Delivery = {
    ...{ ...over, state: 'waiting', round: over.attempts },
    ...{ begunAtMs: 10 ** 9, nextAtMs: 10 ** 9 },
  };
  const { times, delivery } = follow(() => unreachable, replayed);
  assert.deepEqual(
    times.slice(0, 3).map((ms) => (ms - 10 ** 9) / 1000),
    [0, 5, 25],
  );
  assert.equal(times.at(-1), 10 ** 9 + DELIVERY_MS_MAX);
  assert.deepEqual([delivery.attempts, delivery.state], [26, 'exhausted']);
});
