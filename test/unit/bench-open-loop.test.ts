/**
 * Owns the proof that a load that does not wait for answers has the arrivals that it was told to have, and leaves out nothing that was slow.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivals, openLoop } from '../../bench/load/open-loop.ts';
import { Generator } from '../../bench/statistics/generator.ts';

test('arrivals follow from the seed, in their order, as many as the rate says', () => {
  const [once, again] = [1, 1].map((seed) => arrivals(new Generator(seed), 100_000, 50));
  assert.deepEqual(once, again);
  assert.ok(once !== undefined && Math.abs(once.length - 5000) < 5 * Math.sqrt(5000), String(once?.length));
  assert.deepEqual(
    once,
    once.toSorted((a, b) => a - b),
  );
  assert.ok(once.every((at) => at >= 0 && at < 100_000));
});

test('a rate that changes with time is followed', () => {
  const due = arrivals(new Generator(2), 100_000, 50, (ms) => (ms < 50_000 ? 0 : 25));
  assert.ok(due.every((at) => at >= 50_000));
  assert.ok(Math.abs(due.length - 1250) < 5 * Math.sqrt(1250), String(due.length));
});

test('an arrival is begun though those before it have not ended, and its duration has their delay in it', async () => {
  let [underWay, most] = [0, 0];
  const { promise, resolve } = Promise.withResolvers<void>();
  const arrived = await openLoop([0, 0, 1], async (index) => {
    underWay += 1;
    most = Math.max(most, underWay);
    if (index === 2) resolve();
    await promise;
    underWay -= 1;
    return index;
  });
  assert.equal(most, 3);
  assert.deepEqual(
    arrived.map(({ outcome, dueMs }) => [outcome, dueMs]),
    [
      [0, 0],
      [1, 0],
      [2, 1],
    ],
  );
  assert.ok(arrived.every(({ tookMs, lateMs }) => tookMs >= lateMs && lateMs >= 0));
});
