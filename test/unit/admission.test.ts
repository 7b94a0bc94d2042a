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
