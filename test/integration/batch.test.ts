/**
 * Owns batches over real HTTP: all or none, in their order, once for each key, and told by their place what is wrong with one.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };
const many = (count: number) => ({ executions: Array.from({ length: count }, () => request) });
const willing: AgentScript = {
  slots: 64,
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function start(t: TestContext, changes: Partial<CoordinatorConfig> = {}) {
  const coordinator = await startCoordinator(t, changes);
  const post = async (body: object, key?: string) => {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    const answer = await coordinator.ask('POST', '/v1/executions/batch', body, headers);
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  const listed = async (): Promise<string[]> => {
    const { items } = await (await coordinator.ask('GET', '/v1/executions?limit=100')).json();
    return items.map(({ id }: { id: string }) => id);
  };
  return Object.assign(coordinator, { post, listed });
}

const idsOf = ({ body }: { body: { executions: { id: string }[] } }) => body.executions.map(({ id }) => id);

test('a thousand requests are accepted by one, in their order; their environment is built once, and all of them end', async (t) => {
  const coordinator = await start(t);
  const accepted = await coordinator.post(many(1000));
  assert.equal(accepted.status, 202);
  const ids = idsOf(accepted);
  assert.equal(new Set(ids).size, 1000);
  assert.deepEqual(await coordinator.listed(), ids.slice(-100).reverse());
  await coordinator.join(willing);
  for (const id of ids) await (await coordinator.ask('GET', `/v1/executions/${id}/events`)).text();
  const ended = await Promise.all(ids.map(async (id) => (await coordinator.ask('GET', `/v1/executions/${id}`)).json()));
  assert.ok(ended.every(({ stage, verdict }) => stage === 'finished' && verdict === 'ok'));
  assert.equal(coordinator.services.orders.length, 1);
});

test('no request or more than a thousand of them are no batch, and that is said', async (t) => {
  const coordinator = await start(t);
  const large = await coordinator.post(many(1001));
  assert.equal(large.status, 400);
  assert.deepEqual([large.body.code, large.body.errors[0].pointer], ['request-invalid', '/executions']);
  assert.match(large.body.detail, /1000/);
  assert.equal((await coordinator.post(many(0))).status, 400);
  assert.equal((await coordinator.post({ executions: request })).status, 400);
  assert.equal((await coordinator.ask('GET', '/v1/executions/batch')).status, 404);
  assert.deepEqual(await coordinator.listed(), []);
});

test('one bad request rejects the batch, is named by its place, and nothing is recorded or built', async (t) => {
  const coordinator = await start(t);
  const told = async (bad: object) => {
    const executions = many(20).executions.map((good, index) => (index === 17 ? { ...good, ...bad } : good));
    const { status, body } = await coordinator.post({ executions }, 'spoilt');
    return [status, body.code, body.errors[0].pointer];
  };
  const limits = { run: { script: 'true', limits: { wallTimeMs: 10 ** 9 } } };
  assert.deepEqual(await told(limits), [400, 'limit-above-maximum', '/executions/17/run/limits/wallTimeMs']);
  assert.deepEqual(await told({ run: {} }), [400, 'request-invalid', '/executions/17/run/script']);
  const unknown = { environment: `env_${'0'.repeat(52)}` };
  assert.deepEqual(await told(unknown), [404, 'environment-not-found', '/executions/17/environment']);
  const webhook = { webhook: { url: 'https://10.0.0.1/' } };
  assert.deepEqual(await told(webhook), [400, 'request-invalid', '/executions/17/webhook/url']);
  assert.deepEqual(await coordinator.listed(), []);
});

test('the same key and body are the same batch, whatever the queue is like by then; another body is refused', async (t) => {
  const coordinator = await start(t, { queueDepthMax: 10 });
  const first = await coordinator.post(many(10), 'contest-1');
  assert.equal(first.status, 202);
  const full = await coordinator.post(many(10), 'contest-2');
  assert.deepEqual([full.status, full.body.code], [429, 'queue-full']);
  assert.ok(Number(full.headers.get('retry-after')) >= 1);
  const again = await coordinator.post(many(10), 'contest-1');
  assert.deepEqual([again.status, idsOf(again)], [202, idsOf(first)]);
  await coordinator.restart();
  assert.deepEqual(idsOf(await coordinator.post(many(10), 'contest-1')), idsOf(first));
  const other = await coordinator.post(many(9), 'contest-1');
  assert.deepEqual([other.status, other.body.code], [422, 'idempotency-key-reused']);
  const single = await coordinator.ask('POST', '/v1/executions', request, { 'idempotency-key': 'contest-1' });
  assert.equal(single.status, 422);
  assert.deepEqual((await coordinator.listed()).sort(), idsOf(first).sort());
});

test('two batches with one key at once become one', async (t) => {
  const coordinator = await start(t);
  const both = await Promise.all([coordinator.post(many(50), 'once'), coordinator.post(many(50), 'once')]);
  assert.deepEqual(idsOf(both[0]), idsOf(both[1]));
  assert.equal((await coordinator.listed()).length, 50);
  const metrics = await (await coordinator.ask('GET', '/metrics')).text();
  assert.match(metrics, /^envicutor_queue_depth 50$/m);
});

test("batches are counted against a tenant's rate and depth as so many executions", async (t) => {
  const keys = [{ name: 'k', sha256: digestHex(digestOf('one')) }];
  const bounds = { executionsPerSecondMax: 0.01, executionsBurstMax: 5, queueDepthMax: 30 };
  const coordinator = await startCoordinator(t, {}, createKeyRing({ tenants: [{ id: 'one', keys, ...bounds }] }));
  const post = async (count: number) => {
    const headers = { authorization: 'Bearer one' };
    const answer = await coordinator.ask('POST', '/v1/executions/batch', many(count), headers);
    return [answer.status, (await answer.json()).code, answer.headers.get('retry-after')];
  };
  assert.deepEqual(await post(31), [400, 'request-invalid', null]);
  // More than a burst: let in by a full bucket, and owed.
  assert.equal((await post(20))[0], 202);
  assert.deepEqual(await post(1), [429, 'rate-exceeded', '1600']);
  assert.deepEqual(await post(11), [429, 'queue-full', '1']);
});

test("a waited execution's first answer is kept for its key", async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const ask = async (body: object = request) => {
    const answer = await coordinator.ask('POST', '/v1/executions?wait=30', body, { 'idempotency-key': 'waited' });
    return { status: answer.status, body: await answer.json() };
  };
  const first = await ask();
  assert.deepEqual([first.status, first.body.stage], [200, 'finished']);
  assert.deepEqual(await ask(), first);
  await coordinator.restart();
  assert.deepEqual(await ask(), first, 'after a restart, and with no agent');
  assert.equal((await ask({ ...request, metadata: { other: true } })).status, 422);
});
