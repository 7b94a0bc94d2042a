/**
 * Owns the proof that a flood of one tenant is nobody else's wait, through the API: a whole coordinator, a scripted agent with one slot, keys.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
const keysOf = (id: string) => [{ name: 'k', sha256: digestHex(digestOf(id)) }];

async function start(test: TestContext, changes = {}, bounds = {}) {
  const ring = createKeyRing({
    tenants: [
      { id: 'many', keys: keysOf('many'), ...bounds },
      { id: 'one', keys: keysOf('one') },
    ],
  });
  const coordinator = await startCoordinator(test, changes, ring);
  const as = (name: string) => ({ authorization: `Bearer ${name}` });
  const submit = (name: string) => coordinator.ask('POST', '/v1/executions', request, as(name));
  return Object.assign(coordinator, { submit });
}

test("while one tenant's executions fill the queue, another's is accepted, and the next to run", async (t) => {
  const coordinator = await start(t, { queueDepthMax: 12 });
  const codes: number[] = [];
  for (let index = 0; index < 20; index += 1) codes.push((await coordinator.submit('many')).status);
  assert.equal(codes.filter((code) => code === 202).length, 8);
  const refused = await coordinator.submit('many');
  const { code, detail } = await refused.json();
  assert.deepEqual([refused.status, code], [429, 'queue-full']);
  assert.match(detail, /^8 executions of tenant many wait and at most 8 may now; try again in \d+ s$/);
  assert.equal(refused.headers.get('retry-after'), /(\d+) s$/.exec(detail)?.[1]);
  const accepted = await coordinator.submit('one');
  assert.equal(accepted.status, 202);
  const { id } = await accepted.json();
  const ran: string[] = [];
  const isOver = Promise.withResolvers<void>();
  await coordinator.join({
    slots: 1,
    offered: ({ lease, fence, order }, agent) => {
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
      if (ran.push(order.executionId) === 9) isOver.resolve();
    },
  });
  await isOver.promise;
  assert.ok(ran.indexOf(id) === 0 || ran.indexOf(id) === 1, 'it went before all but one of those that came before it');
  const metrics = await (await coordinator.ask('GET', '/metrics')).text();
  assert.match(metrics, /^envicutor_executions_refused_total\{reason="queue"\} 13$/m);
});

test('what requests hold of memory is bounded for each tenant, until they are over', async (t) => {
  const coordinator = await start(t, { liveRequestBytesMax: 1_250_000 });
  const submit = (name: string) => {
    const large = { ...request, run: { ...request.run, stdin: 'x'.repeat(100_000) } };
    return coordinator.ask('POST', '/v1/executions', large, { authorization: `Bearer ${name}` });
  };
  const accepted: string[] = [];
  let refused = await submit('many');
  while (refused.status === 202) {
    accepted.push((await refused.json()).id);
    refused = await submit('many');
  }
  const { code, detail } = await refused.json();
  assert.deepEqual([accepted.length, refused.status, code], [8, 429, 'queue-full']);
  assert.match(
    detail,
    /^requests of tenant many that are not over hold 8\d+ bytes, of at most \d+ now, and this has 1\d+ more/,
  );
  assert.equal(refused.headers.get('retry-after'), '2');
  assert.equal((await submit('one')).status, 202);
  await coordinator.join({
    slots: 1,
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const isOver = async (id: string) => {
    const found = await coordinator.ask('GET', `/v1/executions/${id}`, undefined, { authorization: 'Bearer many' });
    return (await found.json()).stage === 'finished';
  };
  while (!(await Promise.all(accepted.map(isOver))).every(Boolean)) await new Promise(setImmediate);
  assert.equal((await submit('many')).status, 202);
});

test("a tenant's rate and depth are its own, and each refusal says when to come again", async (t) => {
  const coordinator = await start(t, {}, { executionsPerSecondMax: 0.01, executionsBurstMax: 2, queueDepthMax: 100 });
  assert.deepEqual([(await coordinator.submit('many')).status, (await coordinator.submit('many')).status], [202, 202]);
  const refused = await coordinator.submit('many');
  const { code, detail } = await refused.json();
  assert.deepEqual([refused.status, code], [429, 'rate-exceeded']);
  assert.match(detail, /^tenant many may begin 0.01 executions in a second and 2 at once; try again in (9\d|100) s$/);
  assert.equal((await coordinator.submit('one')).status, 202);
});

test('what could not be served in time is refused before it is accepted', async (t) => {
  const coordinator = await start(t, { queueWaitMsMax: 2000 });
  const agent = await coordinator.join({ slots: 1 });
  await coordinator.submit('many');
  await agent.heard('lease.offer');
  // Nothing is known of durations yet: a second each, on one slot that is taken.
  const codes: number[] = [];
  for (let index = 0; index < 8; index += 1) codes.push((await coordinator.submit('many')).status);
  assert.ok(codes.includes(202) && codes.at(-1) === 429, codes.join());
  const refused = await coordinator.submit('many');
  const { code, detail } = await refused.json();
  assert.equal(code, 'queue-full');
  assert.match(detail, /^this would wait for about \d+ s and may wait for 2 s; try again in \d+ s$/);
  assert.equal((await coordinator.submit('one')).status, 202);
});
