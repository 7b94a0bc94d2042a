/**
 * Owns the proof that what waits for a slow database is bounded, by number of bytes too, and that there is room again afterwards.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteLane } from '../../coordinator/executions/postgres-write-lane.ts';

const MEBIBYTE = 2 ** 20;

test('while the database is slow large writes are refused before they fill the memory', async () => {
  const slow = Promise.withResolvers<void>();
  const statement = async (writes: readonly number[]) => {
    await slow.promise;
    return writes;
  };
  const lane = new WriteLane([statement]);
  const writes = Array.from({ length: 1000 }, (_, index) => lane.add(statement, index, 8 * MEBIBYTE));
  slow.resolve();
  const outcomes = await Promise.allSettled(writes);
  const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
  assert.equal(taken, 32);
  const refused = outcomes.find((outcome) => outcome.status === 'rejected');
  assert.equal(refused?.reason.code, 'state-store-unavailable');
  assert.equal(await lane.add(statement, 7, 8 * MEBIBYTE), 7);
  assert.equal(await lane.add(statement, 8, 1000 * MEBIBYTE), 8, 'one write is always taken');
});
