/**
 * Owns environments over HTTP with a builder and a verifier that are scripted: identity, single flight, scopes, failures, promotion.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { type BuildScript, builds } from '../support/fake-build-services.ts';
import { makeReport } from '../support/lease-results.ts';

const setup = { setup: 'apt-get install -y g++' };
const kinds = (orders: readonly { kind: string }[]) => orders.map(({ kind }) => kind);

/** Builds whose layer of this kind ends as the changes say. */
const ending =
  (kind: string, changes: object): BuildScript =>
  async (order) => {
    const events = await builds(order);
    if (order.kind !== kind) return events;
    return events.map((event) => (event.type === 'finished' ? ({ ...event, ...changes } as never) : event));
  };

test('an environment is declared, followed to its end, and there afterwards', async (t) => {
  const coordinator = await startCoordinator(t);
  const declared = await coordinator.ask('POST', '/v1/environments', { ...setup, dependencies: 'npm install' });
  assert.equal(declared.status, 202);
  const { id } = await declared.json();
  const events = await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  assert.match(events, /event: build.log\ndata: \{"layer":"setup","stream":"stdout","text":"building setup\\n"\}/);
  const found = await (await coordinator.ask('GET', `/v1/environments/${id}`)).json();
  assert.equal(found.state, 'ready');
  assert.deepEqual(kinds(found.layers), ['base', 'setup', 'dependencies']);
  assert.deepEqual(kinds(coordinator.services.orders), ['base', 'setup', 'dependencies']);
  assert.deepEqual(
    coordinator.services.orders[2]?.parents.map(({ url }) => new URL(url).origin),
    [coordinator.url, coordinator.url],
  );
  const again = await coordinator.ask('POST', '/v1/environments', { dependencies: 'npm install', ...setup });
  assert.equal(again.status, 200);
  assert.equal((await again.json()).id, id);
  await coordinator.restart();
  assert.equal(
    (await coordinator.ask('POST', '/v1/environments', { ...setup, dependencies: 'npm install' })).status,
    200,
  );
  assert.equal(coordinator.services.orders.length, 3);
});

test('many who want the same environment share one build of each layer, and of the base with all others', async (t) => {
  const coordinator = await startCoordinator(t);
  const wanted = [setup, { dependencies: 'npm install' }, setup, { dependencies: 'npm install' }];
  const all = wanted.map(async (body) => (await coordinator.ask('POST', '/v1/environments', body)).json());
  const ids = new Set((await Promise.all(all)).map(({ id }) => id));
  assert.equal(ids.size, 2);
  for (const id of ids) await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  assert.deepEqual(kinds(coordinator.services.orders).sort(), ['base', 'dependencies', 'setup']);
});

test('a fresh environment is built again and replaces the one before; the base stays', async (t) => {
  const coordinator = await startCoordinator(t);
  const build = async (request: object) => {
    const { id } = await (await coordinator.ask('POST', '/v1/environments', request)).json();
    await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
    return await (await coordinator.ask('GET', `/v1/environments/${id}`)).json();
  };
  const before = await build(setup);
  const after = await build({ ...setup, fresh: true });
  assert.equal(after.id, before.id);
  assert.equal(after.layers[0].digest, before.layers[0].digest);
  assert.notEqual(after.layers[1].digest, before.layers[1].digest);
  await coordinator.restart();
  assert.deepEqual(await build(setup), after);
});

test('a failing script is remembered for a while: the same request gets the same report without a build', async (t) => {
  const coordinator = await startCoordinator(t);
  const report = makeReport({ verdict: 'nonzero-exit', exitCode: 100, stderr: 'E: Unable to locate package' });
  coordinator.services.script = ending('setup', { endedIn: 'setup', layer: null, report });
  const request = { environment: setup, run: { script: 'true' } };
  for (let index = 0; index < 2; index += 1) {
    const answer = await coordinator.ask('POST', '/v1/executions?wait=true', request);
    const execution = await answer.json();
    assert.deepEqual([execution.verdict, execution.endedIn, execution.setup], ['nonzero-exit', 'setup', report]);
  }
  assert.deepEqual(kinds(coordinator.services.orders), ['base', 'setup']);
});

test('a registry that could not be reached is asked again soon', async (t) => {
  const coordinator = await startCoordinator(t, { unreachableTtlMs: 0 });
  const report = makeReport({ verdict: 'nonzero-exit', exitCode: 100 });
  coordinator.services.script = ending('setup', { endedIn: 'setup', layer: null, report, isNetworkUnreachable: true });
  const request = { environment: setup, run: { script: 'true' } };
  await (await coordinator.ask('POST', '/v1/executions?wait=true', request)).json();
  await (await coordinator.ask('POST', '/v1/executions?wait=true', request)).json();
  assert.deepEqual(kinds(coordinator.services.orders), ['base', 'setup', 'setup']);
});

test('a build that nobody waits for any more is ended, one that somebody waits for goes on', async (t) => {
  const coordinator = await startCoordinator(t);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  coordinator.services.script = async (order) => {
    if (order.kind === 'setup') {
      begin();
      await gate;
    }
    return builds(order);
  };
  const request = { environment: setup, run: { script: 'true' } };
  const one = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const two = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  await begun;
  await coordinator.ask('DELETE', `/v1/executions/${one.id}`);
  assert.equal(coordinator.services.closedEarly, 0);
  const closing = once(coordinator.services.builder, 'closed-early');
  await coordinator.ask('DELETE', `/v1/executions/${two.id}`);
  await closing;
  open();
  const ended = await (await coordinator.ask('GET', `/v1/environments/${one.environment.id}`)).json();
  assert.equal(ended.state, 'failed');
  coordinator.services.script = builds;
  assert.equal((await coordinator.ask('POST', '/v1/environments', setup)).status, 202, 'it may be wanted again');
  await (await coordinator.ask('GET', `/v1/environments/${one.environment.id}/events`)).text();
});

test('a private environment has its own id and key, and its secrets are stored nowhere', async (t) => {
  const coordinator = await startCoordinator(t);
  const secrets = { TOKEN: 'hush-hush' };
  const { id } = await (await coordinator.ask('POST', '/v1/environments', { ...setup, secrets })).json();
  const open = await (await coordinator.ask('POST', '/v1/environments', setup)).json();
  assert.notEqual(id, open.id);
  for (const each of [id, open.id]) await (await coordinator.ask('GET', `/v1/environments/${each}/events`)).text();
  assert.deepEqual(coordinator.services.orders.find((order) => order.secrets['TOKEN'])?.secrets, secrets);
  const row = await coordinator.state.environments.get('local', id);
  assert.doesNotMatch(JSON.stringify(row), /hush/);
  assert.match(row?.manifests[1] ?? '', /^manifests\/tenant-local\/k1t-/);
  const promoted = await coordinator.ask('POST', '/v1/cache/promote', { environment: id });
  assert.equal(promoted.status, 409);
});

test("a tenant's build is its own until an operator promotes it, then it is found by everybody", async (t) => {
  const tenant = (id: string) => ({
    id,
    isOperator: id === 'one',
    keys: [{ name: 'k', sha256: digestHex(digestOf(id)) }],
  });
  const coordinator = await startCoordinator(
    t,
    {},
    createKeyRing({ tenants: [tenant('one'), tenant('two'), tenant('six')] }),
  );
  const as = (name: string) => ({ authorization: `Bearer ${name}` });
  const build = async (name: string) => {
    const { id } = await (await coordinator.ask('POST', '/v1/environments', setup, as(name))).json();
    await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as(name))).text();
    return await (await coordinator.ask('GET', `/v1/environments/${id}`, undefined, as(name))).json();
  };
  const one = await build('one');
  const two = await build('two');
  assert.equal(one.id, two.id);
  assert.deepEqual([one.scope, two.scope], ['tenant', 'tenant']);
  assert.notEqual(one.layers[1].digest, two.layers[1].digest);
  const body = { environment: one.id };
  assert.equal((await coordinator.ask('POST', '/v1/cache/promote', body, as('two'))).status, 403);
  const promoted = await (await coordinator.ask('POST', '/v1/cache/promote', body, as('one'))).json();
  assert.equal(promoted.scope, 'shared');
  const six = await build('six');
  assert.deepEqual([six.scope, six.layers[1].digest], ['shared', one.layers[1].digest]);
  assert.deepEqual(kinds(coordinator.services.orders), ['base', 'setup', 'setup']);
});

test('a builder that breaks is asked again, and then the environment is failed by us', async (t) => {
  const coordinator = await startCoordinator(t);
  coordinator.services.script = () => [
    { type: 'broken', code: 'launcher-unavailable', detail: 'the launcher is gone' },
  ];
  const answer = await coordinator.ask('POST', '/v1/executions?wait=true', { environment: setup, run: { script: '' } });
  const execution = await answer.json();
  assert.equal(execution.stage, 'failed');
  assert.deepEqual(execution.failure.code, 'build-failed');
  assert.equal(coordinator.services.orders.length, 3);
});

test('what a script leaves that can be no layer is its own doing: told at once, and not built again for it', async (t) => {
  const coordinator = await startCoordinator(t);
  const detail = 'what the build left behind can\'t become a layer: "/environment" is a symlink';
  coordinator.services.script = (order) =>
    order.kind === 'base' ? builds(order) : [{ type: 'broken', code: 'layer-refused', detail }];
  const { id } = await (await coordinator.ask('POST', '/v1/environments', setup)).json();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`)).text();
  const { state, failure } = await (await coordinator.ask('GET', `/v1/environments/${id}`)).json();
  assert.deepEqual([state, failure], ['failed', { code: 'layer-refused', detail }]);
  assert.deepEqual(kinds(coordinator.services.orders), ['base', 'setup']);
});

test('a layer can be had by its URL and by nothing else', async (t) => {
  const coordinator = await startCoordinator(t);
  const blob = Buffer.from('layer');
  const digest = digestOf(blob);
  await coordinator.store.put(`cas/sha256/${digestHex(digest)}`, blob, { bytes: blob.length, sha256: digest });
  coordinator.services.script = async (order) =>
    (await builds(order)).map((event) =>
      event.type === 'finished' && event.layer !== null
        ? { ...event, layer: { ...event.layer, blob: { digest, bytes: blob.length } } }
        : event,
    );
  const agent = await coordinator.join();
  await coordinator.ask('POST', '/v1/executions', { environment: {}, run: { script: 'true' } });
  const { url = '' } = (await agent.heard('lease.offer')).order.layers[0] ?? {};
  assert.equal(await (await fetch(url)).text(), 'layer');
  assert.equal((await fetch(url.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')))).status, 403);
});
