/**
 * Owns the proof of when the client asks again: under a clock that stands still until it is moved, against a fetch that answers as a test says.
 * Invariant of all: nothing is asked twice that could be done twice, and no timer is left.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnvicutorError, isEnvicutorError, isNetworkError } from '../../client/typescript/client.ts';
import { type Heard, ScriptedServer } from '../support/scripted-server.ts';

const over = { id: 'exec_1', stage: 'finished', finishedAt: '2026-01-01T00:00:00.000Z', failure: null };
const request = { run: { script: 'true' } };
const keyOf = ({ headers }: Heard) => headers.get('idempotency-key');

test('a full queue is asked again when it said, not before, with the same key and the same body', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.problem(429, 'queue-full', { 'retry-after': '7' }), server.json(200, over));
  const result = server.client().run(request);
  await server.heardCount(1);
  assert.equal(await server.passUntilHeard(2), 7000);
  assert.deepEqual(await result, over);
  const [first, second] = server.heard;
  assert.ok(first !== undefined && second !== undefined);
  assert.match(String(keyOf(first)), /^[0-9a-f]{32}$/);
  assert.deepEqual([keyOf(second), second.body, second.url], [keyOf(first), first.body, first.url]);
  assert.deepEqual(JSON.parse(first.body), { environment: {}, ...request });
  assert.equal(server.clock.pending, 0);
});

test('waits double up to their longest, each between half of it and the whole, until the budget would be exceeded', async () => {
  for (const [chance, expected] of [
    [0, [250, 500, 1000, 2000, 2000, 2000]],
    [1, [125, 250, 500, 1000, 1000, 1000]],
  ] as const) {
    const server = new ScriptedServer(chance);
    server.otherwise = server.broken();
    const client = server.client({ retries: { budgetMs: 8000, delayMsMax: 2000 } });
    const failed = client.run(request).catch((error: unknown) => error);
    const waits: number[] = [];
    for (let count = 2; count <= 7; count += 1) waits.push(Math.round(await server.passUntilHeard(count)));
    assert.deepEqual(waits, expected);
    await server.pass(60_000);
    const error = await failed;
    assert.ok(isNetworkError(error) && error.code === 'connection-failed' && error.status === null, String(error));
    assert.ok(error.cause instanceof TypeError);
    assert.equal(server.clock.pending, 0);
  }
});

test('what asks for more time than there is fails at once, and says how long it would have been', async () => {
  const server = new ScriptedServer();
  server.otherwise = server.problem(503, 'draining', { 'retry-after': '600' });
  const error = await server
    .client()
    .run(request)
    .catch((thrown: unknown) => thrown);
  assert.ok(error instanceof EnvicutorError);
  assert.deepEqual(
    [error.code, error.status, error.retryAfterSeconds, error.requestId],
    ['draining', 503, 600, 'req_1'],
  );
  assert.equal(server.heard.length, 1);
});

test('what would be answered the same way is not asked again; its places are told', async () => {
  const errors = [{ pointer: '/run/scirpt', detail: 'is unknown' }];
  for (const [status, code] of [
    [400, 'request-invalid'],
    [401, 'unauthenticated'],
    [404, 'execution-not-found'],
    [422, 'idempotency-key-reused'],
    [500, 'internal'],
  ] as const) {
    const server = new ScriptedServer();
    server.otherwise = server.problem(status, code, {}, errors);
    const error = await server
      .client()
      .run(request)
      .catch((thrown: unknown) => thrown);
    assert.ok(isEnvicutorError(error, code));
    assert.deepEqual([error.status, error.errors, server.heard.length], [status, errors, 1]);
  }
});

test("a proxy's own 502 is asked again; a page where the API should be is not", async () => {
  const server = new ScriptedServer();
  server.answers.push(server.text(502, '<h1>Bad gateway</h1>'), server.json(200, over));
  const result = server.client().run(request);
  await server.passUntilHeard(2);
  assert.deepEqual(await result, over);
  server.otherwise = server.text(200, '<h1>It works</h1>');
  await assert.rejects(server.client().run(request), (error) => isEnvicutorError(error, 'answer-malformed'));
  server.otherwise = server.text(404, '<h1>Not found</h1>');
  await assert.rejects(server.client().run(request), (error) => isEnvicutorError(error, 'answer-unexpected'));
});

test('what could be done twice is asked once: a fresh build, another secret, a delivery once more', async () => {
  const server = new ScriptedServer();
  server.otherwise = server.broken();
  const client = server.client();
  for (const ask of [
    () => client.environments.declare({ fresh: true }),
    () => client.webhooks.rotateSecret(),
    () => client.webhooks.replay('delivery_1'),
  ]) {
    const before = server.heard.length;
    await assert.rejects(ask(), (error) => isNetworkError(error));
    assert.equal(server.heard.length, before + 1);
  }
});

test('an execution that no agent could begin is over under its key: the next attempt has another one, unless the key was given', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.problem(503, 'no-agent', { 'retry-after': '1' }), server.json(200, over));
  const result = server.client().run(request);
  await server.passUntilHeard(2);
  await result;
  const [first, second] = server.heard.map(keyOf);
  assert.notEqual(first, second);
  server.otherwise = server.problem(503, 'no-agent', { 'retry-after': '1' });
  const given = server.client().run(request, { idempotencyKey: 'mine' });
  await assert.rejects(given, (error) => isEnvicutorError(error, 'no-agent'));
  assert.equal(server.heard.length, 3);
});

test('silence for longer than an answer may take is a broken connection, and asked again', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.silent(), server.json(200, over));
  const result = server.client().run(request);
  await server.heardCount(1);
  assert.equal(await server.passUntilHeard(2), 55_250);
  assert.deepEqual(await result, over);
  assert.ok(server.heard[0]?.signal.aborted, 'the silent connection is given up');
});

test('an abort ends a wait and a request at once with its reason, and cancels at the server what was asked for', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.problem(429, 'queue-full', { 'retry-after': '60' }));
  server.answers.push(server.json(202, { ...over, finishedAt: null }), server.json(200, over));
  const controller = new AbortController();
  const reason = new Error('the page was left');
  const failed = assert.rejects(server.client().run(request, { signal: controller.signal }), reason);
  await server.heardCount(1);
  controller.abort(reason);
  await failed;
  // Whether the first one was accepted only the server knows: the same key tells.
  assert.deepEqual(
    server.heard.map(({ method, url }) => `${method} ${new URL(url).pathname}`),
    ['POST /v1/executions', 'POST /v1/executions', 'DELETE /v1/executions/exec_1'],
  );
  assert.equal(keyOf(server.heard[1] as Heard), keyOf(server.heard[0] as Heard));
  assert.equal(server.clock.pending, 0);
  await assert.rejects(server.client().run(request, { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(server.heard.length, 3, 'what was aborted before is not sent');
});

test('the signal of a client ends all that it does, and cancels nothing', async () => {
  const server = new ScriptedServer();
  server.otherwise = server.silent();
  const controller = new AbortController();
  const client = server.client({ signal: controller.signal });
  const ends = [client.run(request), client.execution('exec_1').result(), client.files.download('file_1')].map((end) =>
    end.catch((error: unknown) => error),
  );
  await server.heardCount(3);
  const reason = new Error('closed');
  controller.abort(reason);
  assert.deepEqual(await Promise.all(ends), [reason, reason, reason]);
  assert.deepEqual([server.heard.length, server.clock.pending], [3, 0]);
});

test('a listing is asked for page by page, and no further than somebody reads', async () => {
  const server = new ScriptedServer();
  const page = (ids: readonly string[], next: string | null) =>
    server.json(200, { items: ids.map((id) => ({ id })), next });
  server.answers.push(page(['a', 'b'], 'x y'), page(['c'], null));
  const seen: string[] = [];
  for await (const { id } of server.client().list({ pageSize: 2 })) seen.push(id);
  assert.deepEqual(seen, ['a', 'b', 'c']);
  assert.deepEqual(
    server.heard.map(({ url }) => new URL(url).search),
    ['?limit=2', '?limit=2&cursor=x%20y'],
  );
  server.answers.push(page(['a'], 'next'));
  for await (const _ of server.client().list()) break;
  assert.equal(server.heard.length, 3);
});

test('the key goes along with every request, to that server alone: redirects are not followed, no cookies are sent', async () => {
  const server = new ScriptedServer();
  server.otherwise = server.json(200, over);
  await server.client({ key: 'secret', url: 'http://server.test/api/' }).run(request);
  const [heard] = server.heard;
  assert.ok(heard !== undefined);
  assert.equal(heard.url, 'http://server.test/api/v1/executions?wait=25');
  assert.equal(heard.headers.get('authorization'), 'Bearer secret');
  assert.deepEqual([heard.init.redirect, heard.init.credentials], ['error', 'omit']);
  assert.throws(() => server.client({ url: 'ftp://server.test' }), /no http or https/);
});
