/**
 * Owns what a coordinator believes of what an agent says that it ran for its own site: for whom, once, and over nothing of ours. The agent is scripted.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { ApiClient } from '../support/api-client.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { endedAt, makeEnded, makeResult } from '../support/lease-results.ts';

const understands = ['order.environment', 'executions.ended', 'something.later'];
const ended = (number: number, tenantId = 'site', changes: Partial<EndedExecution> = {}) =>
  makeEnded(`exec_0000000${number}`, tenantId, changes);

async function setStage(context: TestContext) {
  const edgeAgents: string[] = [];
  const tenant = (id: string, more = {}) => {
    return { id, keys: [{ name: 'first', sha256: digestHex(digestOf(`key-${id}`)) }], ...more };
  };
  const keys = createKeyRing({ tenants: [tenant('site', { edgeAgents }), tenant('other')] });
  const coordinator = await startCoordinator(context, {}, keys);
  const api = (name: string) => new ApiClient(coordinator.url, `key-${name}`);
  return { coordinator, api, edgeAgents };
}

test('what an agent says that it ran is recorded once, for tenants that name it, and is refused by name for others', async (context) => {
  const { coordinator, api, edgeAgents } = await setStage(context);
  const agent = await coordinator.join({ understands });
  const { agentId, understands: there } = await agent.heard('session.welcome');
  assert.deepEqual(there, ['order.environment', 'executions.ended']);
  const tell = async (...executions: EndedExecution[]) => {
    const count = agent.said.filter(({ type }) => type === 'executions.recorded').length;
    agent.say({ type: 'executions.ended', executions });
    for (;;) {
      const said = agent.said.filter((message) => message.type === 'executions.recorded');
      const next = said[count];
      if (next !== undefined)
        return { ...next, refused: next.refused.map(({ executionId, code }) => [executionId, code]) };
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const nothing = await tell(ended(1), ended(2, 'other'), ended(3, 'nobody'));
  assert.deepEqual(nothing.executions, []);
  assert.deepEqual(
    nothing.refused,
    [1, 2, 3].map((number) => [`exec_0000000${number}`, 'forbidden']),
  );
  edgeAgents.push(agentId);
  for (const _ of [1, 2]) {
    const some = await tell(ended(1), ended(2, 'other'));
    assert.deepEqual([some.executions, some.refused], [['exec_00000001'], [['exec_00000002', 'forbidden']]]);
  }
  const { items } = (await api('site').get<{ items: Execution[] }>('/v1/executions')).body;
  assert.equal(items.length, 1);
  const [found] = items;
  assert.deepEqual([found?.agent?.id, found?.agent?.pool, found?.attempts], [agentId, 'default', 1]);
  assert.deepEqual([found?.stage, found?.run?.stdout, found?.createdAt], ['finished', 'hello\n', endedAt]);
  assert.deepEqual((await api('site').get('/v1/executions/exec_00000001')).body, found);
  assert.equal((await api('other').get('/v1/executions/exec_00000001')).status, 404);
  const long = ended(4, 'site', { metadata: { a: 'x'.repeat(300_000) } });
  assert.deepEqual((await tell(long)).refused, [['exec_00000004', 'body-too-large']]);
});

test('what runs here is not written over, and a restart finds what was recorded', async (context) => {
  const { coordinator, api, edgeAgents } = await setStage(context);
  const orders: LeaseOrderMessage[] = [];
  const agent = await coordinator.join({
    understands,
    offered: ({ order, lease }, self) => {
      orders.push(order);
      self.say({ type: 'lease.accepted', lease });
    },
  });
  edgeAgents.push((await agent.heard('session.welcome')).agentId);
  const request = { environment: { base: 'debian-13', variables: { A: 'b' } }, run: { script: 'true' } };
  const { id } = (await api('site').post<Execution>('/v1/executions', request)).body;
  await agent.heard('lease.offer');
  // Known to nobody but the memory of who runs it.
  const waited = api('site').post<Execution>('/v1/executions?wait=1', { ...request, run: { script: 'sleep 1' } });
  while (orders.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  const ofOurs = orders.map(({ executionId }) => ({ ...ended(2), executionId, verdict: 'signaled' as const }));
  agent.say({ type: 'executions.ended', executions: [ended(1), ...ofOurs] });
  const { executions, refused } = await agent.heard('executions.recorded');
  assert.deepEqual([executions, refused.map(({ code }) => code)], [['exec_00000001'], ['conflict', 'conflict']]);
  assert.equal((await api('site').get<Execution>(`/v1/executions/${id}`)).body.finishedAt, null);
  const { environment } = orders[0] as LeaseOrderMessage;
  assert.match(environment?.id ?? '', /^env_/);
  assert.deepEqual(environment?.variables, { A: 'b' });
  assert.notEqual((await waited).body.verdict, 'signaled');
  await coordinator.restart();
  assert.equal((await api('site').get<Execution>('/v1/executions/exec_00000001')).body.verdict, 'ok');
});

test('an agent that tells more while the store is busy with what it told makes nothing wait in memory, and may tell it again', async (context) => {
  const { coordinator, api, edgeAgents } = await setStage(context);
  const agent = await coordinator.join({ understands });
  edgeAgents.push((await agent.heard('session.welcome')).agentId);
  const { executions } = coordinator.state;
  const record = executions.record.bind(executions);
  const busy = Promise.withResolvers<void>();
  let asked = 0;
  executions.record = async (...of) => {
    asked += 1;
    await busy.promise;
    return await record(...of);
  };
  for (let number = 1; number <= 5; number += 1) agent.say({ type: 'executions.ended', executions: [ended(number)] });
  // A message after them is answered, so they were read.
  agent.report(1, [{ lease: 'lease_unknown', fence: 1 }]);
  await agent.heard('session.wanted');
  assert.equal(asked, 1);
  busy.resolve();
  assert.deepEqual((await agent.heard('executions.recorded')).executions, ['exec_00000001']);
  agent.say({ type: 'executions.ended', executions: [ended(5)] });
  await agent.heard('executions.recorded', ({ executions: [id] }) => id === 'exec_00000005');
  assert.equal((await api('site').get<{ items: Execution[] }>('/v1/executions')).body.items.length, 2);
});

test('an agent of the release before is sent nothing that it does not know', async (context) => {
  const { coordinator, api } = await setStage(context);
  const orders: object[] = [];
  const agent = await coordinator.join({
    offered: ({ order, lease, fence }, self) => {
      orders.push(order);
      self.say({ type: 'lease.accepted', lease });
      self.say({ type: 'lease.completed', lease, fence, result: makeResult() });
    },
  });
  assert.equal('understands' in (await agent.heard('session.welcome')), false);
  const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  assert.equal((await api('site').post<Execution>('/v1/executions?wait=10', request)).body.verdict, 'ok');
  assert.equal('environment' in (orders[0] ?? {}), false);
});
