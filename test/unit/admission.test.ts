/**
 * Owns the proof of who is let in and who is told when to come again: rates, room, and what could not be served in time. No sockets.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, type AdmissionDeps, type AdmissionRefusal } from '../../coordinator/executions/admission.ts';
import type { Forecast } from '../../coordinator/scheduler/scheduler.ts';
import type { Tenant } from '../../coordinator/tenants/keys.ts';
import { SystemError } from '../../shared/errors.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const options = { queueDepthMax: 90, tenantExecutionsPerSecondMax: 0, tenantExecutionsBurstMax: 3, isEmbedded: false };
const tenant = (id: string, more: Partial<Tenant> = {}): Tenant => ({ id, weight: 1, isOperator: false, ...more });

function setUp(
  changes: Partial<typeof options> = {},
  forecast: Partial<Forecast> = {},
  quotasOf?: AdmissionDeps['quotasOf'],
) {
  const clock = new VirtualClock();
  const refused: AdmissionRefusal[] = [];
  const said = { slots: 4, waitMs: 0, meanMs: 500, ...forecast };
  const scheduler = { forecast: () => said };
  const own = quotasOf === undefined ? {} : { quotasOf };
  const deps = { clock, scheduler, ...own, refused: (reason: AdmissionRefusal) => refused.push(reason) };
  const admission = new Admission(deps, { ...options, ...changes });
  /** Lets one in, or says with which code it was refused and when it may come again. */
  const ask = (who: Tenant, waitMsMax = 60_000): string => {
    try {
      admission.admit(who, waitMsMax);
      admission.entered(who);
      return 'in';
    } catch (error) {
      assert.ok(error instanceof SystemError);
      return `${error.code} ${error.retryAfterSeconds}`;
    }
  };
  /** How many of them are let in, one after the other. */
  const fill = (who: Tenant, count: number) =>
    Array.from({ length: count }, () => ask(who)).filter((each) => each === 'in').length;
  return { clock, refused, admission, ask, fill, said };
}

test('a tenant may begin so many at once and so many a second, and is told when the next one may come', () => {
  const { ask, clock, refused } = setUp({ tenantExecutionsPerSecondMax: 0.5 });
  const one = tenant('one');
  assert.deepEqual(
    [1, 2, 3, 4].map(() => ask(one)),
    ['in', 'in', 'in', 'rate-exceeded 2'],
  );
  assert.equal(ask(tenant('two')), 'in');
  clock.pass(1000);
  assert.equal(ask(one), 'rate-exceeded 1');
  clock.pass(1000);
  assert.deepEqual([ask(one), ask(one)], ['in', 'rate-exceeded 2']);
  // However long it was away, no more than a burst.
  clock.pass(3_600_000);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => ask(one)),
    ['in', 'in', 'in', 'rate-exceeded 2'],
  );
  assert.equal(refused.length, 4);
  assert.deepEqual(new Set(refused), new Set(['rate']));
});

test("a tenant's own bounds go before those of everybody", () => {
  const { ask } = setUp({ tenantExecutionsPerSecondMax: 1 });
  const fast = tenant('fast', { executionsPerSecondMax: 0 });
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => ask(fast)),
    ['in', 'in', 'in', 'in', 'in'],
  );
  const small = tenant('small', { executionsPerSecondMax: 0, queueDepthMax: 2 });
  assert.deepEqual(
    [1, 2, 3].map(() => ask(small)),
    ['in', 'in', 'queue-full 1'],
  );
});

test('however much one tenant asks for, there is room for the others', () => {
  const { fill, admission, ask } = setUp();
  assert.equal(fill(tenant('aggressor'), 1000), 60);
  assert.equal(fill(tenant('victim'), 10), 10);
  assert.equal(fill(tenant('third'), 1000), 14);
  assert.ok(admission.waiting < options.queueDepthMax);
  for (let index = 0; index < 60; index += 1) admission.left(tenant('aggressor'));
  assert.equal(ask(tenant('third')), 'in');
});

test('who weighs less gets less of the room, and a tenant that is alone gets all of it', () => {
  const { fill } = setUp();
  assert.equal(fill(tenant('heavy', { weight: 4 }), 45), 45);
  assert.equal(fill(tenant('light'), 1000), 15);
  const alone = setUp({ isEmbedded: true });
  assert.equal(alone.fill(tenant('local'), 1000), options.queueDepthMax);
  assert.equal(alone.ask(tenant('local')), 'queue-full 1');
});

test('what could not be served in time is refused before it waits, with the time that is missing', () => {
  const { ask, said, refused } = setUp({ tenantExecutionsPerSecondMax: 1 }, { waitMs: 75_500 });
  assert.equal(ask(tenant('one'), 60_000), 'queue-full 16');
  assert.equal(ask(tenant('one'), 80_000), 'in');
  assert.deepEqual(refused, ['time']);
  // Nobody knows how long it takes until an agent comes.
  said.slots = 0;
  assert.equal(ask(tenant('one'), 60_000), 'in');
});

test('a batch is let in whole or not at all, and told when all of it has a chance', () => {
  const { admission, clock, refused } = setUp({ queueDepthMax: 10, isEmbedded: true });
  const one = tenant('one');
  admission.admit(one, 60_000, 6);
  admission.entered(one, 6);
  // Four fit still, five do not: the one too many takes half a second to leave.
  assert.throws(() => admission.admit(one, 60_000, 5), { code: 'queue-full', retryAfterSeconds: 1 });
  assert.equal(admission.waiting, 6);
  admission.admit(one, 60_000, 4);
  admission.left(one, 6);
  assert.equal(admission.waiting, 0);
  assert.deepEqual(refused, ['queue']);
  clock.pass(1);
});

test('a batch that an empty queue has no room for is refused for good, with how many would fit', () => {
  const { admission } = setUp();
  const told = (who: Tenant, count: number) => {
    try {
      admission.admit(who, 60_000, count);
      return 'in';
    } catch (error) {
      assert.ok(error instanceof SystemError);
      return `${error.code} ${/at most (\d+)/.exec(error.message)?.[1]} ${error.errors[0]?.pointer}`;
    }
  };
  // Alone a tenant has two thirds of the queue, or what its own bound says.
  assert.equal(told(tenant('one'), 60), 'in');
  assert.equal(told(tenant('one'), 61), 'request-invalid 60 /executions');
  assert.equal(told(tenant('small', { queueDepthMax: 7 }), 8), 'request-invalid 7 /executions');
  assert.equal(told(tenant('small', { queueDepthMax: 7 }), 7), 'in');
  const alone = setUp({ isEmbedded: true });
  assert.doesNotThrow(() => alone.admission.admit(tenant('local'), 60_000, 90));
  assert.throws(() => alone.admission.admit(tenant('local'), 60_000, 91), { code: 'request-invalid' });
});

test('a batch larger than the burst waits for a full bucket and leaves it in debt, so that the rate holds', () => {
  const { admission, clock, ask } = setUp({ tenantExecutionsPerSecondMax: 1 });
  const one = tenant('one');
  assert.equal(ask(one), 'in');
  // Three at once: the bucket is full again in a second.
  assert.throws(() => admission.admit(one, 60_000, 40), { code: 'rate-exceeded', retryAfterSeconds: 1 });
  clock.pass(1000);
  admission.admit(one, 60_000, 40);
  // 37 tokens are owed, and the next takes one.
  assert.equal(ask(one), 'rate-exceeded 38');
  assert.throws(() => admission.admit(one, 60_000, 5), { code: 'rate-exceeded', retryAfterSeconds: 40 });
  clock.pass(38_000);
  assert.equal(ask(one), 'in');
  assert.equal(ask(one), 'rate-exceeded 1');
  // What was not wanted after all is owed by nobody.
  clock.pass(10_000);
  admission.admit(one, 60_000, 40);
  admission.giveBack(one, 40);
  assert.deepEqual([ask(one), ask(one), ask(one), ask(one)], ['in', 'in', 'in', 'rate-exceeded 1']);
});

test('the last of a batch waits for the others, and a batch of which it could not be served in time is refused', () => {
  const { admission } = setUp({ isEmbedded: true }, { waitMs: 2000, meanMs: 500 });
  const local = tenant('local');
  admission.admit(local, 10_000, 17);
  assert.throws(() => admission.admit(local, 10_000, 20), { code: 'queue-full', message: /the last of 20.* 12 s/ });
});

test('a tenant begins as many in a minute of the clock as its quota says, and is told when the next minute begins', () => {
  const said = { queueDepthMax: 0, executionsPerMinuteMax: 2 };
  const { clock, ask, admission } = setUp({}, {}, ({ id }) =>
    id === 'one' ? said : { ...said, executionsPerMinuteMax: 0 },
  );
  const one = tenant('one');
  const intoMinute = clock.nowMs() % 60_000;
  clock.pass(60_000 - intoMinute + 45_500);
  assert.deepEqual(
    [1, 2, 3].map(() => ask(one)),
    ['in', 'in', 'rate-exceeded 15'],
  );
  assert.deepEqual([admission.begunInMinute('one'), admission.waitingOf('one')], [2, 2]);
  assert.deepEqual(
    [1, 2, 3].map(() => ask(tenant('two'))),
    ['in', 'in', 'in'],
  );
  said.executionsPerMinuteMax = 3;
  assert.deepEqual([ask(one), ask(one)], ['in', 'rate-exceeded 15'], 'another quota holds at once');
  clock.pass(14_500);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => ask(one)),
    ['in', 'in', 'in', 'rate-exceeded 60'],
  );
});

test("a tenant's own bound of what waits is told as such", () => {
  const { ask } = setUp({}, {}, () => ({ queueDepthMax: 2, executionsPerMinuteMax: 0 }));
  assert.deepEqual(
    [1, 2, 3].map(() => ask(tenant('one'))),
    ['in', 'in', 'queue-full 1'],
  );
});
