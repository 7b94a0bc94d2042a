/**
 * Owns what operators see of all tenants over HTTP, and how the console's page is served: to whom, with which headers, and where it is not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import { provenanceKey } from '../../shared/layers/layer-manifest.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import { operatorKey, setConsoleStage, tenantKey } from '../support/console-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

const operator = { authorization: `Bearer ${operatorKey}` };
const tenant = { authorization: `Bearer ${tenantKey}` };

test('an operator sees queues, executions and environments of every tenant, without what programs wrote; a tenant sees none of it', async (t) => {
  const { coordinator, execute, build, letGo } = await setConsoleStage(t);
  const get = async (path: string, as: Record<string, string> = operator) =>
    await coordinator.ask('GET', path, undefined, as);
  const [of, also] = [await execute('true'), await execute('fail', 'the-key-of-two')];
  const queues = await (await get('/v1/instance/queues')).json();
  assert.deepEqual([queues.slots, queues.items.length], [{ total: 6, free: 6 }, 3]);
  const one = queues.items.find((each: { tenant: string }) => each.tenant === 'one');
  assert.deepEqual([one.weight, one.begunInMinute, one.refused], [3, 1, { rate: 0, queue: 0, time: 0 }]);

  const listed = await (await get('/v1/instance/executions')).json();
  assert.deepEqual(
    listed.items.map(({ id, tenant, verdict }: Record<string, string>) => [id, tenant, verdict]),
    [
      [also.id, 'two', 'nonzero-exit'],
      [of.id, 'one', 'ok'],
    ],
  );
  const detail = await (await get(`/v1/instance/executions/${also.id}`)).json();
  assert.deepEqual([detail.tenant, detail.execution.run.stdout, detail.execution.run.exitCode], ['two', '', 1]);
  assert.equal(detail.placement.attempts.length, 1);
  assert.equal((await get('/v1/instance/executions/exec_none')).status, 404);

  const { id } = await build();
  letGo();
  await (await get(`/v1/instance/environments/one/${id}/events`)).text();
  const { environment } = await (await get(`/v1/instance/environments/one/${id}`)).json();
  assert.equal(environment.state, 'ready');
  const recorded = await (await get('/v1/instance/environments?tenant=one')).json();
  assert.ok(recorded.items.some((each: { environment: { id: string } }) => each.environment.id === id));
  assert.ok((await (await get('/v1/instance/environments')).json()).items.length > 0);
  assert.equal((await get(`/v1/instance/environments/two/${id}`)).status, 404);

  for (const path of [
    'queues',
    'executions',
    `executions/${of.id}`,
    'environments',
    `environments/one/${id}`,
    `environments/one/${id}/events`,
  ])
    assert.equal((await get(`/v1/instance/${path}`, tenant)).status, 403, path);
});

test('how a layer came to be is handed out as it was signed', async (t) => {
  const { coordinator } = await setConsoleStage(t);
  const statement = JSON.stringify({ predicate: 'of a build' });
  const signatures = [{ keyid: 'a key', sig: 'AAAA' }];
  const envelope = {
    payloadType: 'application/vnd.in-toto+json',
    payload: Buffer.from(statement).toString('base64'),
    signatures,
  };
  const bytes = Buffer.from(JSON.stringify(envelope));
  const digest = digestOf('the statement');
  await coordinator.store.put(provenanceKey(digest), bytes, describeBytes(bytes));
  const get = (of: string, as = operator) => coordinator.ask('GET', `/v1/instance/provenance/${of}`, undefined, as);
  assert.deepEqual(await (await get(digest)).json(), envelope);
  assert.equal((await get(digestOf('another'))).status, 404);
  assert.equal((await get(digest, tenant)).status, 403);
});

test('what is recorded of a tenant is listed after a restart, and found by its id alone', async (t) => {
  const { coordinator } = await setConsoleStage(t);
  const body = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  const { id } = await (await coordinator.ask('POST', '/v1/executions', body, tenant)).json();
  await (await coordinator.ask('GET', `/v1/executions/${id}/events`, undefined, tenant)).text();
  await coordinator.restart();
  const get = async (path: string) => await (await coordinator.ask('GET', path, undefined, operator)).json();
  assert.deepEqual((await get('/v1/instance/executions')).items, []);
  const [listed] = (await get('/v1/instance/executions?tenant=one')).items;
  assert.equal(listed.id, id);
  const { tenant: whose, execution, placement } = await get(`/v1/instance/executions/${id}`);
  assert.deepEqual([whose, execution.id, placement], ['one', id, null]);
});

test('a tenant that is refused is counted by why', async (t) => {
  const { coordinator } = await setConsoleStage(t);
  const quotas = { executionsPerMinuteMax: 1 };
  await coordinator.ask('PUT', '/v1/tenants/new', { quotas }, operator);
  const asked = { name: 'k', scopes: ['execute'] };
  const { key } = await (await coordinator.ask('POST', '/v1/tenants/new/keys', asked, operator)).json();
  const body = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  const codes = [];
  for (let turn = 0; turn < 3; turn += 1)
    codes.push(
      (await coordinator.ask('POST', '/v1/executions?wait=5', body, { authorization: `Bearer ${key}` })).status,
    );
  const refused = codes.filter((code) => code === 429).length;
  assert.ok(refused >= 1, 'the minute of the clock may have ended once');
  const { items } = await (await coordinator.ask('GET', '/v1/instance/queues', undefined, operator)).json();
  const queue = items.find((each: { tenant: string }) => each.tenant === 'new');
  assert.deepEqual(queue.refused, { rate: refused, queue: 0, time: 0 });
});

test('the page is served to whoever asks, may load nothing but its own, and its files never change at their address', async (t) => {
  const coordinator = await startCoordinator(t);
  const page = await fetchPage(`${coordinator.url}/console/`);
  assert.equal(page.status, 200);
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/);
  assert.ok(!/unsafe|\*|https?:/.test(policy), policy);
  assert.deepEqual(
    [page.headers.get('x-content-type-options'), page.headers.get('cache-control')],
    ['nosniff', 'no-cache'],
  );
  assert.ok(!/<script(?![^>]*src=)|<style| style=| on[a-z]+=/i.test(page.text), 'nothing is inline');
  const found = [...page.text.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map(([, path = '']) => path);
  assert.equal(found.filter((path) => path.endsWith('.css')).length, 2);
  for (const path of found) {
    const file = await fetchPage(`${coordinator.url}/console/${path}`);
    assert.equal(file.status, 200, path);
    assert.match(file.headers.get('cache-control') ?? '', /immutable/);
    assert.equal(file.headers.get('x-content-type-options'), 'nosniff');
    assert.match(file.headers.get('content-type') ?? '', path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
    const stale = await fetchPage(
      `${coordinator.url}/console/${path.replace(/assets\/\w+/, 'assets/0000000000000000')}`,
    );
    assert.equal(stale.status, 404);
  }
  for (const path of ['assets/x/main.ts', 'assets/x/..%2f..%2findex.html', 'main.ts', 'tsconfig.json'])
    assert.equal((await fetchPage(`${coordinator.url}/console/${path}`)).status, 404, path);
  assert.equal((await fetchPage(`${coordinator.url}/console`)).status, 200, 'it leads there');
});

test('where the console is off there is none', async (t) => {
  const coordinator = await startCoordinator(t, { console: 'off' });
  assert.equal((await fetchPage(`${coordinator.url}/console/`)).status, 404);
});

async function fetchPage(url: string) {
  const answer = await fetch(url);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
