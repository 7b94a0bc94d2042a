/**
 * Owns the proof that no tenant has more at once than it may, wherever that runs, and that whoever is at its bound is in nobody's way.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Concurrency } from '../../coordinator/scheduler/concurrency.ts';
import { FairQueue, type Queued } from '../../coordinator/scheduler/fair-queue.ts';
import { ClusterStage } from '../support/cluster-stage.ts';
import { makeResult } from '../support/lease-results.ts';
import { setUpScheduler } from '../support/scheduler-stage.ts';

let number = 0;
const item = (tenantId: string): Queued => ({ id: String(number++), tenantId, weight: 1, lane: 'l', cost: 1 });

/** Serves what is taken at once, up to so many; whose they were. */
function serve(queue: FairQueue<Queued>, atMost: number, asked: string[] = []): Queued[] {
  const served: Queued[] = [];
  queue.serve({
    isOpen: () => true,
    choose: ({ tenantId }) => {
      asked.push(tenantId);
      return served.length < atMost ? true : null;
    },
    give: (one) => void served.push(one),
  });
  return served;
}

const names = (items: readonly Queued[]) => items.map(({ tenantId }) => tenantId).join('');

test('a tenant at its bound is not even tried, and the others go on', () => {
  const queue = new FairQueue<Queued>(new Concurrency((tenantId) => (tenantId === 'a' ? 2 : 0)));
  for (let index = 0; index < 1000; index += 1) queue.push(item('a'));
  for (let index = 0; index < 5; index += 1) queue.push(item('b'));
  const asked: string[] = [];
  const first = serve(queue, 100, asked);
  assert.deepEqual([names(first), asked.length], ['ababbbb', 7]);
  const [ended] = first;
  assert.ok(ended !== undefined);
  queue.ended(ended);
  assert.equal(names(serve(queue, 100)), 'a', 'one ends and one begins');
});

test('who was held back has no claim for that time, and gives none to who comes new', () => {
  const queue = new FairQueue<Queued>(new Concurrency((tenantId) => (tenantId === 'a' ? 1 : 0)));
  for (let index = 0; index < 200; index += 1) {
    queue.push(item('a'));
    queue.push(item('b'));
  }
  // It runs one for a long time, while b is served again and again.
  const [longOne] = serve(queue, 1);
  assert.equal(longOne?.tenantId, 'a');
  for (let round = 0; round < 100; round += 1) for (const one of serve(queue, 1)) queue.ended(one);
  for (let index = 0; index < 20; index += 1) queue.push(item('c'));
  const turns: Queued[] = [];
  for (let round = 0; round < 10; round += 1) {
    const [one] = serve(queue, 1);
    assert.ok(one !== undefined);
    queue.ended(one);
    turns.push(one);
  }
  assert.match(names(turns), /^(bc|cb){5}$/, 'c has its share, and no more');
});

test('a bound that is raised holds at once, and one that is lowered lets what runs end', () => {
  let max = 1;
  const concurrency = new Concurrency(() => max);
  const { submit, join, told, scheduler, clock } = setUpScheduler(undefined, concurrency);
  const { id, offers } = join('a', 4);
  for (const name of ['1', '2', '3', '4', '5']) submit(name);
  assert.deepEqual(told, ['placed 1']);
  max = 3;
  concurrency.boundsChanged(['t']);
  assert.deepEqual(told, ['placed 1', 'placed 2', 'placed 3']);
  max = 1;
  concurrency.boundsChanged(['t']);
  const end = (index: number) => {
    const offer = offers()[index];
    assert.ok(offer !== undefined);
    void scheduler.completed(id, offer.lease, offer.fence, makeResult());
  };
  end(0);
  end(1);
  assert.deepEqual(told.slice(3), ['completed 1', 'completed 2']);
  end(2);
  assert.deepEqual(told.slice(5), ['completed 3', 'placed 4']);
  clock.pass(61_000);
  assert.ok(told.includes('no-agent 5'), 'it waits no longer than it may');
  scheduler.stop();
});

test('what is given up while its tenant is at its bound says so', () => {
  const { submit, join, scheduler, clock } = setUpScheduler(undefined, new Concurrency(() => 1));
  join('a', 4);
  submit('1');
  const causes: string[] = [];
  const listener = { gaveUp: (_id: string, { message }: Error) => void causes.push(message) };
  submit('2', { waitMsMax: 1000, listener: listener as never });
  clock.pass(2000);
  assert.deepEqual(causes, ['tenant t ran as much at once as it may (concurrencyMax), and this waited for 1000 ms']);
  scheduler.stop();
});

test('the bound holds over the agents of several coordinators, and what comes back when a link breaks counts no more', () => {
  const stage = new ClusterStage(2, undefined, (tenantId) => (tenantId === 'one' ? 3 : 0));
  const [first, second] = stage.sites;
  assert.ok(first !== undefined && second !== undefined);
  const agents = [first.join('near', 2), second.join('far', 8)];
  stage.clock.pass(500);
  for (let index = 0; index < 60; index += 1) first.submit('one');
  let most = 0;
  let reached = 0;
  const step = () => {
    stage.clock.pass(5);
    const held = agents.map(({ held: now }) => now.size);
    most = Math.max(most, (held[0] ?? 0) + (held[1] ?? 0));
    reached = Math.max(reached, held[1] ?? 0);
  };
  for (let count = 0; count < 100; count += 1) step();
  assert.ok(reached > 0, 'some were lent');
  stage.cut();
  for (let count = 0; count < 200; count += 1) step();
  assert.equal(most, 3, 'as many as it may, and never more');
  for (let count = 0; count < 1000 && first.served('one') < 60; count += 1) stage.clock.pass(50);
  assert.equal(first.served('one'), 60);
  assert.deepEqual([first.concurrency.countOf('one'), second.concurrency.countOf('one')], [0, 0]);
  const served = () => second.served('two');
  for (let index = 0; index < 8; index += 1) second.submit('two');
  stage.clock.pass(500);
  assert.equal(served(), 8, 'others have all the room there is');
});
