/**
 * Owns what has begun in a minute of the clock: the first of a minute counts like any other.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MinuteCounts } from '../../coordinator/tenants/minute-counts.ts';

test('the first of a minute is counted though nobody has asked in it, and a new minute begins with nothing', () => {
  let nowMs = 60_000;
  const counts = new MinuteCounts({ nowMs: () => nowMs });
  counts.add('one');
  counts.add('one', 2);
  assert.equal(counts.of('one'), 3);
  nowMs = 120_000;
  counts.add('one');
  assert.deepEqual([counts.of('one'), counts.of('two')], [1, 0]);
  counts.add('one', -5);
  assert.equal(counts.of('one'), 0);
});
