/**
 * Owns the proof that the scheduler keeps tenants' shares: a flood is nobody else's wait, what failed through our fault is free, and what takes
 * long or much memory is paid for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResult } from '../support/lease-results.ts';
import { setUpScheduler } from '../support/scheduler-stage.ts';

type Stage = ReturnType<typeof setUpScheduler>;
type Agent = ReturnType<Stage['join']>;

/** Lets the newest lease of an agent run for so long and end. */
function finish({ clock, scheduler }: Stage, agent: Agent, durationMs: number): string {
  const { lease, fence, order } = agent.last();
  scheduler.accepted(agent.id, lease);
  clock.pass(durationMs);
  void scheduler.completed(agent.id, lease, fence, makeResult());
  return order.executionId;
}

test("one tenant's flood is no other tenant's wait", () => {
  const stage = setUpScheduler();
  const agent = stage.join('one', 1);
  for (let index = 0; index < 100; index += 1) stage.submit(`a${index}`, { tenantId: 'aggressor' });
  finish(stage, agent, 100);
  stage.submit('v0', { tenantId: 'victim' });
  stage.submit('v1', { tenantId: 'victim' });
  const served = [1, 2, 3, 4].map(() => finish(stage, agent, 100));
  assert.ok(served.indexOf('v0') <= 1 && served.indexOf('v1') <= 3, served.join());
});

test('a weight is a share of the slots', () => {
  const stage = setUpScheduler();
  const agent = stage.join('one', 1);
  for (let index = 0; index < 40; index += 1) {
    stage.submit(`h${index}`, { tenantId: 'heavy', weight: 3 });
    stage.submit(`l${index}`, { tenantId: 'light', weight: 1 });
  }
  const served = Array.from({ length: 40 }, () => finish(stage, agent, 1000).charAt(0));
  const heavy = served.filter((each) => each === 'h').length;
  assert.ok(heavy >= 28 && heavy <= 32, String(heavy));
});

test('who runs longer than was thought pays for it, also before it ends', () => {
  const stage = setUpScheduler();
  const [one, two] = [stage.join('one', 1), stage.join('two', 1)];
  stage.submit('a0', { tenantId: 'a' });
  const long = one.last();
  stage.scheduler.accepted(one.id, long.lease);
  for (let index = 0; index < 20; index += 1) {
    stage.submit(`a${index + 1}`, { tenantId: 'a' });
    stage.submit(`b${index}`, { tenantId: 'b' });
  }
  const served: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    served.push(finish(stage, two, 1000));
    stage.scheduler.reported(one.id, [{ lease: long.lease, fence: long.fence }]);
  }
  // The one slot is b's, since a has the other all the time.
  assert.ok(served.filter((each) => each.startsWith('b')).length >= 8, served.join());
});

test('what failed through our fault costs its tenant nothing', () => {
  const stage = setUpScheduler();
  const agent = stage.join('one', 1);
  for (const name of ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']) stage.submit(name, { tenantId: name.charAt(0) });
  const { lease, fence } = agent.last();
  stage.scheduler.accepted(agent.id, lease);
  stage.clock.pass(9000);
  const failure = { code: 'sandbox-failed', detail: 'x', isRetryable: true };
  void stage.scheduler.completed(agent.id, lease, fence, makeResult({ verdict: null, run: null, failure }));
  const served = Array.from({ length: 6 }, () => {
    stage.clock.pass(1000);
    return finish(stage, agent, 10);
  });
  // Nine seconds on a's account would give b the next three turns.
  assert.equal(served.slice(0, 4).filter((each) => each.startsWith('a')).length, 2, served.join());
});

test('memory counts as slots where it is scarcer than they are', () => {
  const stage = setUpScheduler();
  const agent = stage.join('one', 1, 1000);
  const other = stage.join('two', 3, 3000);
  for (let index = 0; index < 12; index += 1) {
    // A quarter of the memory is one of four slots; the whole of it is all four.
    stage.submit(`s${index}`, { tenantId: 'small', memoryBytes: 1000 });
    stage.submit(`l${index}`, { tenantId: 'large', memoryBytes: 4000 });
  }
  const leases = [...agent.offers(), ...other.offers()];
  assert.equal(leases.length, 4);
  const served = Array.from({ length: 10 }, () => finish(stage, agent, 1000).charAt(0));
  const small = served.filter((each) => each === 's').length;
  assert.ok(small >= 7, served.join(''));
});

test('a forecast counts what is ahead by shares, and is nothing when a slot is free', () => {
  const stage = setUpScheduler();
  assert.equal(stage.scheduler.forecast('a', 1).slots, 0);
  const agent = stage.join('one', 1);
  assert.equal(stage.scheduler.forecast('a', 1).waitMs, 0);
  for (let index = 0; index < 11; index += 1) stage.submit(`a${index}`, { tenantId: 'a' });
  // One runs; ten wait and take a second each.
  const own = stage.scheduler.forecast('a', 1).waitMs;
  assert.ok(own >= 10_000 && own < 11_000, String(own));
  const others = stage.scheduler.forecast('b', 1).waitMs;
  assert.ok(others >= 1000 && others < 2000, String(others));
  assert.ok(stage.scheduler.forecast('b', 10).waitMs < others);
  finish(stage, agent, 1000);
  assert.ok(stage.scheduler.forecast('a', 1).waitMs < own);
});
