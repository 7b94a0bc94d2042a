/**
 * Owns the arithmetic of the console's timeline: parts follow each other, add up, and never hold more than they are.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toTimeline } from '../../coordinator/pages/foundation/timeline.ts';

const timing = {
  ...{ queuedMs: 10, buildMs: 0, fetchMs: 5, prepareMs: 8, executeMs: 70, collectMs: 2, overheadMs: 5 },
  ...{ takeMs: 1, mountMs: 3, execMs: 2, agentMs: 1 },
};

test('parts begin where the one before ends, and their shares are of the whole', () => {
  const { totalMs, parts } = toTimeline(timing);
  assert.equal(totalMs, 100);
  assert.deepEqual(
    parts.map(({ name, fromMs, ms, share }) => [name, fromMs, ms, share]),
    [
      ['queue', 0, 10, 0.1],
      ['build', 10, 0, 0],
      ['fetch', 10, 5, 0.05],
      ['prepare', 15, 8, 0.08],
      ['execute', 23, 70, 0.7],
      ['collect', 93, 2, 0.02],
      ['overhead', 95, 5, 0.05],
    ],
  );
});

test('what prepare and overhead consist of is told apart, with the rest', () => {
  const { parts } = toTimeline(timing);
  const finer = Object.fromEntries(parts.map((part) => [part.name, part.parts.map(({ name, ms }) => [name, ms])]));
  assert.deepEqual(finer['prepare'], [
    ['take', 1],
    ['mount', 3],
    ['exec', 2],
    ['rest', 2],
  ]);
  assert.deepEqual(finer['overhead'], [
    ['agent', 1],
    ['rest', 4],
  ]);
  const { takeMs: _, mountMs: __, execMs: ___, agentMs: ____, ...coarse } = timing;
  assert.ok(
    toTimeline(coarse).parts.every((part) => part.parts.length === 0),
    'an agent that does not say',
  );
});

test('whatever times there are, nothing is lost and nothing counts twice', () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  const names = [...Object.keys(timing)] as (keyof typeof timing)[];
  const any = fc.record(Object.fromEntries(names.map((name) => [name, ms])) as Record<keyof typeof timing, typeof ms>);
  fc.assert(
    fc.property(any, (given) => {
      const { totalMs, parts } = toTimeline(given);
      const sum = (each: readonly { ms: number }[]) => each.reduce((all, part) => all + part.ms, 0);
      assert.ok(Math.abs(sum(parts) - totalMs) <= 1e-6 * Math.max(1, totalMs));
      for (const part of parts) {
        assert.ok(part.parts.every((finer) => finer.ms >= 0));
        if (part.parts.length > 0) assert.ok(Math.abs(sum(part.parts) - part.ms) <= 1e-6 * Math.max(1, part.ms));
      }
    }),
  );
});

test('an execution that has used no time has parts without shares', () => {
  const none = { queuedMs: 0, buildMs: 0, fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0, overheadMs: 0 };
  assert.ok(toTimeline(none).parts.every(({ share }) => share === 0));
});
