/**
 * Owns the proof that a private environment tells another tenant nothing, not even that it exists: every route answers for its id exactly
 * what it answers for an id that nobody has, while it is being built, when it is ready, and when it failed.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { type BuildScript, builds } from '../support/fake-build-services.ts';
import { makeReport } from '../support/lease-results.ts';

const tenant = (id: string) => ({ id, isOperator: false, keys: [{ name: 'k', sha256: digestHex(digestOf(id)) }] });
const as = (name: string) => ({ authorization: `Bearer ${name}` });
const nobodys = `env_${'0'.repeat(52)}`;

/** A coordinator where `owner` has had a private environment built. */
async function startWithSecret(t: TestContext, script: BuildScript = builds) {
  const coordinator = await startCoordinator(t, {}, createKeyRing({ tenants: [tenant('owner'), tenant('guest')] }));
  coordinator.services.script = script;
  const request = { setup: 'install things', visibility: 'private' };
  const { id } = await (await coordinator.ask('POST', '/v1/environments', request, as('owner'))).json();
  return { coordinator, id: id as string, request };
}

type Coordinator = Awaited<ReturnType<typeof startWithSecret>>['coordinator'];

/** Everything that the guest can ask about an id, and what he is told, without what is different in every answer. */
async function answersAbout(coordinator: Coordinator, id: string): Promise<string[]> {
  const execution = { environment: id, run: { script: 'true' } };
  const questions: readonly (readonly [string, string, object?])[] = [
    ['GET', `/v1/environments/${id}`],
    ['GET', `/v1/environments/${id}/events`],
    ['POST', '/v1/executions', execution],
    ['POST', '/v1/executions?wait=true', execution],
    ['POST', '/v1/cache/promote', { environment: id }],
    ['POST', '/v1/cache/promote', { environment: id, tenant: 'owner' }],
    ['GET', '/v1/environments'],
  ];
  const answers: string[] = [];
  for (const [method, path, body] of questions) {
    const answer = await coordinator.ask(method, path, body, as('guest'));
    const headers = ['content-type', 'cache-control', 'retry-after'].map((name) => answer.headers.get(name));
    const text = (await answer.text()).replaceAll(id, '<id>').replace(/"requestId":"[^"]*"/, '');
    answers.push(JSON.stringify([method, path.replaceAll(id, '<id>'), answer.status, headers, text]));
  }
  return answers;
}

test("while it is built, when it is ready, and after a restart, its id is nobody's for another tenant", async (t) => {
  const gate = Promise.withResolvers<void>();
  const { coordinator, id } = await startWithSecret(t, async (order) => {
    await gate.promise;
    return builds(order);
  });
  const unknown = await answersAbout(coordinator, nobodys);
  assert.ok(unknown.filter((answer) => answer.includes('environment-not-found')).length >= 4, unknown.join('\n'));
  assert.deepEqual(await answersAbout(coordinator, id), unknown);
  gate.resolve();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as('owner'))).text();
  assert.equal(
    (await (await coordinator.ask('GET', `/v1/environments/${id}`, undefined, as('owner'))).json()).state,
    'ready',
  );
  assert.deepEqual(await answersAbout(coordinator, id), unknown);
  await coordinator.restart();
  assert.deepEqual(await answersAbout(coordinator, id), unknown);
});

test('when its script failed, another tenant hears nothing of that either, and runs the same script himself', async (t) => {
  const report = makeReport({ verdict: 'nonzero-exit', exitCode: 7 });
  const failing: BuildScript = async (order) =>
    (await builds(order)).map((event) =>
      event.type === 'finished' && order.kind === 'setup' ? { ...event, endedIn: 'setup', layer: null, report } : event,
    );
  const { coordinator, id, request } = await startWithSecret(t, failing);
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as('owner'))).text();
  assert.deepEqual(await answersAbout(coordinator, id), await answersAbout(coordinator, nobodys));
  coordinator.services.script = builds;
  for (const visibility of ['private', 'shareable']) {
    const answer = await coordinator.ask('POST', '/v1/environments', { ...request, visibility }, as('guest'));
    const mine = await answer.json();
    assert.notEqual(mine.id, id);
    assert.equal(answer.status, 202, 'it is built for him, as if nobody had');
    await (await coordinator.ask('GET', `/v1/environments/${mine.id}/events`, undefined, as('guest'))).text();
  }
  const setups = coordinator.services.orders.filter(({ kind }) => kind === 'setup');
  assert.deepEqual(
    setups.map(({ tenantId }) => tenantId),
    ['owner', 'guest'],
    'his own private layer serves him again',
  );
});

test('its keys can not be computed by somebody who knows the whole request, nor found under another tenant', async (t) => {
  const { coordinator, id } = await startWithSecret(t);
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as('owner'))).text();
  const keys: string[] = [];
  for await (const { key } of coordinator.store.list('manifests/')) keys.push(key);
  const own = keys.filter((key) => key.startsWith('manifests/tenant-owner/'));
  assert.equal(own.length, 1);
  assert.match(own[0] ?? '', /\/k1t-/);
  assert.deepEqual(
    keys.filter((key) => !own.includes(key)).map((key) => key.split('/')[1]),
    ['shared'],
    'the base',
  );
});

test("its layers are marked as nobody else's, so that the same bytes are never found under another tenant", async (t) => {
  const { coordinator, request } = await startWithSecret(t);
  for (const [name, visibility] of [
    ['guest', 'shareable'],
    ['guest', 'private'],
    ['owner', 'private'],
  ] as const) {
    const asked = { ...request, setup: 'install the same things', visibility };
    const { id } = await (await coordinator.ask('POST', '/v1/environments', asked, as(name))).json();
    await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as(name))).text();
  }
  const orders = coordinator.services.orders.filter(({ script }) => script === 'install the same things');
  const marks = orders.map(({ mark }) => mark);
  assert.ok(!marks.includes(null) && new Set(marks).size === 2, JSON.stringify(marks));
  assert.notEqual(marks[1], marks[2], "another tenant's is another one");
  assert.deepEqual(
    orders.map(({ isPrivate }) => isPrivate),
    [false, true, true],
  );
  const bases = coordinator.services.orders.filter(({ kind }) => kind === 'base');
  assert.ok(bases.length > 0 && bases.every(({ mark, isPrivate }) => mark === null && !isPrivate));
});

test('a layer that turned out private makes every layer upon it private, although nobody asked for that', async (t) => {
  const { coordinator } = await startWithSecret(t, async (order) =>
    (await builds(order)).map((event) =>
      event.type === 'finished' && order.script === 'fetch with credentials' ? { ...event, isPrivate: true } : event,
    ),
  );
  const request = { setup: 'fetch with credentials', dependencies: 'copy what was fetched' };
  const answer = await coordinator.ask('POST', '/v1/environments', request, as('owner'));
  const { id } = await answer.json();
  await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as('owner'))).text();
  const orders = coordinator.services.orders.filter(({ script }) => Object.values(request).includes(script));
  assert.deepEqual(
    orders.map(({ isPrivate }) => isPrivate),
    [false, true],
  );
  const shareable: string[] = [];
  for await (const { key } of coordinator.store.list('manifests/tenant-owner/')) {
    if (!key.includes('/k1t-')) shareable.push(key);
  }
  assert.deepEqual(shareable, []);
});
