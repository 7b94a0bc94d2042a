/**
 * Owns tenants through the API of a whole coordinator: what keys may by their scopes, who gives out and revokes which, what of others nobody sees, and
 * that what operators do is written down. Routes are taken from the API's own description, so that none is forgotten.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { localReceivers, WebhookReceiver } from '../support/webhook-receiver.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
const keysOf = (id: string) => [{ name: 'k', sha256: digestHex(digestOf(id)) }];
const later = (ms: number) => new Date(Date.now() + ms).toISOString();

async function start(t: TestContext, changes = {}) {
  const ring = createKeyRing({
    tenants: [
      { id: 'operator', isOperator: true, keys: keysOf('operator') },
      { id: 'one', keys: keysOf('one') },
      { id: 'two', keys: keysOf('two') },
    ],
  });
  const coordinator = await startCoordinator(t, changes, ring);
  const as = async (key: string, method: string, path: string, body?: unknown) => {
    const answer = await coordinator.ask(method, path, body, { authorization: `Bearer ${key}` });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text.startsWith('{') ? JSON.parse(text) : text };
  };
  const issue = async (who: string, tenant: string, scopes: string[], more: object = {}) => {
    const body = { name: scopes.join(' '), scopes, ...more };
    return await as(who, 'POST', `/v1/tenants/${tenant}/keys`, body);
  };
  return Object.assign(coordinator, { as, issue });
}

type Stage = Awaited<ReturnType<typeof start>>;

/** Every route that clients are told of: method, path with names in braces. */
async function routesOf({ as }: Stage): Promise<{ method: string; path: string }[]> {
  const { paths } = (await as('operator', 'GET', '/openapi.json')).body;
  return Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
}

test('an operator makes a tenant and gives it keys, which are shown once, used at once, and gone when they are revoked', async (t) => {
  const { as, issue } = await start(t);
  const made = await as('operator', 'PUT', '/v1/tenants/new', { weight: 2, quotas: { queueDepthMax: 5 } });
  assert.deepEqual(
    [made.status, made.body.source, made.body.weight, made.body.quotas],
    [200, 'store', 2, { queueDepthMax: 5 }],
  );
  const issued = await issue('operator', 'new', ['execute', 'operate']);
  assert.equal(issued.status, 201);
  assert.equal(issued.headers.get('cache-control'), 'no-store');
  const { key, id } = issued.body;
  assert.match(key, /^envk_[0-9a-z]{59}$/);
  assert.deepEqual((await as(key, 'GET', '/v1/executions')).body.items, []);
  const listed = await as(key, 'GET', '/v1/tenants/new/keys');
  assert.deepEqual(
    [listed.body.items.length, listed.body.items[0].id, listed.body.items[0].name],
    [1, id, 'execute operate'],
  );
  assert.ok(!JSON.stringify(listed.body).includes(key.slice(5, 57)), 'never the key');
  assert.deepEqual((await as('operator', 'GET', '/v1/tenants')).body.items.length, 4);
  assert.deepEqual(
    (await as(key, 'GET', '/v1/tenants')).body.items.map((each: { id: string }) => each.id),
    ['new'],
  );
  const second = await issue(key, 'new', ['execute']);
  assert.equal((await as(second.body.key, 'GET', '/v1/executions')).status, 200, 'two keys are good at once');
  assert.equal((await as(key, 'DELETE', `/v1/tenants/new/keys/${id}`)).status, 200);
  assert.equal((await as(key, 'GET', '/v1/executions')).status, 401);
  assert.equal((await as(second.body.key, 'GET', '/v1/executions')).status, 200);
  assert.equal((await as('operator', 'DELETE', `/v1/tenants/new/keys/${id}`)).status, 404);
});

test('what the file lists is changed in the file, and a key gives out nothing that it has not', async (t) => {
  const { as, issue } = await start(t);
  const refused = await as('operator', 'PUT', '/v1/tenants/one', { weight: 9 });
  assert.deepEqual([refused.status, refused.body.code], [409, 'conflict']);
  assert.equal((await as('operator', 'PUT', '/v1/tenants/local', {})).status, 409);
  const [inFile] = (await as('one', 'GET', '/v1/tenants/one/keys')).body.items;
  assert.deepEqual(
    [inFile.createdAt, (await as('one', 'DELETE', `/v1/tenants/one/keys/${inFile.id}`)).status],
    [null, 409],
  );
  const soon = later(3_600_000);
  const narrow = (await issue('one', 'one', ['operate', 'execute'], { expiresAt: soon })).body.key;
  const wider = await issue(narrow, 'one', ['environments'], { expiresAt: soon });
  assert.deepEqual([wider.status, wider.body.code], [403, 'forbidden']);
  assert.match(wider.body.detail, /scope environments/);
  assert.equal((await issue(narrow, 'one', ['execute'])).status, 403, 'nor one that lasts longer');
  assert.equal((await issue(narrow, 'one', ['execute'], { expiresAt: soon })).status, 201);
  assert.equal(
    (await issue('one', 'one', ['execute'], { expiresAt: later(-1000) })).body.errors[0].pointer,
    '/expiresAt',
  );
  assert.equal((await as('one', 'PUT', '/v1/tenants/one', { weight: 9 })).status, 403);
  assert.equal((await issue('one', 'one', ['everything'])).status, 400);
});

test('a tenant has as many keys as it may, and there are as many tenants as there may be', async (t) => {
  const { as, issue } = await start(t, { tenantKeysMax: 2, tenantsMax: 1 });
  for (const expected of [201, 201, 409]) assert.equal((await issue('one', 'one', ['execute'])).status, expected);
  for (const [id, expected] of [
    ['a', 200],
    ['b', 409],
    ['a', 200],
  ] as const)
    assert.equal((await as('operator', 'PUT', `/v1/tenants/${id}`, {})).status, expected);
});

/** What a route needs to be asked in earnest, besides its path. */
const fill = (path: string, names: Readonly<Record<string, string>> = {}) =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? 'nothing');

test('every route that is not for everybody refuses a key without its scope by the name of that, and no other', async (t) => {
  const stage = await start(t);
  const { as, issue } = stage;
  const key = async (...scopes: string[]) => (await issue('operator', 'operator', scopes)).body.key as string;
  const keys = {
    execute: await key('execute'),
    environments: await key('environments'),
    operate: await key('operate'),
  };
  const found = new Map<string, string>();
  for (const { method, path } of await routesOf(stage)) {
    const refusing: string[] = [];
    for (const [scope, own] of Object.entries(keys)) {
      const { status, body } = await as(own, method, fill(path), method === 'GET' ? undefined : {});
      const missing = /^this needs a key of scope '(\w+)'; key key_\w+ has \w+$/.exec(body.detail ?? '')?.[1];
      if (missing === undefined) continue;
      assert.deepEqual([status, body.code], [403, 'forbidden']);
      refusing.push(scope);
      found.set(`${method} ${path}`, missing);
    }
    const needed = found.get(`${method} ${path}`);
    const others = Object.keys(keys).filter((scope) => scope !== needed);
    assert.deepEqual(refusing, needed === undefined ? [] : others, `${method} ${path}`);
  }
  const of = (scope: string) => [...found].filter(([, needed]) => needed === scope).map(([route]) => route);
  const open = (await routesOf(stage))
    .map(({ method, path }) => `${method} ${path}`)
    .filter((route) => !found.has(route));
  assert.deepEqual(open.sort(), [
    'GET /healthz',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'GET /v1/agents/keys',
    'GET /v1/bases',
    'GET /v1/pools',
    'GET /v1/recipes',
    'GET /v1/recipes/{name}',
    'GET /v1/usage',
  ]);
  assert.ok(of('execute').includes('POST /v1/executions') && of('environments').includes('GET /v1/environments/{id}'));
  assert.ok(of('operate').includes('GET /v1/audit') && of('operate').includes('POST /v1/cache/purge'));
});

/** What a route takes where a body of nothing would be refused first. */
const bodies: Readonly<Record<string, object>> = { '/v1/tenants/{id}/keys': { name: 'k', scopes: ['execute'] } };

test('every route with an id answers a foreign tenant as if there were no such thing, to the letter', async (t) => {
  const receiver = await new WebhookReceiver().start();
  t.after(() => receiver.stop());
  const { webhookPorts, webhookPrivateRanges, ...receivers } = localReceivers;
  const ranges = { webhookPorts: [...webhookPorts], webhookPrivateRanges: [...webhookPrivateRanges] };
  const stage = await start(t, { ...receivers, ...ranges });
  const { as, issue, join } = stage;
  await join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const environment = { base: 'debian-13', setup: 'true', visibility: 'private' };
  const ran = await as('one', 'POST', '/v1/executions', { ...request, environment, webhook: { url: receiver.url() } });
  const declared = await as('one', 'POST', '/v1/environments', environment);
  assert.deepEqual([ran.status, [200, 202].includes(declared.status)], [202, true]);
  await receiver.received(1);
  const [delivery] = (await as('one', 'GET', '/v1/webhooks/deliveries')).body.items;
  const sent = await stage.ask('POST', '/v1/files', 'content', {
    ...{ authorization: 'Bearer one', 'content-type': 'application/octet-stream' },
  });
  const file: { id: string } = await sent.json();
  const issued = await issue('one', 'one', ['execute']);
  await as('operator', 'PUT', '/v1/pools/lab', { owner: 'one' });
  /** Of one of each kind: what is another tenant's, and what there is not. */
  const things: Record<string, Record<string, [theirs: string, nothing: string]>> = {
    executions: { id: [ran.body.id, ran.body.id.replace(/.{4}$/, '0000')] },
    environments: { id: [declared.body.id, declared.body.id.replace(/.{4}$/, '0000')] },
    webhooks: { id: [delivery.id, delivery.id.replace(/.{4}$/, '0000')] },
    files: { id: [file.id, file.id.replace(/.{4}$/, '0000')] },
    pools: { name: ['lab', 'bal'] },
    recipes: { name: ['mine', 'none'] },
    tenants: { id: ['one', 'eno'], keyId: [issued.body.id, 'key_nothing'] },
    // The operator's, for whom nothing is anybody else's: a tenant hears that before anything else.
    agents: { id: ['agent_00000001', 'agent_00000002'] },
    cache: { id: ['prefetch_00000001', 'prefetch_00000002'] },
    instance: {
      id: ['exec_00000001', 'exec_00000002'],
      tenant: ['one', 'eno'],
      digest: [digestOf('a'), digestOf('b')],
    },
  };
  let asked = 0;
  for (const { method, path } of (await routesOf(stage)).filter(({ path }) => path.includes('{'))) {
    const names = things[path.split('/')[2] ?? ''];
    assert.ok(names !== undefined, `${method} ${path}: say here what is another tenant's`);
    const body = method === 'GET' || method === 'DELETE' ? undefined : (bodies[path] ?? {});
    const answers = await Promise.all(
      [0, 1].map(async (which) => {
        const values = Object.fromEntries(Object.entries(names).map(([name, both]) => [name, both[which] ?? '']));
        const { status, body: told } = await as('two', method, fill(path, values), body);
        let text = JSON.stringify(told).replace(/"requestId":"\w+"/, '');
        for (const value of Object.values(values)) text = text.replaceAll(value, '…');
        return { status, text };
      }),
    );
    assert.deepEqual(answers[0], answers[1], `${method} ${path}`);
    const isOperators = /^\/v1\/(agents|cache|instance)/.test(path);
    assert.equal(answers[0]?.status, isOperators ? 403 : 404, `${method} ${path}: ${answers[0]?.text}`);
    asked += 1;
  }
  assert.ok(asked >= 15, `${asked} routes`);
  // And the same of what is named elsewhere than in the path.
  for (const [method, path, body] of [
    ['POST', '/v1/executions', { ...request, environment: declared.body.id }],
    ['GET', '/v1/usage?tenant=one', undefined],
    ['POST', '/v1/agents/enrolments', { pool: 'lab' }],
  ] as const) {
    const theirs = await as('two', method, path, body);
    assert.equal(theirs.status, 404, `${method} ${path}`);
  }
});

test('everything that an operator changes is written down before it is answered, with its outcome and no secret', async (t) => {
  const stage = await start(t);
  const { as, issue } = stage;
  await as('operator', 'PUT', '/v1/tenants/new', { weight: 2 });
  const key = (await issue('operator', 'new', ['execute'])).body.key;
  const bodies: Record<string, unknown> = {
    'PUT /v1/pools/{name}': { owner: null },
    'PUT /v1/tenants/{id}': { weight: 3 },
    'POST /v1/tenants/{id}/keys': { name: 'k', scopes: ['execute'] },
    'POST /v1/cache/pin': { digests: [digestOf('a')] },
    'POST /v1/cache/unpin': { digests: [digestOf('a')] },
    'POST /v1/cache/prefetch': { environment: 'env_00000000' },
    'POST /v1/cache/promote': { environment: 'env_00000000' },
    'POST /v1/cache/revoke': { layers: [digestOf('a')] },
    'POST /v1/cache/purge': { digests: [digestOf('a')], isRehearsal: true },
    'POST /v1/cache/collect': { isRehearsal: true },
  };
  const actions = new Set<string>();
  // What tenants do with their own is no operator's action.
  const ofTenants = /^\S+ \/v1\/(executions|environments|webhooks|files)/;
  for (const { method, path } of await routesOf(stage)) {
    const route = `${method} ${path}`;
    if (method === 'GET' || ofTenants.test(route)) continue;
    const before = (await as('operator', 'GET', '/v1/audit?limit=1')).body.items[0]?.requestId;
    const names = { id: path.includes('tenants') ? 'new' : 'agent_00000001', name: 'hall', keyId: 'key_x' };
    const body =
      method === 'DELETE' || (bodies[route] === undefined && path !== '/v1/agents/enrolments')
        ? undefined
        : (bodies[route] ?? {});
    const answer = await as('operator', method, fill(path, names), body);
    assert.notEqual(answer.status, 400, `${route}: ${JSON.stringify(answer.body)}`);
    const [entry] = (await as('operator', 'GET', '/v1/audit?limit=1')).body.items;
    assert.notEqual(entry.requestId, before, `${route} is not written down`);
    assert.deepEqual([entry.requestId, entry.outcome], [answer.headers.get('x-request-id'), answer.status], route);
    assert.deepEqual([entry.tenant, entry.key.name, entry.address], ['operator', 'k', '127.0.0.1']);
    assert.equal(entry.action.replace(/:(\w+)/g, '{$1}'), route);
    for (const name of path.matchAll(/\{(\w+)\}/g)) assert.ok(entry.target.includes(names[name[1] as 'id']), route);
    actions.add(route);
  }
  assert.ok(actions.size >= 16, [...actions].join(', '));
  await as('two', 'POST', '/v1/cache/purge', { digests: [digestOf('a')] });
  const all: string[] = [];
  for (let cursor = ''; ; ) {
    const { items, next } = (await as('operator', 'GET', `/v1/audit?limit=5${cursor}`)).body;
    all.push(...items.map((item: object) => JSON.stringify(item)));
    if (next === null) break;
    cursor = `&cursor=${next}`;
  }
  const last = JSON.parse(all[0] ?? '');
  const refused = ['two', 'POST /v1/cache/purge', 403];
  assert.deepEqual([last.tenant, last.action, last.outcome], refused, 'refused is written down, too');
  assert.ok(all.some((entry) => entry.includes('\\"weight\\":2')));
  assert.ok(!all.join('').includes(key.slice(5, 57)));
  assert.equal((await as('one', 'GET', '/v1/audit')).status, 403);
});

test('what can not be written down is not done', async (t) => {
  const { as, state } = await start(t);
  const { begin, end } = state.audit;
  const gone = () => Promise.reject(new SystemError('state-store-unavailable', 'away'));
  Object.assign(state.audit, { begin: gone });
  const refused = await as('operator', 'PUT', '/v1/tenants/new', {});
  assert.deepEqual([refused.status, refused.body.code], [503, 'state-store-unavailable']);
  assert.equal((await as('operator', 'GET', '/v1/tenants/new')).status, 404);
  Object.assign(state.audit, { begin, end: gone });
  assert.equal((await as('operator', 'PUT', '/v1/tenants/new', {})).status, 200);
  Object.assign(state.audit, { end });
  const [entry] = (await as('operator', 'GET', '/v1/audit')).body.items;
  assert.deepEqual([entry.target, entry.outcome], ['new', null], 'it was begun, and how it ended is not known');
});

test('a terminal is a matter of scope execute, too', async (t) => {
  const { url, issue } = await start(t);
  const attach = async (scope: string) => {
    const { key } = (await issue('one', 'one', [scope])).body;
    const headers = { authorization: `Bearer ${key}` };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/executions/exec_00000000/terminal`, { headers });
    const [, answer] = await once(socket, 'unexpected-response');
    answer.destroy();
    return answer.statusCode;
  };
  assert.deepEqual([await attach('environments'), await attach('execute')], [403, 404]);
});
