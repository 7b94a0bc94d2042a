/**
 * Owns pools through the API of a whole coordinator: who sees and changes which, whom a token lets in where, where executions go, and an agent that
 * refuses by its own policy what its coordinator offers.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LeasingAgent } from '../../agent/agent.ts';
import { Identity } from '../../agent/connection/identity.ts';
import { openPolicyFile } from '../../agent/site/policy-file.ts';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { systemClock, systemRandom } from '../../shared/clock.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { FakeSandbox, launchReport } from '../support/fake-sandbox.ts';
import { makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
const keysOf = (id: string) => [{ name: 'k', sha256: digestHex(digestOf(id)) }];
const willing: AgentScript = {
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function start(t: TestContext) {
  const ring = createKeyRing({
    tenants: [
      { id: 'operator', isOperator: true, keys: keysOf('operator') },
      { id: 'site', keys: keysOf('site') },
      { id: 'guest', keys: keysOf('guest'), foreignPools: ['lab'] },
      { id: 'other', keys: keysOf('other') },
    ],
  });
  const coordinator = await startCoordinator(t, {}, ring);
  const ask = async (who: string, method: string, path: string, body?: unknown) => {
    const answer = await coordinator.ask(method, path, body, { authorization: `Bearer ${who}` });
    return { status: answer.status, body: await answer.json() };
  };
  const enter = async (who: string, pool: string | undefined, script: AgentScript = {}) => {
    const { body, status } = await ask(who, 'POST', '/v1/agents/enrolments', pool === undefined ? {} : { pool });
    assert.equal(status, 201, JSON.stringify(body));
    return coordinator.dial({ token: body.token, ...script });
  };
  return Object.assign(coordinator, { as: ask, enter });
}

const policy = { owner: 'site', tenants: ['guest'] };

test('an operator makes a pool, its owner says who may use it, and nobody else sees or changes it', async (t) => {
  const { as } = await start(t);
  const put = (who: string, body: object, name = 'lab') => as(who, 'PUT', `/v1/pools/${name}`, body);
  const seen = async (who: string) =>
    (await as(who, 'GET', '/v1/pools')).body.items.map(({ name }: { name: string }) => name);
  assert.equal((await put('site', { policy })).status, 404);
  assert.deepEqual((await put('operator', { owner: 'sita' })).body.errors[0].pointer, '/owner');
  assert.equal((await put('operator', { owner: 'site' })).status, 200);
  assert.equal((await put('operator', { owner: 'other' })).status, 409, 'an owner is named once');
  assert.equal((await put('operator', { policy })).status, 403, 'the policy is the owner’s');
  assert.equal((await put('operator', { owner: 'site' }, 'default')).status, 409);
  assert.deepEqual(
    [await seen('operator'), await seen('site'), await seen('guest')],
    [['default', 'lab'], ['default', 'lab'], ['default']],
  );
  assert.equal((await put('guest', { policy })).status, 404);
  assert.equal((await put('site', { owner: 'guest' })).status, 403);
  assert.equal((await put('site', { policy: { ...policy, owner: 'guest' } })).body.errors[0].pointer, '/policy/owner');
  assert.equal((await put('site', { policy: { ...policy, sharePercent: 5 } })).status, 400);
  const set = await put('site', { policy: { ...policy, tenants: ['guest', 'third'] } });
  assert.deepEqual([set.status, set.body.owner, set.body.policy.tenants.length], [200, 'site', 2]);
  assert.equal((await put('guest', { policy })).status, 403);
  const [, lab] = (await as('guest', 'GET', '/v1/pools')).body.items;
  assert.deepEqual([lab.name, lab.policy.tenants, lab.isOptedIn], ['lab', ['guest'], true]);
  assert.deepEqual(await seen('other'), ['default']);
});

test("a token is for its pool; one of none is for no tenant's, and a site sees its own agents", async (t) => {
  const coordinator = await start(t);
  const { as, enter } = coordinator;
  for (const [name, owner] of [
    ['lab', 'site'],
    ['shop', 'other'],
  ])
    await as('operator', 'PUT', `/v1/pools/${name}`, { owner });
  const issue = async (who: string, body: object) => (await as(who, 'POST', '/v1/agents/enrolments', body)).status;
  assert.deepEqual(
    [
      await issue('site', {}),
      await issue('site', { pool: 'shop' }),
      await issue('site', { pool: 'default' }),
      await issue('guest', { pool: 'lab' }),
    ],
    [403, 404, 403, 404],
  );
  assert.equal(await issue('operator', { pool: 'shop' }), 403, 'its owner alone lets agents in');
  await (await enter('site', 'lab', { pool: 'shop' })).heard('session.welcome');
  const stranger = await enter('operator', undefined, { pool: 'lab' });
  assert.match((await stranger.closed).reason, /^pool lab is a tenant's, and this token is not bound to it/);
  await (await enter('operator', undefined, { pool: 'hall' })).heard('session.welcome');
  const pools = async (who: string) =>
    (await as(who, 'GET', '/v1/agents')).body.items.map(({ pool }: { pool: string }) => pool).sort();
  assert.deepEqual(
    [await pools('operator'), await pools('site'), await pools('other')],
    [['hall', 'lab'], ['lab'], []],
  );
  assert.equal((await as('guest', 'GET', '/v1/agents')).status, 403);
});

test('executions go where owners and tenants let them, and a policy that changes reaches what waits', async (t) => {
  const { as, enter, restart } = await start(t);
  await as('operator', 'PUT', '/v1/pools/lab', { owner: 'site' });
  const lab = await enter('site', 'lab', { ...willing, slots: 4 });
  await lab.heard('session.welcome');
  const submit = (who: string, body: object = {}, query = '') =>
    as(who, 'POST', `/v1/executions${query}`, { ...request, ...body });
  const ran = await submit('site', {}, '?wait=20');
  assert.deepEqual([ran.status, ran.body.agent?.pool], [200, 'lab']);
  // Whoever may not know of a pool hears what it would hear of one that nobody has made.
  const told: unknown[] = [];
  for (const [who, pool] of [
    ['other', 'lab'],
    ['other', 'nowhere'],
    ['guest', 'lab'],
  ] as const) {
    const { status, body } = await submit(who, { placement: { pool } });
    const { waiting } = (await as(who, 'GET', `/v1/executions/${body.id}/placement`)).body;
    told.push([status, body.stage, waiting.agents, waiting.agentsNotShown]);
    assert.equal((await as(who, 'DELETE', `/v1/executions/${body.id}`)).body.stage, 'cancelled');
  }
  assert.deepEqual(told, [told[0], told[0], told[0]]);
  assert.deepEqual(told[0], [202, 'queued', [], 0]);
  const waiting = await submit('guest');
  const where = `/v1/executions/${waiting.body.id}`;
  assert.deepEqual((await as('guest', 'GET', `${where}/placement`)).body.waiting.agents, []);
  await as('site', 'PUT', '/v1/pools/lab', { policy });
  await lab.heard('lease.offer', ({ order }) => order.executionId === waiting.body.id);
  const environment = { base: 'debian-13', visibility: 'private' };
  const secret = await submit('guest', { environment });
  const { agents } = (await as('guest', 'GET', `/v1/executions/${secret.body.id}/placement`)).body.waiting;
  assert.deepEqual(
    agents.map(({ obstacles }: { obstacles: string[] }) => obstacles),
    [['private']],
  );
  await as('site', 'PUT', '/v1/pools/lab', { policy: { ...policy, tenants: ['guest', 'other'] } });
  const refused = await submit('other', { placement: { pool: 'lab' } });
  assert.deepEqual(
    [refused.status, refused.body.code, refused.body.errors[0].pointer],
    [403, 'forbidden', '/placement/pool'],
  );
  assert.match(refused.body.detail, /foreignPools/, 'it may know of the pool, and has not opted in');
  await as('site', 'PUT', '/v1/pools/lab', { policy });
  await restart();
  const [, known] = (await as('site', 'GET', '/v1/pools')).body.items;
  assert.deepEqual(known.policy, policy, 'it is durable');
});

/** A real agent on sandboxes that do nothing, with a policy file of its own. */
async function joinWithPolicy(t: TestContext, url: string, token: string, said: object) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-site-'));
  const path = join(folder, 'policy.json');
  await writeFile(path, JSON.stringify(said));
  const layers = {
    acquire: async () => ({ names: ['sha256-1'], manifests: [], uses: [], release: () => undefined }),
    ...{ held: () => [], prefetch: async () => undefined, takeUsed: () => [], pinExactly: async () => undefined },
    ...{ discard: () => false, watch: () => undefined },
  };
  const refused: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, msg: string) => void (/policy/.test(msg) && refused.push(fields)),
  };
  const facts = { name: 'site', release: '1', kernel: '6', cores: 2, memoryBytes: 8e9, pool: 'default', labels: {} };
  const agent = new LeasingAgent(
    {
      ...{ layers, trust: new ManifestTrust(), identity: await Identity.open(folder), clock: systemClock },
      ...{ sandbox: new FakeSandbox(async () => launchReport({})), random: systemRandom, logger, token: () => token },
      policy: openPolicyFile(path, logger),
    },
    {
      ...{
        facts: { ...facts, architecture: 'x86_64' as const },
        coordinatorUrl: `${url.replace('http', 'ws')}/agents`,
      },
      ...{
        slots: 4,
        outboxEntriesMax: 10,
        outboxBytesMax: 1e6,
        redialMinMs: 1,
        redialMaxMs: 20,
        heartbeatMs: 1000,
        whenCutOff: 'end',
      },
      offer: { memoryBytes: 8e9, diskBytes: 1e9 },
    },
  );
  agent.start();
  t.after(async () => {
    await agent.stop();
    await rm(folder, { recursive: true, maxRetries: 5 });
  });
  while (agent.connection !== 'ready') await new Promise((resolve) => setTimeout(resolve, 10));
  return { agent, refused };
}

test('an agent refuses what its own policy does not let in, whatever its coordinator thinks, and the work ends elsewhere', async (t) => {
  const coordinator = await start(t);
  const { as, enter } = coordinator;
  const { token } = (await as('operator', 'POST', '/v1/agents/enrolments', {})).body;
  // Its coordinator knows of no policy, and offers it whatever comes.
  const { refused } = await joinWithPolicy(t, coordinator.url, token, policy);
  const submit = (who: string) => as(who, 'POST', '/v1/executions', request);
  const over = async (who: string, id: string) => {
    for (;;) {
      const { body } = await as(who, 'GET', `/v1/executions/${id}`);
      if (body.finishedAt !== null) return body;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  for (const who of ['site', 'guest']) {
    const { body } = await submit(who);
    assert.equal((await over(who, body.id)).agent.name, 'site');
  }
  const unwanted = (await submit('other')).body.id;
  while (refused.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(refused.length, 1, 'it is not offered again and again');
  const { waiting } = (await as('other', 'GET', `/v1/executions/${unwanted}/placement`)).body;
  assert.deepEqual(waiting.agents[0].obstacles, ['refused']);
  await (await enter('operator', undefined, willing)).heard('session.welcome');
  const ended = await over('other', unwanted);
  assert.deepEqual([ended.agent.name, ended.verdict, ended.attempts], ['scripted', 'ok', 2]);
});

test('an agent does not start on a policy that makes no sense', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-site-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'policy.json');
  await writeFile(path, JSON.stringify({ tenants: ['*'] }));
  const agent = new AgentProcess({ STATE_DIRECTORY: folder, POLICY_FILE: path });
  assert.equal(await agent.exited(), 78);
  assert.match(agent.stderr, /^agent: policyFile .*policy\.json: \/owner: /m);
});
