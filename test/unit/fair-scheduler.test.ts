/**
 * Owns the plain scheduler under a virtual clock: order, slots, leases, fences, retries. No sockets.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResult } from '../support/lease-results.ts';
import { schedulerOptions as options, setUpScheduler as setUp } from '../support/scheduler-stage.ts';

const retryable = makeResult({
  verdict: null,
  run: null,
  failure: { code: 'sandbox-failed', detail: 'x', isRetryable: true },
});

test('demands are served in the order in which they came, as slots become free', () => {
  const { scheduler, submit, join, told } = setUp();
  for (const name of ['a', 'b', 'c']) submit(name);
  const agent = join('one', 1);
  for (const name of ['a', 'b', 'c']) {
    const { lease, fence, order } = agent.last();
    assert.equal(order.executionId, name);
    void scheduler.completed(agent.id, lease, fence, makeResult());
  }
  assert.deepEqual(told, ['placed a', 'completed a', 'placed b', 'completed b', 'placed c', 'completed c']);
  assert.equal(scheduler.running, 0);
});

test('an old fence, a foreign lease and a result that comes twice change nothing', () => {
  const { scheduler, submit, join, told } = setUp();
  const one = join('one', 1);
  const two = join('two', 1);
  submit('a');
  const { lease, fence } = one.last();
  void scheduler.completed(one.id, lease, fence - 1, makeResult());
  void scheduler.completed(two.id, lease, fence, makeResult());
  assert.deepEqual(told, ['placed a']);
  void scheduler.completed(one.id, lease, fence, makeResult());
  void scheduler.completed(one.id, lease, fence, makeResult());
  assert.deepEqual(told, ['placed a', 'completed a']);
});

test('a lease without reports ends, and the demand goes to another agent; the late result is void', () => {
  const { clock, scheduler, submit, join, told } = setUp();
  const one = join('one', 1);
  submit('a');
  const { lease, fence } = one.last();
  scheduler.accepted(one.id, lease);
  const two = join('two', 1);
  clock.pass(options.leaseTtlMs - 1000);
  assert.equal(two.offers().length, 0);
  clock.pass(2000);
  assert.equal(two.last().order.executionId, 'a');
  assert.ok(two.last().fence > fence);
  void scheduler.completed(one.id, lease, fence, makeResult());
  assert.deepEqual(told, ['placed a', 'requeued a', 'placed a']);
});

test('an agent that comes back within the grace keeps its leases, one that comes later finds them gone', () => {
  const { clock, fleet, scheduler, submit, join, told } = setUp();
  const one = join('one', 1);
  submit('a');
  const { lease, fence } = one.last();
  scheduler.accepted(one.id, lease);
  fleet.leave(one.agent);
  scheduler.left(one.id);
  clock.pass(500);
  fleet.join(one.agent);
  one.agent.giveBack(1);
  assert.equal(scheduler.reported(one.id, [{ lease, fence }]), null);
  assert.equal(one.agent.freeSlots, 0);
  fleet.leave(one.agent);
  scheduler.left(one.id);
  clock.pass(2000);
  assert.deepEqual(told, ['placed a', 'requeued a']);
  fleet.join(one.agent);
  one.agent.giveBack(1);
  const wanted = scheduler.reported(one.id, [{ lease, fence }]);
  assert.notEqual(one.last().lease, lease);
  assert.deepEqual(wanted, [one.last().lease], 'not the one that it comes with, but the one that it is offered now');
});

test('an agent that lists a lease which nobody knows keeps what it was offered meanwhile: before its report came, and by it', () => {
  const { scheduler, submit, join } = setUp();
  const one = join('one', 2);
  submit('a');
  const early = one.last();
  const { agent } = one;
  agent.isResting = true;
  submit('b');
  agent.isResting = false;
  const wanted = scheduler.reported(one.id, [{ lease: 'lease_of_another_life', fence: 1 }]);
  const late = one.last();
  assert.notEqual(late.lease, early.lease);
  assert.deepEqual(wanted, [early.lease, late.lease], 'it ends whatever is not named');
});

test('a failure of ours goes back to the same agent only when there is no other, later each time, and not for ever', () => {
  const { clock, scheduler, submit, join, told } = setUp();
  const agent = join('one', 1);
  submit('a');
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    assert.equal(agent.offers().length, attempt);
    const { lease, fence } = agent.last();
    void scheduler.completed(agent.id, lease, fence, retryable);
    assert.equal(agent.offers().length, attempt);
    clock.pass(2000);
  }
  assert.equal(told.at(-1), 'retries-exhausted a');
});

test('failures of ours that avoid the only agent with room keep nobody waiting who could go there', () => {
  const { clock, scheduler, submit, join } = setUp();
  const one = join('one', 5);
  for (const name of ['a', 'b', 'c', 'd', 'e']) submit(name);
  const two = join('two', 1);
  submit('f');
  assert.equal(two.last().order.executionId, 'f');
  for (const { lease, fence } of one.offers()) void scheduler.completed(one.id, lease, fence, retryable);
  assert.deepEqual([one.agent.freeSlots, scheduler.depth], [5, 5], 'they wait for the other one');
  submit('g');
  clock.pass(1000);
  assert.equal(one.last().order.executionId, 'g');
});

test('an agent that refuses is left alone for a moment; refusals are no failures', () => {
  const { clock, scheduler, submit, join, told } = setUp();
  const agent = join('one', 1);
  submit('a');
  for (let index = 1; index <= 6; index += 1) {
    scheduler.refused(agent.id, agent.last().lease, 'no slot');
    assert.equal(agent.offers().length, index);
    clock.pass(600);
  }
  assert.ok(!told.some((what) => what.startsWith('retries')));
});

test('a withdrawn demand is cancelled where it runs, and its slot is taken until the agent says that it is over', () => {
  const { scheduler, submit, join, told } = setUp();
  const agent = join('one', 1);
  submit('a');
  submit('b');
  const { lease } = agent.last();
  scheduler.withdraw('exec_a');
  assert.deepEqual(agent.said.at(-1), { type: 'lease.cancel', lease });
  assert.equal(agent.offers().length, 1);
  scheduler.reported(agent.id, []);
  assert.equal(agent.last().order.executionId, 'b');
  scheduler.withdraw('exec_b');
  scheduler.withdraw('exec_b');
  assert.deepEqual(told, ['placed a', 'placed b']);
});

test('what is withdrawn while its agent comes back takes what the agent has of it, and gives back no more', () => {
  const { fleet, scheduler, submit, join, told } = setUp();
  const before = join('one', 2);
  submit('a');
  scheduler.accepted(before.id, before.last().lease);
  fleet.leave(before.agent);
  scheduler.left(before.id);
  const { id, agent, said, offers } = join('one', 2);
  for (const name of ['b', 'c', 'd']) submit(name);
  scheduler.withdraw('exec_a');
  assert.deepEqual(said.at(-1), { type: 'lease.cancel', lease: before.last().lease });
  scheduler.reported(id, offers());
  assert.deepEqual([agent.leases, offers().length], [2, 2], 'it has come without it: nothing becomes free by its end');
  assert.deepEqual(told, ['placed a', 'placed b', 'placed c']);
});

test('what is withdrawn before its agent, which is back, has said what it has, takes its slot until it is over there', () => {
  const { fleet, scheduler, submit, join } = setUp();
  const { id, agent, last } = join('one', 2);
  submit('a');
  const { lease, fence } = last();
  scheduler.accepted(id, lease);
  fleet.leave(agent);
  scheduler.left(id);
  agent.giveBack(1);
  fleet.join(agent);
  scheduler.joined(id);
  scheduler.withdraw('exec_a');
  for (const listed of [[{ lease, fence }], []]) {
    assert.equal(agent.leases, 1);
    scheduler.reported(id, listed);
  }
  assert.deepEqual([agent.leases, scheduler.running], [0, 0]);
});

test('a demand that waits too long for an agent is given up with a time to come back', () => {
  const { clock, submit, told, scheduler } = setUp();
  submit('a');
  clock.pass(60_000 + 1000);
  assert.deepEqual(told, ['no-agent a']);
  assert.equal(scheduler.depth, 0);
});
