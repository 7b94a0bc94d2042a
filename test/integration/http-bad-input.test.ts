/**
 * Owns what the API says to requests that are wrong: problem+json that names every place, and nothing started.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { badRequests, environment, files, run } from '../support/bad-requests.ts';
import { checkedFetch } from '../support/checked-fetch.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

test('every wrong request is told what is wrong and where, and starts nothing', async (t) => {
  const coordinator = await startCoordinator(t);
  for (const [title, body, pointer, detail] of badRequests) {
    const answer = await coordinator.ask('POST', '/v1/executions?wait=true', body);
    const problem = await answer.json();
    assert.equal(answer.status, 400, `${title}: ${JSON.stringify(problem)}`);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(problem.code, 'request-invalid', title);
    const place = problem.errors.find((error: { pointer: string }) => error.pointer === pointer);
    assert.match(place?.detail ?? JSON.stringify(problem.errors), detail, title);
    assert.equal(problem.requestId, answer.headers.get('x-request-id'));
  }
  const excess = { environment, run: { ...run, limits: { memoryBytes: 2 ** 50 } } };
  const above = await (await coordinator.ask('POST', '/v1/executions', excess)).json();
  assert.equal(above.code, 'limit-above-maximum');
  assert.equal(above.errors[0].pointer, '/run/limits/memoryBytes');
  assert.equal(coordinator.services.orders.length, 0);
  assert.deepEqual((await (await coordinator.ask('GET', '/v1/executions')).json()).items, []);
});

test('a request of long names, many members and deep paths is told about as shortly as any other', {
  timeout: 30_000,
}, async (t) => {
  const coordinator = await startCoordinator(t);
  const many = (name: string) =>
    Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`${name}${index}`, 'x']));
  // A path is looked for among all others once: for each of its directories it takes ten seconds.
  const deep = Array.from({ length: 999 }, (_, index) => `${'a/'.repeat(2000)}${index}`);
  const bodies: readonly (readonly [string, object, RegExp])[] = [
    ['a long name', { environment, run, ['x'.repeat(5_000_000)]: 1 }, /\/x+…/],
    ['many names', { environment, run, ...many('name') }, /is not a known field/],
    ['many variables', { environment: { variables: many('1') }, run }, /not an object of 100000/],
    ['a long value', { environment: { base: 'x'.repeat(5_000_000) }, run }, /not \\"x+…/],
    ['deep paths', { ...files(...deep, 'a/a'), run }, /needs a directory 'a\/a'/],
  ];
  for (const [what, body, told] of bodies) {
    const answer = await coordinator.ask('POST', '/v1/executions', body);
    const text_ = await answer.text();
    assert.equal(answer.status, 400, what);
    assert.match(text_, told, what);
    assert.ok(text_.length < 20_000 || what === 'deep paths', `${what}: ${text_.length} characters`);
  }
});

test('what is not JSON, not UTF-8, not declared as JSON or too large is refused by its own code', async (t) => {
  const coordinator = await startCoordinator(t, { bodyBytesMax: 100_000 });
  const malformed = await coordinator.ask('POST', '/v1/executions', '{"environment": {,}}');
  assert.equal(malformed.status, 400);
  assert.match((await malformed.json()).detail, /position 17 \(line 1, column 18\)/);
  assert.match((await (await coordinator.ask('POST', '/v1/executions', '{"a": ')).json()).detail, /ends too early/);
  const url = `${coordinator.url}/v1/executions`;
  const headers = { 'content-type': 'application/json' };
  const invalid = await checkedFetch(url, { method: 'POST', headers, body: Buffer.from([0x22, 0xff, 0x22]) });
  assert.match(await invalid.text(), /UTF-8/);
  const typed = await checkedFetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' });
  assert.equal(typed.status, 415);
  const large = await coordinator.ask('POST', '/v1/executions', 'x'.repeat(200_000));
  assert.equal(large.status, 413);
  assert.match((await large.json()).detail, /100000/);
  const deep = `{"environment":{},"run":{"script":""},"metadata":{"a":${'['.repeat(40_000)}${']'.repeat(40_000)}}}`;
  assert.equal((await coordinator.ask('POST', '/v1/executions', deep)).status, 400);
});

test('unknown things are 404 by their own code', async (t) => {
  const coordinator = await startCoordinator(t);
  const code = async (method: string, path: string, body?: unknown) => {
    const answer = await coordinator.ask(method, path, body);
    return [answer.status, (await answer.json()).code];
  };
  const unknown = `env_${'0'.repeat(52)}`;
  assert.deepEqual(await code('GET', '/v1/nothing'), [404, 'not-found']);
  assert.deepEqual(await code('GET', '/v1/executions/exec_00000000'), [404, 'execution-not-found']);
  assert.deepEqual(await code('DELETE', '/v1/executions/exec_00000000'), [404, 'execution-not-found']);
  assert.deepEqual(await code('GET', `/v1/environments/${unknown}`), [404, 'environment-not-found']);
  assert.deepEqual(await code('POST', '/v1/executions', { environment: unknown, run }), [404, 'environment-not-found']);
  assert.deepEqual(await code('POST', '/v1/agents/agent_00000000/drain'), [404, 'agent-not-found']);
  assert.deepEqual(await code('GET', '/v1/executions?cursor=x'), [400, 'request-invalid']);
  assert.deepEqual(await code('GET', '/v1/executions?curser=x'), [400, 'request-invalid']);
  assert.deepEqual(await code('POST', '/v1/executions?wait=9999', { environment, run }), [400, 'request-invalid']);
  assert.deepEqual(await code('GET', '/internal/layers/x.y.z'), [403, 'forbidden']);
});

/** Sends a request as it is, which fetch does not do for Host and Origin. */
async function raw(url: string, path: string, headers: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(`GET ${path} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`);
  return (await text(socket)).slice(9, 12);
}

test('without keys only a loopback host and pages of its own are served', async (t) => {
  const { url } = await startCoordinator(t);
  const host = new URL(url).host;
  assert.equal(await raw(url, '/v1/bases', `host: ${host}\r\n`), '200');
  assert.equal(await raw(url, '/v1/bases', `host: ${host}\r\norigin: http://${host}\r\n`), '200');
  assert.equal(await raw(url, '/v1/bases', 'host: evil.example\r\n'), '403');
  assert.equal(await raw(url, '/v1/bases', `host: 127.0.0.1.evil.example\r\n`), '403');
  assert.equal(await raw(url, '/v1/bases', `host: ${host}\r\norigin: https://evil.example\r\n`), '403');
  assert.equal(await raw(url, '/v1/bases', `host: ${host}\r\nsec-fetch-site: cross-site\r\n`), '403');
  const upgrade =
    'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  assert.equal(await raw(url, '/agents', `host: ${host}\r\norigin: https://evil.example\r\n${upgrade}`), '403');
  assert.equal(await raw(url, '/elsewhere', `host: ${host}\r\n${upgrade}`), '404');
});

test('with keys every tenant needs one, sees its own things only, and operates only when it may', async (t) => {
  const key = (name: string, isOperator: boolean) => {
    const keys = [{ name: 'first', sha256: digestHex(digestOf(`key-${name}`)) }];
    return { id: name, isOperator, keys };
  };
  const coordinator = await startCoordinator(t, {}, createKeyRing({ tenants: [key('one', true), key('two', false)] }));
  const as = (name: string) => ({ authorization: `Bearer key-${name}` });
  assert.equal((await coordinator.ask('GET', '/v1/executions')).status, 401);
  assert.equal((await coordinator.ask('GET', '/v1/executions', undefined, as('three'))).status, 401);
  assert.equal((await coordinator.ask('GET', '/healthz')).status, 200);
  const { id } = await (await coordinator.ask('POST', '/v1/executions', { environment, run }, as('one'))).json();
  assert.equal((await coordinator.ask('GET', `/v1/executions/${id}`, undefined, as('one'))).status, 200);
  assert.equal((await coordinator.ask('GET', `/v1/executions/${id}`, undefined, as('two'))).status, 404);
  assert.equal((await coordinator.ask('GET', '/v1/agents', undefined, as('one'))).status, 200);
  assert.equal((await coordinator.ask('GET', '/v1/agents', undefined, as('two'))).status, 403);
});
