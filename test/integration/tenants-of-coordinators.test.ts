/**
 * Owns tenants of several coordinators on one database: a key that is given out or revoked at one, bounds that hold over all their agents, and usage
 * that is the same whoever is asked.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import { ApiClient } from '../support/api-client.ts';
import { Coordinators, simpleRequest, untilOver } from '../support/coordinators.ts';
import { makeResult } from '../support/lease-results.ts';
import type { ScriptedAgent } from '../support/scripted-agent.ts';

const REFRESH_MS = 500;
const variables = { KEYS_REFRESH_MS: String(REFRESH_MS), USAGE_FLUSH_MS: '50' };

test('a key of one coordinator is good at another at once, and a revoked one is refused there within the refresh', async (t) => {
  const coordinators = await Coordinators.prepare(t, { variables });
  const [first, second] = [await coordinators.start(), await coordinators.start()];
  const operator = coordinators.as('operator', first);
  assert.equal((await operator.put('/v1/tenants/new', { weight: 2 })).status, 200);
  const issue = async () => {
    const asked = { name: 'k', scopes: ['execute', 'operate'] };
    return (await operator.post<{ id: string; key: string }>('/v1/tenants/new/keys', asked)).body;
  };
  const at = (key: string) => new ApiClient(second.url, key).get<{ code: string }>('/v1/executions');
  const old = await issue();
  assert.equal((await at(old.key)).status, 200, 'there was no time to look');
  const next = await issue();
  assert.deepEqual([(await at(next.key)).status, (await at(old.key)).status], [200, 200], 'both are good');
  assert.equal((await operator.delete(`/v1/tenants/new/keys/${old.id}`)).status, 200);
  const revokedAtMs = performance.now();
  assert.equal((await new ApiClient(first.url, old.key).get('/v1/executions')).status, 401);
  let refused = await at(old.key);
  while (refused.status === 200) {
    assert.ok(performance.now() - revokedAtMs < REFRESH_MS + 1000, 'longer than it may');
    await new Promise((resolve) => setTimeout(resolve, 20));
    refused = await at(old.key);
  }
  assert.deepEqual([refused.status, refused.body.code], [401, 'unauthenticated']);
  t.diagnostic(`refused after ${Math.round(performance.now() - revokedAtMs)} ms`);
  assert.equal((await at(next.key)).status, 200);
  const entries = await coordinators.as('operator', second).get<{ items: { action: string }[] }>('/v1/audit');
  assert.equal(entries.body.items[0]?.action, 'DELETE /v1/tenants/:id/keys/:keyId');
});

test('a tenant runs no more at once than it may on the agents of all coordinators, and usage is the same from each', async (t) => {
  const coordinators = await Coordinators.prepare(t, { variables });
  const [first, second] = [await coordinators.start(), await coordinators.start()];
  const operator = coordinators.as('operator', first);
  await operator.put('/v1/tenants/new', { quotas: { concurrencyMax: 2 } });
  const asked = { name: 'k', scopes: ['execute'] };
  const { key } = (await operator.post<{ key: string }>('/v1/tenants/new/keys', asked)).body;
  const held = new Map<string, () => void>();
  let most = 0;
  const came: string[] = [];
  const script = {
    slots: 3,
    offered: (
      { lease, fence, order }: { lease: string; fence: number; order: { executionId: string } },
      agent: ScriptedAgent,
    ) => {
      came.push(order.executionId);
      held.set(lease, () => {
        held.delete(lease);
        agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
      });
      most = Math.max(most, held.size);
    },
  };
  // The one that answers for the tenant has a slot less than the tenant may have.
  const { owner, other } = await coordinators.split('new');
  await coordinators.join(owner, { ...script, slots: 1 });
  await coordinators.join(other, script);
  const client = new ApiClient(other.url, key);
  const ids: string[] = [];
  for (let index = 0; index < 8; index += 1)
    ids.push((await client.post<Execution>('/v1/executions', simpleRequest)).body.id);
  while (came.length < 8 || held.size > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Both are there before one may end: else nothing would be shown.
    if (held.size === 2 || came.length === 8) for (const end of held.values()) end();
  }
  assert.equal(most, 2);
  for (const id of ids) assert.equal((await untilOver(client, id)).verdict, 'ok');
  type Usage = { now: { concurrency: { used: number; max: number } }; days: { executions: number; cpuMs: number }[] };
  for (const one of [first, second]) {
    const { body } = await new ApiClient(one.url, key).get<Usage>('/v1/usage');
    assert.deepEqual([body.now.concurrency.max, body.days[0]?.executions, body.days[0]?.cpuMs], [2, 8, 16]);
    const seen = await coordinators.as('operator', one).get<Usage>('/v1/usage?tenant=new');
    assert.equal(seen.body.days[0]?.executions, 8);
  }
});
