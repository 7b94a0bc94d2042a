/**
 * Owns the proof of what is tried again after a failure of ours: a few times, within a budget, and not on a third agent after two went down.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../coordinator/scheduler/leases.ts';
import { Retries } from '../../coordinator/scheduler/retries.ts';
import { SystemError } from '../../shared/errors.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const cause = new SystemError('agent-lost', 'gone');
const lease = (number: number, agent: string, execution = 'exec_1'): Lease =>
  ({ id: `lease_${number}`, agentId: `agent_${agent}`, executionId: execution }) as Lease;

function setUp() {
  const clock = new VirtualClock();
  const retries = new Retries(clock, 3);
  const lose = (lost: Lease) =>
    retries.endOf({ lease: lost, failures: 1, cause, isCounted: true, isAgentLost: true })?.code ?? 'again';
  const fail = (failures = 1, isCounted = true) =>
    retries.endOf({ lease: lease(0, 'a'), failures, cause, isCounted, isAgentLost: false })?.code ?? 'again';
  return { clock, retries, lose, fail };
}

test('what two agents were lost with is tried on no third one', () => {
  const { lose, retries } = setUp();
  assert.equal(lose(lease(1, 'a')), 'again');
  assert.equal(lose(lease(2, 'a')), 'again');
  assert.equal(lose(lease(3, 'b', 'exec_2')), 'again');
  assert.equal(lose(lease(4, 'b')), 'execution-quarantined');
  retries.forget('exec_1');
  assert.equal(lose(lease(5, 'c')), 'again');
});

test('an agent that comes back with the lease was only cut off', () => {
  const { lose, retries } = setUp();
  assert.equal(lose(lease(1, 'a')), 'again');
  retries.survived('lease_1', 'agent_other');
  retries.survived('lease_1', 'agent_a');
  assert.equal(lose(lease(2, 'b')), 'again');
  assert.equal(lose(lease(3, 'c')), 'execution-quarantined');
});

test('a few failures of one demand are tried again, more are not', () => {
  const { fail } = setUp();
  assert.deepEqual([fail(1), fail(3), fail(4)], ['again', 'again', 'retries-exhausted']);
});

test('when everything fails, a tenth of what is asked for is tried again, and a few a second', () => {
  const { clock, retries, fail } = setUp();
  const tried = (count: number) =>
    Array.from({ length: count }, () => fail()).filter((each) => each === 'again').length;
  const reserve = tried(10_000);
  assert.ok(reserve > 0 && reserve <= 200, String(reserve));
  assert.equal(tried(10), 0);
  for (let count = 0; count < 500; count += 1) retries.asked();
  assert.ok(Math.abs(tried(1000) - 50) <= 1);
  clock.pass(10_000);
  assert.ok(Math.abs(tried(1000) - 50) <= 1);
  // What an agent refuses was not tried.
  assert.equal(fail(1, false), 'again');
});
