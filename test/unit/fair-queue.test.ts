/**
 * Owns the proof of whose turn it is: shares by weight whatever the sizes, no credit for absence, order within a tenant, and the bound that
 * start-time fair queueing has.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue, type Queued } from '../../coordinator/scheduler/fair-queue.ts';

let number = 0;
const isOpen = () => true;
const item = (tenantId: string, cost = 1, changes: Partial<Queued> = {}): Queued => ({
  id: String(number++),
  tenantId,
  weight: 1,
  lane: 'short',
  cost,
  ...changes,
});

/** Serves one item that nobody refuses, runs it to its end, and says it. */
function serveOne(queue: FairQueue<Queued>, actual?: number): Queued {
  const served: Queued[] = [];
  queue.serve({ isOpen, choose: () => (served.length === 0 ? true : null), give: (each) => void served.push(each) });
  const [only] = served;
  assert.ok(only !== undefined && served.length === 1);
  if (actual !== undefined) queue.charge(only, actual - only.cost);
  queue.ended(only);
  return only;
}

const turns = (queue: FairQueue<Queued>, count: number) =>
  Array.from({ length: count }, () => serveOne(queue).tenantId).join('');

test('tenants take turns however many items one of them has', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 100; index += 1) queue.push(item('a'));
  for (let index = 0; index < 3; index += 1) queue.push(item('b'));
  assert.equal(turns(queue, 8), 'abababaa');
});

test('a weight is a share: twice the weight, twice the turns, also with two slots that are both taken', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 60; index += 1) {
    queue.push(item('a', 10, { weight: 2 }));
    queue.push(item('b', 10));
  }
  const running: Queued[] = [];
  const served = { a: 0, b: 0 };
  for (let round = 0; round < 60; round += 1) {
    // Two slots; the one that was taken first becomes free.
    if (running.length === 2) queue.ended(running.shift() as Queued);
    queue.serve({
      isOpen,
      choose: () => (running.length < 2 ? true : null),
      give: (each) => {
        running.push(each);
        served[each.tenantId as 'a' | 'b'] += 1;
      },
    });
  }
  assert.ok(Math.abs(served.a - 2 * served.b) <= 3, JSON.stringify(served));
});

test('what is large counts for more, and what cost more or less than was thought is settled', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 10; index += 1) {
    queue.push(item('a', 4));
    queue.push(item('b', 1));
  }
  assert.equal(turns(queue, 10), 'abbbbabbbb');
  const settled = new FairQueue<Queued>();
  for (let index = 0; index < 10; index += 1) {
    settled.push(item('a'));
    settled.push(item('b'));
  }
  // Both are thought to cost 1; a's really cost 3.
  const costs: Record<string, number> = { a: 3, b: 1 };
  const order = Array.from({ length: 8 }, () => {
    const [next] = [...settled.backlogs()].map(({ tenantId }) => tenantId);
    assert.ok(next !== undefined);
    let actual = 1;
    const served: Queued[] = [];
    settled.serve({
      isOpen,
      choose: () => (served.length === 0 ? true : null),
      give: (each) => void served.push(each),
    });
    const only = served[0] as Queued;
    actual = costs[only.tenantId] ?? 1;
    settled.charge(only, actual - only.cost);
    settled.ended(only);
    return only.tenantId;
  });
  assert.equal(order.join(''), 'abbbabbb');
});

test('who was away has no credit for it, and who was busy alone is not punished', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 50; index += 1) queue.push(item('a'));
  turns(queue, 40);
  queue.push(item('b'));
  queue.push(item('b'));
  queue.push(item('b'));
  assert.match(turns(queue, 6), /^(ab|ba){3}$/);
});

test('who comes beside somebody that holds every slot has the next ones until it holds as many, and then they take turns', () => {
  const SLOTS = 8;
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 60; index += 1) queue.push(item('a', 10));
  const running: Queued[] = [];
  const fill = () => {
    const given: Queued[] = [];
    const choose = () => (running.length + given.length < SLOTS ? true : null);
    queue.serve({ isOpen, choose, give: (each) => void given.push(each) });
    running.push(...given);
    return given.map(({ tenantId }) => tenantId).join('');
  };
  // One slot after the other becomes free.
  const next = (count: number) =>
    Array.from({ length: count }, () => {
      queue.ended(running.shift() as Queued);
      return fill();
    }).join('');
  fill();
  next(20);
  for (let index = 0; index < 30; index += 1) queue.push(item('b', 10));
  assert.equal(next(SLOTS / 2), 'bbbb');
  assert.match(next(8), /^(ab|ba){4}$/);
});

test('who comes while much is charged in advance does not pay for it when little of it was used', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 5; index += 1) queue.push(item('a', 1000));
  const taken: Queued[] = [];
  queue.serve({ isOpen, choose: () => (taken.length === 0 ? true : null), give: (each) => void taken.push(each) });
  queue.push(item('b', 1000));
  queue.charge(taken[0] as Queued, -999);
  queue.ended(taken[0] as Queued);
  assert.equal(turns(queue, 2), 'ba');
});

test('what one tenant holds for long is charged while it does', () => {
  const queue = new FairQueue<Queued>();
  queue.push(item('a', 1));
  const taken: Queued[] = [];
  queue.serve({ isOpen, choose: () => true, give: (each) => void taken.push(each) });
  queue.charge(taken[0] as Queued, 99);
  // It begins where a is: neither of them pays for the time before.
  for (let index = 0; index < 4; index += 1) {
    queue.push(item('a'));
    queue.push(item('b'));
  }
  assert.match(turns(queue, 8), /^(ab|ba){4}$/);
  for (let index = 0; index < 8; index += 1) queue.push(item(index % 2 === 0 ? 'a' : 'b'));
  queue.charge(taken[0] as Queued, 5);
  assert.equal(turns(queue, 5).replaceAll('a', ''), 'bbbb');
});

test('in a tenant short work is not stuck behind long work, and long work is not starved', () => {
  const queue = new FairQueue<Queued>();
  for (let index = 0; index < 5; index += 1) queue.push(item('a', 60, { lane: 'long' }));
  for (let index = 0; index < 200; index += 1) queue.push(item('a', 1));
  const lanes = Array.from({ length: 124 }, () => serveOne(queue).lane);
  assert.equal(lanes.indexOf('short') <= 1, true);
  assert.equal(lanes.filter((lane) => lane === 'long').length, 3);
});

test('in a lane what came first goes first, what came back goes before it, and what was taken out is gone', () => {
  const queue = new FairQueue<Queued>();
  const [first, second, third] = [item('a'), item('a'), item('a')];
  for (const each of [first, second, third]) queue.push(each as Queued);
  assert.equal(serveOne(queue), first);
  queue.putBack(first as Queued);
  assert.equal(queue.remove(second as Queued), true);
  assert.equal(queue.remove(second as Queued), false);
  assert.equal(serveOne(queue), first);
  assert.equal(serveOne(queue), third);
  assert.deepEqual([queue.size, queue.backlogs()], [0, []]);
});

test('what nobody can take holds up neither the lane beside it nor another tenant', () => {
  const queue = new FairQueue<Queued>();
  const stuck = item('a', 1, { lane: 'short aarch64' });
  queue.push(stuck);
  queue.push(item('a', 1, { lane: 'short x86_64' }));
  queue.push(item('b'));
  const given: string[] = [];
  queue.serve({
    isOpen,
    choose: (each) => (each === stuck ? null : each.tenantId),
    give: (_each, taker) => void given.push(taker),
  });
  assert.deepEqual(given.sort(), ['a', 'b']);
  assert.equal(queue.size, 1);
});

test('what came back and may go to nobody who has room holds up neither what came after it nor what came back otherwise', () => {
  const avoided = new Map<string, string>();
  const queue = new FairQueue<Queued>(undefined, ({ id }) => avoided.get(id) ?? '');
  const back = Array.from({ length: 10 }, () => item('a'));
  for (const each of back) {
    queue.push(each);
    serveOne(queue);
  }
  for (const [index, each] of back.entries()) {
    avoided.set(each.id, index < 9 ? 'one' : 'other');
    queue.putBack(each);
  }
  const fresh = item('a');
  queue.push(fresh);
  let room = 2;
  const given: Queued[] = [];
  queue.serve({
    isOpen,
    choose: ({ id }) => (avoided.get(id) !== 'one' && room-- > 0 ? 'one' : null),
    give: (each) => void given.push(each),
  });
  assert.deepEqual(given, [back[9], fresh]);
  assert.deepEqual([queue.size, [...queue.items()]], [9, back.slice(0, 9)]);
});

test("whoever wants in many ways what nobody has is nobody else's wait, nor its own where it can be served", () => {
  const queue = new FairQueue<Queued>();
  for (let lane = 0; lane < 200; lane += 1) {
    for (let count = 0; count < 3; count += 1) queue.push(item('a', 1, { lane: `nowhere-${lane}` }));
  }
  queue.push(item('a'));
  queue.push(item('b'));
  const given: string[] = [];
  let tried = 0;
  queue.serve({
    isOpen: (lane) => lane === 'short',
    choose: ({ lane, tenantId }) => {
      tried += 1;
      return lane === 'short' ? tenantId : null;
    },
    give: (_each, taker) => void given.push(taker),
  });
  assert.deepEqual(given.sort(), ['a', 'b']);
  assert.equal(tried, 2);
  // Even where every lane seems open, one tenant's are tried so often only.
  queue.push(item('b'));
  queue.serve({
    isOpen,
    choose: ({ tenantId }) => (tenantId === 'b' ? 'b' : null),
    give: (_each, taker) => void given.push(taker),
  });
  assert.deepEqual(given.sort(), ['a', 'b', 'b']);
});

test('whoever is given an item may come back with another one at once', () => {
  const queue = new FairQueue<Queued>();
  for (const each of ['a', 'b']) queue.push(item(each));
  const given: string[] = [];
  const give = (each: Queued) => {
    given.push(each.tenantId);
    queue.ended(each);
    if (given.length > 3) return;
    queue.push(item('c'));
    queue.serve({ isOpen, choose: () => true, give });
  };
  queue.serve({ isOpen, choose: () => true, give });
  assert.equal(queue.size, 0);
  assert.equal(given.length, 2 + 3);
});

/** A tenant's work: its weight and what each of its items costs. */
const tenant = fc.record({
  weight: fc.integer({ min: 1, max: 8 }),
  costs: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 40, maxLength: 40 }),
});

test('two tenants that both have work get service by their weights, never apart by more than one item of each', () => {
  fc.assert(
    fc.property(fc.array(tenant, { minLength: 2, maxLength: 5 }), (tenants) => {
      const queue = new FairQueue<Queued>();
      for (const [index, { weight, costs }] of tenants.entries()) {
        for (const cost of costs) queue.push(item(String(index), cost, { weight }));
      }
      const served = tenants.map(() => 0);
      const largest = tenants.map(({ weight, costs }) => Math.max(...costs) / weight);
      while (queue.backlogs().length === tenants.length) {
        const { tenantId, cost, weight } = serveOne(queue);
        served[Number(tenantId)] = (served[Number(tenantId)] ?? 0) + cost / weight;
        for (const [one, ofOne] of served.entries()) {
          for (const [other, ofOther] of served.entries()) {
            assert.ok(Math.abs(ofOne - ofOther) <= (largest[one] ?? 0) + (largest[other] ?? 0) + 1e-9);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('whatever is pushed, served, charged, put back and taken out, nothing is lost and nothing is served twice', () => {
  const step = fc.record({
    what: fc.constantFrom('push', 'serve', 'back', 'remove', 'end'),
    of: fc.nat(4),
    cost: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new FairQueue<Queued>();
      const waiting = new Set<Queued>();
      const running: Queued[] = [];
      for (const { what, of, cost } of steps) {
        const [oldest] = running;
        if (what === 'push') {
          const pushed = item(String(of), cost, { lane: cost > 5 ? 'long' : 'short' });
          queue.push(pushed);
          waiting.add(pushed);
        } else if (what === 'serve') {
          const before = running.length;
          queue.serve({
            isOpen,
            choose: () => (running.length === before ? true : null),
            give: (each) => void running.push(each),
          });
          const served = running.at(-1);
          assert.equal(running.length, before + (waiting.size > 0 ? 1 : 0));
          if (served !== undefined && running.length > before) assert.ok(waiting.delete(served));
        } else if (what === 'remove') {
          const [any] = waiting;
          if (any !== undefined) assert.equal(waiting.delete(any), queue.remove(any));
        } else if (oldest !== undefined) {
          running.shift();
          queue.charge(oldest, what === 'back' ? -oldest.cost : cost - oldest.cost);
          queue.ended(oldest);
          if (what === 'back') {
            queue.putBack(oldest);
            waiting.add(oldest);
          }
        }
        assert.equal(queue.size, waiting.size);
        assert.deepEqual(new Set(queue.items()), waiting);
      }
    }),
    { numRuns: 200 },
  );
});
