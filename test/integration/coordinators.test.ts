/**
 * Owns several coordinators on one PostgreSQL: whoever is asked, whoever has the agents, and when one of them is killed.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { localTenant } from '../../coordinator/tenants/keys.ts';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { Problem } from '../support/api-client.ts';
import { Coordinators, simpleRequest, untilOver } from '../support/coordinators.ts';
import { makeEnded, makeReport, makeResult } from '../support/lease-results.ts';
import { type AgentScript, ScriptedAgent } from '../support/scripted-agent.ts';

let postgres: PostgresServer;
before(async () => {
  postgres = await startPostgresServer();
});
after(() => postgres.stop());

/** An agent that completes every offer at once. */
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function startTwo(
  t: Parameters<Parameters<typeof test>[0] & object>[0],
  tenants = ['one', 'two'],
  variables = {},
) {
  const coordinators = await Coordinators.prepare(t, { postgres, tenants, variables });
  const two = [await coordinators.start(), await coordinators.start()];
  // They reach each other, and each has its part of the tenants.
  for (const wanted of ['peer reached', 'shards taken']) {
    await Promise.all(two.map((one) => one.logged(({ msg }) => msg === wanted)));
  }
  return coordinators;
}

test('what an agent ran for its own site is recorded by the coordinator that answers for the tenant, whichever the agent is connected to', async (t) => {
  const coordinators = await Coordinators.prepare(t, { postgres, tenants: ['one', 'two'] });
  const first = await coordinators.start();
  const known = await coordinators.join(first);
  const { agentId } = await known.heard('session.welcome');
  // The tenants say which agent it may be before those start that serve them.
  const path = join(coordinators.folder, 'tenants.json');
  const file = JSON.parse(await readFile(path, 'utf8'));
  for (const tenant of file.tenants) if (tenant.id === 'one') tenant.edgeAgents = [agentId];
  await writeFile(path, JSON.stringify(file));
  const two = [await coordinators.start(), await coordinators.start()];
  coordinators.all.splice(coordinators.all.indexOf(first), 1);
  await first.end('SIGTERM');
  await Promise.all(two.map((one) => one.logged(({ msg }) => msg === 'peer reached')));
  const { owner, other } = await coordinators.split('one');
  const agent = new ScriptedAgent(other.url, { agentId, keys: known.keys, understands: ['executions.ended'] });
  coordinators.agents.push(agent);
  await agent.heard('session.welcome');
  const executions = [makeEnded('exec_00000001', 'one'), makeEnded('exec_00000002', 'two')];
  for (const _ of [1, 2]) agent.say({ type: 'executions.ended', executions });
  const { executions: recorded, refused } = await agent.heard('executions.recorded');
  assert.deepEqual([recorded, refused.map(({ code }) => code)], [['exec_00000001'], ['forbidden']]);
  for (const there of [owner, other]) {
    const { items } = (await coordinators.as('one', there).get<{ items: Execution[] }>('/v1/executions')).body;
    assert.deepEqual(
      items.map(({ id, agent }) => [id, agent?.id]),
      [['exec_00000001', agentId]],
    );
  }
  assert.ok(
    owner.log.some(({ msg, executionId }) => msg === 'execution of a site recorded' && executionId === 'exec_00000001'),
  );
});

test('whoever is asked, and wherever the agent is, an execution is run and found', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(other, willing);
  for (const asked of [owner, other]) {
    const client = coordinators.as('one', asked);
    const waited = await client.post<Execution>('/v1/executions?wait=20', simpleRequest);
    assert.equal(waited.status, 200, JSON.stringify(waited.body));
    assert.equal(waited.body.verdict, 'ok');
    const accepted = await client.post<Execution>('/v1/executions', simpleRequest);
    assert.equal(accepted.status, 202);
    for (const there of [owner, other]) {
      const found = await untilOver(coordinators.as('one', there), accepted.body.id);
      assert.equal(found.verdict, 'ok');
      const placement = await coordinators.as('one', there).get<object>(`/v1/executions/${accepted.body.id}/placement`);
      assert.equal(placement.status, 200);
    }
    const events = await coordinators.as('one', other).events(`/v1/executions/${accepted.body.id}/events`, 'finished');
    assert.equal(events.at(-1)?.event, 'finished');
  }
  const strange = await coordinators.as('two', other).get<Problem>('/v1/executions/exec_aaaaaaaaaaaaaaaaaaaaaaaaaa');
  assert.equal(strange.status, 404);
});

test("a client that says that its request was passed on is served like any other: its tenant's bounds hold over all coordinators", async (t) => {
  const variables = { TENANT_EXECUTIONS_PER_SECOND_MAX: '0.001', TENANT_EXECUTIONS_BURST_MAX: '1' };
  const coordinators = await startTwo(t, ['one'], variables);
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(other, willing);
  const first = await coordinators.as('one', owner).post('/v1/executions?wait=20', simpleRequest);
  assert.equal(first.status, 200);
  for (const times of ['1', '4', '1 x']) {
    const headers = { 'x-envicutor-forwarded': times };
    const more = await coordinators.as('one', other).post<Problem>('/v1/executions?wait=20', simpleRequest, headers);
    assert.deepEqual([more.status, more.body.code], [429, 'rate-exceeded']);
  }
});

test('without keys a page of one coordinator is answered by the other', async (t) => {
  const coordinators = await startTwo(t, [], { TENANTS_FILE: '' });
  const { owner, other } = await coordinators.split(localTenant.id);
  for (const { url } of [owner, other]) {
    const headers = { origin: url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
    const accepted = await fetch(`${url}/v1/executions`, {
      method: 'POST',
      headers,
      body: JSON.stringify(simpleRequest),
    });
    assert.equal(accepted.status, 202);
    const foreign = await fetch(`${url}/v1/executions`, { headers: { ...headers, origin: 'http://elsewhere' } });
    assert.equal(foreign.status, 403);
  }
});

test('a repeated Idempotency-Key is the same execution, whoever is asked', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  await coordinators.join(owner, willing);
  const headers = { 'idempotency-key': 'once' };
  const answers = await Promise.all(
    [owner, other, owner, other].map((asked) =>
      coordinators.as('one', asked).post<Execution>('/v1/executions?wait=20', simpleRequest, headers),
    ),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  const changed = { ...simpleRequest, metadata: { another: 'body' } };
  const refused = await coordinators.as('one', other).post<Problem>('/v1/executions', changed, headers);
  assert.equal(refused.body.code, 'idempotency-key-reused');
});

test('a coordinator is killed: what it had accepted is taken over within its lease, and ends once', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const held = await coordinators.join(owner, { slots: 1 });
  const client = coordinators.as('one', owner);
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    ids.push((await client.post<Execution>('/v1/executions', simpleRequest)).body.id);
  }
  // One runs, four wait.
  await held.heard('lease.offer');
  const killedAtMs = performance.now();
  await owner.end('SIGKILL');
  await coordinators.join(other, willing);
  const there = coordinators.as('one', other);
  const ended = await Promise.all(ids.map((id) => untilOver(there, id)));
  const tookMs = performance.now() - killedAtMs;
  assert.deepEqual(
    ended.map(({ verdict }) => verdict),
    ids.map(() => 'ok'),
  );
  // The lease is 3 s; the rest is for whoever has to run all of this.
  assert.ok(tookMs < 3000 + 5000, `taken over after ${tookMs} ms`);
  assert.equal(await coordinators.ownerOf('one'), other.url);
  const listed = await there.get<{ items: Execution[] }>('/v1/executions?limit=50');
  assert.equal(listed.body.items.length, ids.length);
});

test('the coordinator of the agent is killed: what ran there is run elsewhere', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const held = await coordinators.join(other, { slots: 1 });
  const client = coordinators.as('one', owner);
  const { id } = (await client.post<Execution>('/v1/executions', simpleRequest)).body;
  const { lease } = await held.heard('lease.offer');
  held.say({ type: 'lease.stage', lease, stage: 'running' });
  const follow = client.events(`/v1/executions/${id}/events`, 'finished');
  while ((await client.get<Execution>(`/v1/executions/${id}`)).body.stage !== 'running');
  await other.end('SIGKILL');
  await coordinators.join(owner, willing);
  const ended = await untilOver(client, id);
  assert.equal(ended.verdict, 'ok');
  assert.equal(ended.attempts, 2);
  assert.equal((await follow).at(-1)?.event, 'finished');
});

test('a coordinator that stood still for longer than its lease ends nothing that is not its own any more', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const late = await coordinators.join(owner, { slots: 1 });
  const accepted = await coordinators.as('one', owner).post<Execution>('/v1/executions', simpleRequest);
  const { lease, fence } = await late.heard('lease.offer');
  owner.signal('SIGSTOP');
  await coordinators.join(other, willing);
  const there = coordinators.as('one', other);
  const ended = await untilOver(there, accepted.body.id);
  assert.equal(ended.run?.stdout, 'hello\n');
  // The result of the one who was away comes too late.
  late.say({
    type: 'lease.completed',
    lease,
    fence,
    result: makeResult({ run: makeReport({ stdout: 'too late\n' }) }),
  });
  owner.signal('SIGCONT');
  await owner.logged(({ msg }) => msg === 'shards lost' || msg === 'execution is with another coordinator now');
  await late.heard('lease.acknowledged');
  for (const asked of [owner, other]) {
    const found = await untilOver(coordinators.as('one', asked), accepted.body.id);
    assert.equal(found.run?.stdout, 'hello\n');
  }
});

test('a coordinator that is stopped leaves what waits to the others at once', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const client = coordinators.as('one', owner);
  const accepted = await client.post<Execution>('/v1/executions', simpleRequest);
  assert.equal(accepted.status, 202);
  assert.equal(await owner.end('SIGTERM'), 0);
  await coordinators.join(other, willing);
  const ended = await untilOver(coordinators.as('one', other), accepted.body.id);
  assert.equal(ended.verdict, 'ok');
});

test('without its database a coordinator says so, goes on with what is waited for, and refuses what must be durable', async (t) => {
  const own = await startPostgresServer();
  t.after(() => own.stop());
  const coordinators = await Coordinators.prepare(t, { postgres: own, tenants: ['one'] });
  const only = await coordinators.start();
  const held: { lease: string; fence: number }[] = [];
  let isHolding = false;
  const agent = await coordinators.join(only, {
    slots: 4,
    offered: ({ lease, fence }, self) => {
      if (isHolding) held.push({ lease, fence });
      else self.say({ type: 'lease.completed', lease, fence, result: makeResult() });
    },
  });
  const client = coordinators.as('one', only);
  const wait = '/v1/executions?wait=20';
  assert.equal((await client.post<Execution>(wait, simpleRequest)).body.verdict, 'ok');
  isHolding = true;
  const accepted = await client.post<Execution>('/v1/executions', simpleRequest);
  await agent.heard('lease.offer', ({ lease }) => lease === held[0]?.lease);
  isHolding = false;
  await own.kill();
  const ready = await client.get<{ problems: { requirement: string }[] }>('/readyz');
  assert.equal(ready.status, 503);
  assert.ok(ready.body.problems.some(({ requirement }) => requirement === 'state'));
  assert.equal((await client.post<Execution>(wait, simpleRequest)).body.verdict, 'ok');
  const refused = await client.post<Problem>('/v1/executions', simpleRequest);
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  // A result that can't be kept is neither shown nor forgotten.
  const [lost] = held;
  if (lost === undefined) throw new Error('nothing is held');
  agent.say({ type: 'lease.completed', ...lost, result: makeResult() });
  const hidden = await client.get<Problem>(`/v1/executions/${accepted.body.id}`);
  assert.equal(hidden.body.code, 'state-store-unavailable');
  await own.revive();
  assert.equal((await untilOver(client, accepted.body.id)).verdict, 'ok');
  await agent.heard('lease.acknowledged', ({ lease }) => lease === lost.lease);
  const later = await client.post<Execution>('/v1/executions', simpleRequest);
  assert.equal(later.status, 202);
  assert.equal((await untilOver(client, later.body.id)).verdict, 'ok');
});

test('operators see and drain agents wherever they are connected', async (t) => {
  const coordinators = await startTwo(t);
  const [first, second] = coordinators.all;
  if (first === undefined || second === undefined) throw new Error('two were started');
  const agent = await coordinators.join(second);
  const { agentId } = await agent.heard('session.welcome');
  const operator = coordinators.as('operator', first);
  type Listed = { items: { id: string; state: string; slots: { total: number } }[] };
  const [listed] = (await operator.get<Listed>('/v1/agents')).body.items;
  assert.deepEqual([listed?.id, listed?.state, listed?.slots.total], [agentId, 'ready', 2]);
  await operator.post(`/v1/agents/${agentId}/drain`, {});
  await agent.heard('agent.drain', ({ state }) => state === 'drain');
  assert.equal((await operator.get<Listed>('/v1/agents')).body.items[0]?.state, 'draining');
  // What one has revoked is known to the agents of all.
  const before = agent.said.filter(({ type }) => type === 'trust.state').length;
  const layer = `sha256:${'0'.repeat(64)}`;
  const revoked = await operator.post('/v1/cache/revoke', {
    ...{ layers: [layer], reason: 'test' },
  });
  assert.ok(revoked.status < 300, JSON.stringify(revoked.body));
  for (;;) {
    if (agent.said.filter(({ type }) => type === 'trust.state').length > before) break;
    await new Promise((resolve) => agent.socket.once('said', resolve));
  }
});

test('coordinators with different instance keys do not speak to each other', async (t) => {
  const coordinators = await Coordinators.prepare(t, { postgres });
  const first = await coordinators.start();
  const key = join(coordinators.folder, 'another.key');
  await writeFile(key, randomBytes(32));
  const second = await coordinators.start({ INSTANCE_KEY_FILE: key });
  for (const one of [first, second]) {
    const said = await one.logged(
      ({ msg, reason }) => msg === 'peer not reached' && /instance key/.test(String(reason)),
    );
    assert.match(String(said['reason']), /instanceKeyFile/);
  }
});

test('a coordinator without an instance key of all is not started on a shared database', async (t) => {
  const coordinators = await Coordinators.prepare(t, { postgres });
  await assert.rejects(coordinators.start({ INSTANCE_KEY_FILE: '' }), /instanceKeyFile is needed with databaseUrl/);
});

test('a base that tenants of several coordinators want at once is built once', async (t) => {
  const tenants = Array.from({ length: 6 }, (_, number) => `tenant${number}`);
  const coordinators = await startTwo(t, tenants);
  for (const one of coordinators.all) await coordinators.join(one, willing);
  const answers = await Promise.all(
    tenants.map((tenant, number) =>
      coordinators
        .as(tenant, coordinators.all[number % 2] as (typeof coordinators.all)[number])
        .post<Execution>('/v1/executions?wait=20', simpleRequest),
    ),
  );
  for (const { status, body } of answers) assert.deepEqual([status, body.verdict], [200, 'ok'], JSON.stringify(body));
  assert.equal(coordinators.services.orders.filter(({ kind }) => kind === 'base').length, 1);
  const owners = new Set(await Promise.all(tenants.map((tenant) => coordinators.ownerOf(tenant))));
  assert.equal(owners.size, 2, 'tenants of both were among them');
});

test('a policy that is changed at one coordinator holds at the others, and what they lend keeps to it', async (t) => {
  const coordinators = await startTwo(t);
  const { owner, other } = await coordinators.split('one');
  const ask = (tenant: string, at: typeof owner) => coordinators.as(tenant, at);
  const put = (tenant: string, body: object) => ask(tenant, other).put<object>('/v1/pools/lab', body);
  assert.equal((await put('operator', { owner: 'two' })).status, 200);
  const enrolment = await ask('two', other).post<{ token: string }>('/v1/agents/enrolments', { pool: 'lab' });
  await coordinators.join(other, { ...willing, token: enrolment.body.token });
  const named = { ...simpleRequest, placement: { pool: 'lab' } };
  const seen = async () => {
    const { body } = await ask('operator', owner).get<{ items: { name: string; policy: object | null }[] }>(
      '/v1/pools',
    );
    return body.items.find(({ name }) => name === 'lab');
  };
  while ((await seen()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  const waiting = await ask('one', owner).post<Execution>('/v1/executions', simpleRequest);
  await put('two', { policy: { owner: 'two', tenants: ['one'] } });
  while (!(await seen())?.policy) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await ask('one', owner).post('/v1/executions', named)).status, 403);
  const where = `/v1/executions/${waiting.body.id}`;
  const explained = async () =>
    (await ask('one', owner).get<{ waiting: object | null; attempts: object[] }>(`${where}/placement`)).body;
  while ((await explained()).waiting === null) await new Promise((resolve) => setTimeout(resolve, 20));
  const own = await ask('two', other).post<Execution>('/v1/executions?wait=20', named);
  assert.deepEqual([own.status, own.body.agent?.pool], [200, 'lab']);
  assert.deepEqual((await explained()).attempts, [], 'its tenant has not opted in');
});
