/**
 * Owns the proof of the operator's verbs on the cache over HTTP: who may ask, listing with use, pins, prefetches with progress, purging and
 * collecting, disowning everything; and that progress of builds and downloads reaches whoever waits, and nobody else.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { manifestKey } from '../../shared/layers/layer-manifest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const environment = { setup: 'apt-get install -y g++' };

type Coordinator = Awaited<ReturnType<typeof startCoordinator>>;

async function build(coordinator: Coordinator, asked: object = environment, headers = {}) {
  const { id } = await (await coordinator.ask('POST', '/v1/environments', asked, headers)).json();
  const events = await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, headers)).text();
  return { ...(await (await coordinator.ask('GET', `/v1/environments/${id}`, undefined, headers)).json()), events };
}

const post = async (coordinator: Coordinator, path: string, body: object) => {
  const answer = await coordinator.ask('POST', `/v1/cache/${path}`, body);
  return { http: answer.status, ...(await answer.json()) };
};
const list = async (coordinator: Coordinator) =>
  (await (await coordinator.ask('GET', '/v1/cache?limit=100')).json()).items;

test("every verb on the cache needs an operator's key", async (t) => {
  const sha256 = createHash('sha256').update('k').digest('hex');
  const keys = createKeyRing({ tenants: [{ id: 'client', keys: [{ name: 'k', sha256 }] }] });
  const coordinator = await startCoordinator(t, {}, keys);
  const digests = [`sha256:${'0'.repeat(64)}`];
  const env = `env_${'0'.repeat(20)}`;
  const asked: [string, string, object?][] = [
    ['GET', '/v1/cache'],
    ['POST', '/v1/cache/pin', { digests }],
    ['POST', '/v1/cache/unpin', { digests }],
    ['POST', '/v1/cache/prefetch', { environment: env }],
    ['GET', '/v1/cache/prefetches/prefetch_1'],
    ['GET', '/v1/cache/prefetches/prefetch_1/events'],
    ['POST', '/v1/cache/promote', { environment: env }],
    ['POST', '/v1/cache/revoke', { layers: digests }],
    ['POST', '/v1/cache/purge', { digests }],
    ['POST', '/v1/cache/collect', {}],
    ['GET', '/v1/cache/keys'],
    ...['announce', 'switch', 'retire'].map((step): [string, string, object] => ['POST', `/v1/cache/keys/${step}`, {}]),
  ];
  for (const [method, path, body] of asked) {
    const answer = await coordinator.ask(method, path, body, { authorization: 'Bearer k' });
    assert.equal(answer.status, 403, `${method} ${path}`);
  }
});

test('layers are listed page by page with size, scope, use and who holds them', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  const agent = await coordinator.join();
  const digests = layers.map(({ digest }: { digest: string }) => digest);
  const [before] = await list(coordinator);
  agent.say({
    ...{ type: 'agent.report', slots: { total: 1, free: 1 }, leases: [], draining: false },
    ...{ layers: [digests[1]], layersUsed: [digests[1]] },
  });
  const { agentId } = await agent.heard('session.welcome');
  let found = await list(coordinator);
  while (found[0].agents.length === 0) found = await list(coordinator);
  assert.deepEqual(
    found.map(({ digest, kind, scope }: Record<string, string>) => [digest, kind, scope]),
    [
      [digests[1], 'setup', 'tenant-local'],
      [digests[0], 'base', 'shared'],
    ],
  );
  assert.deepEqual([found[0].agents, found[1].agents, found[0].parents], [[agentId], [], [digests[0]]]);
  assert.ok(Date.parse(found[0].lastUsedAt) >= Date.parse(before.lastUsedAt));
  const first = await (await coordinator.ask('GET', '/v1/cache?limit=1')).json();
  const second = await (await coordinator.ask('GET', `/v1/cache?limit=1&cursor=${first.next}`)).json();
  assert.deepEqual([first.items[0].digest, second.items[0].digest, second.next], [digests[1], digests[0], null]);
});

test('a layer that an agent found damaged is not counted as held there, and is counted, with the age of the trust state', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  const held = layers.map(({ digest }: { digest: string }) => digest);
  const agent = await coordinator.join();
  agent.report(1, [], held);
  const holders = async () => (await list(coordinator)).filter(({ agents }: { agents: string[] }) => agents.length > 0);
  while ((await holders()).length < 2);
  agent.say({ type: 'layer.damaged', digest: held[1], detail: 'other bytes than were signed' });
  while ((await holders()).length === 2);
  assert.deepEqual((await holders())[0].digest, held[0]);
  const metrics = await (await coordinator.ask('GET', '/metrics')).text();
  assert.match(metrics, /^envicutor_layers_damaged_total 1$/m);
  assert.match(metrics, /^envicutor_trust_age_seconds \d/m);
  assert.ok(coordinator.logged.some(({ msg }) => msg === 'layer damaged on an agent'));
});

test('pins are told to agents, to those that come later, and survive a restart', async (t) => {
  const coordinator = await startCoordinator(t);
  const { id, layers } = await build(coordinator);
  const digests = layers.map(({ digest }: { digest: string }) => digest).sort();
  const agent = await coordinator.join();
  const { agentId } = await agent.heard('session.welcome');
  assert.equal((await post(coordinator, 'pin', { environment: id })).http, 200);
  const both = ({ digests: told }: { digests: string[] }) => told.length === 2;
  assert.deepEqual([...(await agent.heard('layers.pinned', both)).digests].sort(), digests);
  await coordinator.restart();
  const late = await coordinator.join();
  assert.deepEqual([...(await late.heard('layers.pinned', both)).digests].sort(), digests);
  await post(coordinator, 'unpin', { digests: [digests[0]] });
  await late.heard('layers.pinned', (said) => said.digests.length === 1);
  await post(coordinator, 'pin', { digests: [digests[0]], agents: [agentId] });
  const pinned = Object.fromEntries(
    (await list(coordinator)).map((one: { digest: string; pinnedOn: string[] }) => [one.digest, one.pinnedOn]),
  );
  assert.deepEqual([pinned[digests[0]], pinned[digests[1]]], [[agentId], ['*']]);
  assert.equal((await post(coordinator, 'pin', { digests, agents: ['agent_unknown0'] })).code, 'agent-not-found');
  assert.equal((await post(coordinator, 'pin', {})).code, 'request-invalid');
});

test('a prefetch is followed agent by agent, and is over when each is done or lost', async (t) => {
  const coordinator = await startCoordinator(t);
  const { id, layers } = await build(coordinator);
  const [one, two] = [await coordinator.join(), await coordinator.join()];
  const begun = await post(coordinator, 'prefetch', { environment: id });
  assert.deepEqual([begun.http, begun.state, begun.agents.length], [202, 'fetching', 2]);
  const following = coordinator.ask('GET', `/v1/cache/prefetches/${begun.id}/events`).then((answer) => answer.text());
  const asked = await one.heard('layers.prefetch');
  assert.deepEqual([asked.prefetch, asked.layers.length], [begun.id, layers.length]);
  const progress = { type: 'layers.progress', prefetch: begun.id, bytesTotal: 10, failure: null } as const;
  one.say({ ...progress, bytes: 4, isDone: false });
  one.say({ ...progress, bytes: 10, isDone: true });
  await two.heard('layers.prefetch');
  two.socket.terminate();
  const events = await following;
  assert.match(events, /event: progress\ndata: \{.*"bytes":4,"bytesTotal":10,"fraction":0.4/);
  assert.match(events, /event: finished\n/);
  const { state, agents } = await (await coordinator.ask('GET', `/v1/cache/prefetches/${begun.id}`)).json();
  assert.equal(state, 'failed');
  assert.deepEqual(
    agents
      .map((share: { state: string; failure: { code: string } | null }) => [share.state, share.failure?.code])
      .sort(),
    [
      ['done', undefined],
      ['failed', 'agent-lost'],
    ],
  );
  assert.equal((await coordinator.ask('GET', '/v1/cache/prefetches/prefetch_nothing')).status, 404);
});

test('a purged layer is gone and built again when it is asked for; one that another stands on is kept', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  const [base, setup] = layers;
  const kept = await post(coordinator, 'purge', { digests: [base.digest] });
  assert.deepEqual([kept.removed, kept.kept[0]?.reason, kept.kept[0]?.scope], [0, 'needed-by-child', 'shared']);
  const rehearsed = await post(coordinator, 'purge', { digests: [setup.digest], isRehearsal: true });
  assert.deepEqual([rehearsed.removed, (await list(coordinator)).length], [1, 2]);
  const [{ key }] = await list(coordinator);
  assert.equal((await post(coordinator, 'purge', { digests: [setup.digest] })).removed, 1);
  assert.equal(await coordinator.store.head(manifestKey('tenant-local', key)), null);
  assert.equal((await list(coordinator)).length, 1);
  assert.equal((await post(coordinator, 'purge', { digests: [setup.digest] })).code, 'not-found');
  const again = await build(coordinator);
  assert.equal(again.layers[0].digest, base.digest);
  assert.notEqual(again.layers[1].digest, setup.digest);
});

test('collecting removes what was not used for long, and never what is pinned, young, or stood on', async (t) => {
  const coordinator = await startCoordinator(t, { cacheGraceMs: 0 });
  const one = await build(coordinator, { setup: 'one' });
  const two = await build(coordinator, { setup: 'two' });
  await post(coordinator, 'pin', { environment: one.id });
  const none = await post(coordinator, 'collect', { ageMsMax: 3_600_000 });
  assert.deepEqual([none.removed, none.kept], [0, []]);
  // Until two is older than a millisecond.
  while ((await post(coordinator, 'collect', { ageMsMax: 1, isRehearsal: true })).removed === 0);
  const collected = await post(coordinator, 'collect', { ageMsMax: 1 });
  assert.equal(collected.removed, 1);
  const left = (await list(coordinator)).map(({ digest }: { digest: string }) => digest);
  assert.deepEqual(left.sort(), [one.layers[0].digest, one.layers[1].digest].sort());
  assert.notEqual((await build(coordinator, { setup: 'two' })).layers[1].digest, two.layers[1].digest);
});

test('a store that is down fails a purge with a reason, and nothing is half gone', async (t) => {
  const coordinator = await startCoordinator(t);
  const { layers } = await build(coordinator);
  coordinator.services.verifierCode = 503;
  assert.equal((await post(coordinator, 'purge', { digests: [layers[1].digest] })).http >= 400, true);
  coordinator.services.verifierCode = 200;
  assert.equal((await list(coordinator)).length, 2);
  assert.deepEqual((await build(coordinator)).layers, layers);
});

test('another cacheSalt disowns every layer at once', async (t) => {
  const coordinator = await startCoordinator(t);
  const before = await build(coordinator);
  coordinator.change({ cacheSalt: 'after the incident' });
  await coordinator.restart();
  const after = await build(coordinator);
  assert.equal(after.id, before.id);
  for (const index of [0, 1]) assert.notEqual(after.layers[index].digest, before.layers[index].digest);
});

test('whoever waits sees how far publishing and fetching are, and can come back to where it was', async (t) => {
  const coordinator = await startCoordinator(t);
  const { id, events } = await build(coordinator);
  assert.match(events, /event: build.phase\ndata: \{"layer":"setup","phase":"publishing"\}/);
  assert.match(events, /event: build.progress\ndata: \{"layer":"setup","phase":"publishing","bytes":1,"fraction":1\}/);
  const last = Number([...events.matchAll(/^id: (\d+)$/gm)].at(-2)?.[1]);
  const rest = await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, {
    'last-event-id': String(last),
  });
  assert.match(await rest.text(), /^id: \d+\nevent: finished\n[^\n]*\n\n$/);
  await coordinator.join({
    offered: ({ lease, fence }, agent) => {
      agent.say({ type: 'lease.fetching', lease, bytes: 5, bytesTotal: 20 });
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
    },
  });
  const execution = await (
    await coordinator.ask('POST', '/v1/executions', { environment: id, run: { script: 'true' } })
  ).json();
  const said = await (await coordinator.ask('GET', `/v1/executions/${execution.id}/events`)).text();
  assert.match(said, /event: fetch.progress\ndata: \{"phase":"fetching","bytes":5,"bytesTotal":20,"fraction":0.25\}/);
});

test("two requests of one tenant share a build's log, and no other tenant hears it", async (t) => {
  const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
  const tenant = (id: string) => ({ id, keys: [{ name: id, sha256: sha256(id) }] });
  const coordinator = await startCoordinator(t, {}, createKeyRing({ tenants: [tenant('one'), tenant('two')] }));
  const as = (id: string) => ({ authorization: `Bearer ${id}` });
  await coordinator.join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const run = { environment, run: { script: 'true' } };
  const [first, second] = await Promise.all(
    [0, 1].map(async () => (await coordinator.ask('POST', '/v1/executions', run, as('one'))).json()),
  );
  const { id, events } = await build(coordinator, environment, as('one'));
  const linesOf = (text: string) => [...text.matchAll(/^event: build\.\w+\n(data: .*)$/gm)].map(([, line]) => line);
  for (const execution of [first, second]) {
    const stream = await coordinator.ask('GET', `/v1/executions/${execution.id}/events`, undefined, as('one'));
    const followed = await stream.text();
    assert.match(followed, new RegExp(id), 'it ends with the result');
    assert.deepEqual(linesOf(followed), linesOf(events), 'the same lines, whoever was first');
  }
  assert.match(events, /building setup/);
  assert.equal((await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as('two'))).status, 404);
  const other = await build(coordinator, environment, as('two'));
  assert.equal(other.id, id, 'a shareable environment has one id');
  const builds = coordinator.services.orders.filter(({ kind }) => kind === 'setup');
  assert.deepEqual(
    builds.map(({ tenantId }) => tenantId),
    ['one', 'two'],
    'each tenant has a build, and a log, of its own',
  );
});
