/**
 * Owns the proof that a tenant's environment becomes everybody's when a second build agrees, without an operator, and that a private or
 * fresh one never does: a whole coordinator with scripted builder and verifier.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { builds } from '../support/fake-build-services.ts';

const wanted = { setup: 'apt-get install -y g++', dependencies: 'npm install' };
const tenant = (id: string) => ({ id, isOperator: false, keys: [{ name: 'k', sha256: digestHex(digestOf(id)) }] });

async function startWithTenants(test: TestContext, changes = {}) {
  const ring = createKeyRing({ tenants: [tenant('one'), tenant('two')] });
  const coordinator = await startCoordinator(
    test,
    { reproduceBuilds: 'auto', reproductionIdleMs: 0, ...changes },
    ring,
  );
  const as = (name: string) => ({ authorization: `Bearer ${name}` });
  const get = async (name: string, id: string) =>
    await (await coordinator.ask('GET', `/v1/environments/${id}`, undefined, as(name))).json();
  const build = async (name: string, request: object = wanted) => {
    const { id } = await (await coordinator.ask('POST', '/v1/environments', request, as(name))).json();
    await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as(name))).text();
    return await get(name, id);
  };
  const untilShared = async (name: string, id: string) => {
    for (;;) {
      const found = await get(name, id);
      if (found.scope === 'shared') return found;
    }
  };
  const metric = async (line: string) => {
    const text = await (await coordinator.ask('GET', '/metrics')).text();
    return Number(
      text
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.slice(line.length) ?? 0,
    );
  };
  const untilMetric = async (line: string, value: number) => {
    while ((await metric(line)) < value);
  };
  const ordered = () => coordinator.services.orders.map(({ tenantId, kind }) => `${tenantId} ${kind}`);
  return Object.assign(coordinator, { build, get, untilShared, metric, untilMetric, ordered });
}

test("an environment is built a second time on nobody's account, and then it is there for every tenant", async (t) => {
  const coordinator = await startWithTenants(t);
  const mine = await coordinator.build('one');
  assert.equal(mine.scope, 'tenant');
  const shared = await coordinator.untilShared('one', mine.id);
  assert.deepEqual(shared.layers, mine.layers, 'the first build is what is shared');
  const seconds = coordinator.services.orders.filter(({ tenantId }) => tenantId === '-platform');
  assert.deepEqual(
    seconds.map(({ kind, script }) => [kind, script]),
    [
      ['setup', wanted.setup],
      ['dependencies', wanted.dependencies],
    ],
  );
  assert.equal(new Set(coordinator.services.orders.map(({ buildId }) => buildId)).size, 5);
  assert.deepEqual(
    coordinator.services.reproductions.map(({ second, parents }) => [second.buildId, parents.length]),
    [
      [seconds[0]?.buildId, 1],
      [seconds[1]?.buildId, 2],
    ],
  );
  const theirs = await coordinator.build('two');
  assert.deepEqual([theirs.scope, theirs.layers], ['shared', mine.layers]);
  assert.equal(coordinator.services.orders.length, 5);
  await coordinator.untilMetric('envicutor_layer_reproductions_total{outcome="shared"}', 2);
  await coordinator.restart();
  assert.equal((await coordinator.get('one', mine.id)).scope, 'shared');
});

test('no second build begins between two layers of one environment, however slowly the store answers', async (t) => {
  const coordinator = await startWithTenants(t);
  const get = coordinator.store.get.bind(coordinator.store);
  coordinator.store.get = async (key) => {
    await later(20);
    return await get(key);
  };
  const { id } = await coordinator.build('one');
  assert.deepEqual(coordinator.ordered().slice(0, 3), ['one base', 'one setup', 'one dependencies']);
  await coordinator.untilShared('one', id);
  assert.equal(await coordinator.metric('envicutor_layer_reproductions_total{outcome="interrupted"}'), 0);
});

test('private and fresh environments, and those of the embedded mode, are built once', async (t) => {
  const coordinator = await startWithTenants(t);
  await coordinator.build('one', { setup: 'true', visibility: 'private' });
  await coordinator.build('one', { setup: 'true', secrets: { TOKEN: 'x' } });
  await coordinator.build('one', { setup: 'true', fresh: true });
  coordinator.services.script = async (order) =>
    (await builds(order)).map((event) => (event.type === 'finished' ? { ...event, isPrivate: true } : event));
  await coordinator.build('one', { setup: 'curl -u me:secret https://example.org' });
  coordinator.services.script = builds;
  const last = await coordinator.build('one', { setup: 'echo last' });
  await coordinator.untilShared('one', last.id);
  assert.deepEqual(
    coordinator.ordered().filter((each) => each.startsWith('-platform')),
    ['-platform setup'],
  );
  const embedded = await startCoordinator(t, { reproduceBuilds: 'auto', reproductionIdleMs: 0 });
  const { id } = await (await embedded.ask('POST', '/v1/environments', wanted)).json();
  await (await embedded.ask('GET', `/v1/environments/${id}/events`)).text();
  const idle = await (await embedded.ask('GET', '/metrics')).text();
  assert.match(idle, /^envicutor_layer_reproductions_waiting 0$/m);
});

test("a build that disagrees is not tried again, stays its tenant's, and the log names what differs", async (t) => {
  const coordinator = await startWithTenants(t);
  coordinator.services.refusals.reproduction = 'reproduction-differs: 1 of its files differ: /etc/stamp';
  const { id } = await coordinator.build('one');
  await coordinator.untilMetric('envicutor_layer_reproductions_total{outcome="refused"}', 1);
  await coordinator.build('one', { setup: wanted.setup });
  coordinator.services.refusals.reproduction = null;
  const other = await coordinator.build('one', { setup: 'echo another' });
  await coordinator.untilShared('one', other.id);
  assert.equal((await coordinator.get('one', id)).scope, 'tenant');
  assert.deepEqual(
    coordinator.ordered().filter((each) => each.startsWith('-platform')),
    ['-platform setup', '-platform setup'],
  );
});

test('what could not be shared anyway is not built a second time', async (t) => {
  const coordinator = await startWithTenants(t);
  coordinator.services.refusals.candidate = 'reproduction-plain-http: http://example.org/x came without TLS';
  await coordinator.build('one', { setup: 'true' });
  await coordinator.untilMetric('envicutor_layer_reproductions_total{outcome="refused"}', 1);
  assert.deepEqual(coordinator.ordered(), ['one base', 'one setup']);
});

test("a client's build never waits for a second one: it is ended, and comes back later", async (t) => {
  const coordinator = await startWithTenants(t);
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  coordinator.services.script = async (order) => {
    if (order.tenantId === '-platform') {
      begun.resolve();
      await gate.promise;
    }
    return builds(order);
  };
  await coordinator.build('one', { setup: 'true' });
  await begun.promise;
  assert.equal((await coordinator.build('two', { setup: 'false' })).state, 'ready');
  assert.equal(coordinator.services.closedEarly, 1);
  gate.resolve();
  await coordinator.untilMetric('envicutor_layer_reproductions_total{outcome="interrupted"}', 1);
});

test('what a restart forgot is offered again when its environment is next used', async (t) => {
  const coordinator = await startWithTenants(t, { reproduceBuilds: 'off' });
  const { id } = await coordinator.build('one');
  assert.equal(coordinator.services.orders.length, 3);
  coordinator.change({ reproduceBuilds: 'on' });
  await coordinator.restart();
  assert.equal((await coordinator.build('one')).scope, 'tenant');
  await coordinator.untilShared('one', id);
});
