/**
 * Owns the proof of how much one agent may say.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageBudget } from '../../coordinator/agents/message-budget.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MEBIBYTE = 1024 * 1024;

test('a burst is taken at once; what is beyond it waits as long as the rate says, and no longer', () => {
  const clock = new VirtualClock();
  const budget = new MessageBudget(clock);
  for (let count = 0; count < 20_000; count += 1) assert.equal(budget.take(10, true), 0);
  for (let count = 1; count <= 100; count += 1) assert.equal(budget.take(10, true), Math.ceil(count / 5));
  clock.pass(20);
  assert.equal(budget.take(10, true), 1);
  clock.pass(1000);
  for (let count = 0; count < 4999; count += 1) assert.equal(budget.take(10, true), 0);
  assert.ok(budget.take(10, true) > 0);
});

test('so do characters', () => {
  const clock = new VirtualClock();
  const budget = new MessageBudget(clock);
  for (let count = 0; count < 8; count += 1) assert.equal(budget.take(64 * MEBIBYTE, true), 0);
  assert.equal(budget.take(32 * MEBIBYTE, true), 500);
  clock.pass(500);
  assert.equal(budget.take(0, true), 0);
});

test('a greeting is short', () => {
  const budget = new MessageBudget(new VirtualClock());
  assert.throws(() => budget.take(65_537, false), /greeting/);
  assert.equal(budget.take(65_536, false), 0);
});
