/**
 * Owns the proof that the suite's parts of an execution's time are all of it, and that an answer which can't be taken apart is no figure.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitOf, splitParts } from '../../bench/gauges/execution-split.ts';

const timing = {
  ...{ queuedMs: 1, buildMs: 0, fetchMs: 0.5, prepareMs: 3.5, executeMs: 2, collectMs: 0.25, overheadMs: 4 },
  ...{ takeMs: 0.5, mountMs: 1, execMs: 2, agentMs: 1.5 },
};
const sumOf = (parts: Readonly<Record<string, number>>) => Object.values(parts).reduce((sum, part) => sum + part, 0);

test('the parts add up to what the client waited, and each is where it belongs', () => {
  const parts = splitOf(12, { timing });
  assert.equal(sumOf(parts), 12);
  assert.deepEqual(parts, {
    ...{ HTTP: 0.75, queue: 1, WebSocket: 2.5, agent: 1.5, take: 0.5, mount: 1, exec: 2, run: 2, collect: 0.25 },
    'fetch and build': 0.5,
  });
  assert.deepEqual(Object.keys(parts), splitParts);
});

test('what went on at the same time as queueing is taken off the queue, never negative elsewhere', () => {
  const parts = splitOf(12, { timing: { ...timing, queuedMs: 4.5, overheadMs: 0.5 } });
  assert.deepEqual([parts.queue, parts.WebSocket, parts.HTTP, sumOf(parts)], [3.5, 0, 0.75, 12]);
});

test('parts that are more than the whole, or that the agent does not tell, are an error', () => {
  assert.throws(() => splitOf(5, { timing }), /are not its whole of 5 ms/);
  const { takeMs: _, ...older } = timing;
  assert.throws(() => splitOf(12, { timing: older }), /older than this suite/);
});

test('a preparation that is not its own parts is an error', () => {
  assert.throws(() => splitOf(12, { timing: { ...timing, execMs: 1 } }), /are not its whole/);
});
