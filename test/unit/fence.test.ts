/**
 * Owns the proof of when an agent gives its leases up by itself: when its coordinator was away for nearly as long as a lease is good.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fence } from '../../agent/connection/fence.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function setUp() {
  const clock = new VirtualClock();
  const struck: number[] = [];
  const fence = new Fence(clock, () => void struck.push(clock.monotonicMs()));
  return { clock, struck, fence };
}

test('it strikes a little before a lease would have ended, once, however often the dialling fails', () => {
  const { clock, struck, fence } = setUp();
  fence.held(10_000);
  clock.pass(60_000);
  fence.lost();
  clock.pass(4000);
  fence.lost();
  clock.pass(4400);
  assert.equal(struck.length, 0);
  clock.pass(1600);
  assert.equal(struck.length, 1);
  fence.lost();
  clock.pass(60_000);
  assert.equal(struck.length, 1);
});

test('a connection that comes back in time keeps the leases, and the next loss counts from its own beginning', () => {
  const { clock, struck, fence } = setUp();
  fence.lost();
  clock.pass(60_000);
  fence.held(10_000);
  fence.lost();
  clock.pass(8000);
  fence.held(10_000);
  clock.pass(60_000);
  assert.equal(struck.length, 0);
  fence.lost();
  clock.pass(8000);
  assert.equal(struck.length, 0);
  clock.pass(1000);
  assert.equal(struck.length, 1);
});
