/**
 * Owns what is kept of compiled check programs: nothing is let go of while it is used, everything is let go of once, and the bound holds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompiledChecks } from '../../agent/judging/compiled-checks.ts';
import type { KeptLayer } from '../../shared/sandbox/sandbox.ts';
import { makeReport } from '../support/lease-results.ts';

function setUp(bytesMax: number) {
  const released: bigint[] = [];
  const checks = new CompiledChecks({ release: ({ launch }) => void released.push(launch) }, bytesMax);
  const compiled = (launch: bigint) => ({ kept: { launch } as KeptLayer, report: makeReport() });
  return { checks, compiled, released };
}

test('what is used stays until its last user is gone, also when it has no place any more', () => {
  const { checks, compiled, released } = setUp(100);
  const first = checks.add('a', compiled(1n), 50);
  const again = checks.acquire('a');
  assert.equal(again?.compiled.kept.launch, 1n);
  const second = checks.add('b', compiled(2n), 50);
  const third = checks.add('c', compiled(3n), 50);
  assert.equal(checks.count, 2);
  assert.equal(checks.acquire('a'), null, 'the least recently used went');
  assert.deepEqual(released, []);
  first?.release();
  assert.deepEqual(released, []);
  again?.release();
  assert.deepEqual(released, [1n]);
  second?.release();
  third?.release();
  assert.deepEqual(released, [1n], 'what is kept is not let go of');
  checks.forget('b');
  assert.deepEqual(released, [1n, 2n]);
});

test('what is too large for the room of all, or has no room at all, stays whose it is', () => {
  const { checks, compiled } = setUp(100);
  assert.equal(checks.add('a', compiled(1n), 51), null);
  assert.equal(setUp(0).checks.add('a', compiled(1n), 1), null);
});
