/**
 * Owns quotas and usage through the API of a whole coordinator: each bound with what it is told by, changes that hold at once, and what usage says.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
const keysOf = (id: string) => [{ name: 'k', sha256: digestHex(digestOf(id)) }];

async function start(t: TestContext, changes = {}) {
  const ring = createKeyRing({
    tenants: [
      { id: 'operator', isOperator: true, keys: keysOf('operator') },
      { id: 'other', keys: keysOf('other') },
    ],
  });
  const coordinator = await startCoordinator(t, changes, ring);
  const as = async (key: string, method: string, path: string, body?: unknown) => {
    const answer = await coordinator.ask(method, path, body, { authorization: `Bearer ${key}` });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  };
  const quotas = (said: object) => as('operator', 'PUT', '/v1/tenants/one', { quotas: said });
  await quotas({});
  const { key } = (
    await as('operator', 'POST', '/v1/tenants/one/keys', { name: 'k', scopes: ['execute', 'environments'] })
  ).body;
  const submit = (query = '') => as(key, 'POST', `/v1/executions${query}`, request);
  const usage = async (who = key, query = '') => (await as(who, 'GET', `/v1/usage${query}`)).body;
  return Object.assign(coordinator, { as, quotas, key, submit, usage });
}

test('a tenant runs as many at once as it may, more wait while others run, and a higher bound holds at once', async (t) => {
  const { join, quotas, submit, usage, as } = await start(t);
  await quotas({ concurrencyMax: 1 });
  const offers: string[] = [];
  const agent = await join({ slots: 4, offered: ({ order }) => void offers.push(order.executionId) });
  const ids: string[] = [];
  for (let index = 0; index < 3; index += 1) ids.push((await submit()).body.id);
  await agent.heard('lease.offer');
  const other = await as('other', 'POST', '/v1/executions', request);
  await agent.heard('lease.offer', ({ order }) => order.executionId === other.body.id);
  assert.deepEqual(offers, [ids[0], other.body.id]);
  const { now } = await usage();
  assert.deepEqual([now.concurrency, now.queueDepth.used], [{ used: 1, max: 1 }, 2]);
  assert.equal((await quotas({ concurrencyMax: 2 })).status, 200);
  await agent.heard('lease.offer', ({ order }) => order.executionId === ids[1]);
  assert.equal(offers.length, 3);
  await quotas({});
  await agent.heard('lease.offer', ({ order }) => order.executionId === ids[2]);
});

test('executions per minute, what waits and what is stored are refused by name with an honest time, and quotas change at once', async (t) => {
  const { quotas, submit, usage } = await start(t, { storedBytesAgeMsMax: 0 });
  await quotas({ queueDepthMax: 1 });
  assert.equal((await submit()).status, 202);
  const full = await submit();
  assert.deepEqual([full.status, full.body.code], [429, 'queue-full']);
  await quotas({ executionsPerMinuteMax: 1 });
  // A minute may have ended since the first one.
  const codes = [(await submit()).status, (await submit()).status, (await submit()).status];
  assert.ok(codes.filter((code) => code === 202).length <= 1 && codes.includes(429), codes.join());
  const fast = await submit();
  if (fast.status !== 202) {
    const seconds = Number(fast.headers.get('retry-after'));
    assert.deepEqual([fast.body.code, seconds >= 1 && seconds <= 60], ['rate-exceeded', true]);
  }
  await quotas({ storedBytesMax: 10 });
  const stored = await submit();
  assert.deepEqual([stored.status, stored.body.code], [429, 'quota-exceeded']);
  assert.ok(Number(stored.headers.get('retry-after')) >= 1);
  const { now } = await usage();
  assert.ok(now.storedBytes.used > 10);
  assert.equal(now.storedBytes.max, 10);
  await quotas({});
  assert.equal((await submit()).status, 202);
});

test('usage counts what ran, is durable, and is its tenant’s and the operator’s', async (t) => {
  const stage = await start(t, { usageFlushMs: 20 });
  const { join, submit, usage, as, key } = stage;
  await join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  for (let index = 0; index < 3; index += 1) assert.equal((await submit('?wait=20')).body.verdict, 'ok');
  await stage.state.buildUsage.add('one', new Date().toISOString().slice(0, 10), {
    ...{ egressBytes: 500, egressRequests: 1, buildMs: 2500 },
  });
  const [today] = (await usage()).days;
  assert.deepEqual([today.executions, today.cpuMs, today.wallMs], [3, 6, 9]);
  assert.deepEqual([today.buildMs, today.egressBytes], [2500, 500]);
  const { now } = await usage();
  assert.deepEqual([now.buildSeconds.used, now.egressBytes.used, now.executionsPerMinute.max], [2, 500, null]);
  await stage.restart();
  const [again] = (await usage('operator', '?tenant=one')).days;
  assert.equal(again.executions, 3);
  assert.equal((await usage('operator')).tenant, 'operator');
  assert.equal((await as('other', 'GET', '/v1/usage?tenant=one')).status, 404);
  assert.equal((await as('operator', 'GET', '/v1/usage?tenant=nobody')).status, 404);
  assert.equal((await as(key, 'GET', '/v1/usage?tenant=one&days=1')).body.days.length, 1);
});

test('without keys the one tenant has usage and the default quotas, and no keys to give', async (t) => {
  const coordinator = await startCoordinator(t, { tenantConcurrencyMax: 7 });
  const usage = await (await coordinator.ask('GET', '/v1/usage')).json();
  assert.deepEqual([usage.tenant, usage.now.concurrency], ['local', { used: 0, max: 7 }]);
  const refused = await coordinator.ask('POST', '/v1/tenants/local/keys', { name: 'k', scopes: ['execute'] });
  assert.equal(refused.status, 409);
  assert.equal((await coordinator.ask('PUT', '/v1/tenants/a', {})).status, 409);
  assert.equal((await (await coordinator.ask('GET', '/v1/tenants')).json()).items[0].id, 'local');
});
