/**
 * Owns how much of the coordinator's memory bodies may hold together, from when they are announced until what is in them is counted elsewhere: of a
 * whole coordinator, and of its server with a route of the test's own. Never waits for a time: what a client does, the server's socket says.
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { request as open } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Type } from '@sinclair/typebox';
import type { Authenticate } from '../../coordinator/http/authentication.ts';
import { createServer } from '../../coordinator/http/server.ts';
import { localAsker } from '../../coordinator/tenants/keys.ts';
import { systemRandom } from '../../shared/clock.ts';
import { serverDefaults } from '../../shared/http/server.ts';
import { Closed } from '../../shared/model/closed.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { KeptLog } from '../support/kept-log.ts';
import { exchange } from '../support/raw-http.ts';

const MEBIBYTE = 1024 * 1024;
const small = { environment: {}, run: { script: 'true' } };

/** A server whose bodies may hold 4 MiB, with one route. */
async function serve(
  test: TestContext,
  given: { authenticate?: Authenticate; handle?: (text: string) => Promise<string> } = {},
) {
  const { authenticate = () => localAsker, handle = async () => 'read' } = given;
  const deps = { log: new KeptLog().logger, random: systemRandom, isEmbedded: false, authenticate };
  const server = createServer(deps, { ...serverDefaults, liveRequestBytesMax: 4 * MEBIBYTE });
  const schema = { body: Closed({ text: Type.String() }) };
  server.post('/bodies', { config: { scope: 'execute' }, schema }, ({ body }) => handle(body.text));
  await server.listen({ port: 0, host: '127.0.0.1' });
  test.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  const sockets: Socket[] = [];
  server.server.on('connection', (socket) => sockets.push(socket));
  const post = async (bytes: number) => {
    const body = JSON.stringify({ text: 'x'.repeat(bytes) });
    const sent = headOf('POST /bodies', body.length).replace('host: a', 'host: b') + body;
    const { answers } = await exchange(`http://127.0.0.1:${port}`, sent, { answers: 1 });
    return answers[0]?.status;
  };
  /** A client that was heard to say this, and the server's end of its connection. */
  const say = async (text: string) => {
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    test.after(() => client.destroy());
    await Promise.all([once(client, 'connect'), once(server.server, 'connection')]);
    const isHeard = once(server.server, 'request');
    client.write(text);
    await isHeard;
    const socket = sockets.at(-1);
    assert.ok(socket);
    /** Goes, and the server has heard of it. */
    const leave = async () => {
      const isClosed = once(socket, 'close');
      client.destroy();
      await isClosed;
    };
    return { client, leave };
  };
  return { post, say };
}

const headOf = (line: string, bytes: number, type = 'application/json') =>
  `${line} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: ${bytes}\r\n\r\n`;

test('bodies that arrive hold a bounded part of memory; what is beyond it comes again, and small ones always pass', async (t) => {
  const coordinator = await startCoordinator(t, { liveRequestBytesMax: 4 * MEBIBYTE });
  const { hostname, port } = new URL(coordinator.url);
  const headersOf = (length: number) => ({
    ...{ 'content-type': 'application/json', 'content-length': length, expect: '100-continue' },
  });
  /** One that is let in and sends nothing yet. */
  const begin = async (length: number) => {
    const path = '/v1/executions';
    const sent = open({ hostname, port, method: 'POST', path, headers: headersOf(length), agent: false });
    sent.on('error', () => undefined);
    t.after(() => sent.destroy());
    sent.flushHeaders();
    await once(sent, 'continue');
    return sent;
  };
  const arriving = [await begin(2 * MEBIBYTE), await begin(MEBIBYTE)];
  const ask = (length: number) =>
    coordinator.ask('POST', '/v1/executions', { ...small, run: { script: 'true', stdin: 'x'.repeat(length) } });
  const refused = await ask(1.5 * MEBIBYTE);
  assert.equal(refused.status, 429);
  const { code, detail } = await refused.json();
  assert.equal(code, 'queue-full');
  assert.match(detail, /^bodies that are being read leave no room for 15\d+ bytes now; try again in 2 s$/);
  assert.equal(refused.headers.get('retry-after'), '2');
  assert.equal((await ask(100)).status, 202);
  for (const sent of arriving) sent.destroy();
  // The server hears of it in its own time.
  let again = await ask(1.5 * MEBIBYTE);
  while (again.status === 429) again = await ask(1.5 * MEBIBYTE);
  assert.equal(again.status, 202);
  // What was accepted holds its room no longer by this.
  assert.equal((await ask(1.5 * MEBIBYTE)).status, 202);
});

test('a body holds its room until what is in it is counted, not for as long as its client waits', async (t) => {
  const coordinator = await startCoordinator(t, { liveRequestBytesMax: 4 * MEBIBYTE });
  const { executions } = coordinator.state;
  const { findKey } = executions;
  const gate = Promise.withResolvers<void>();
  const looks = new EventEmitter();
  t.mock.method(executions, 'findKey', async (...asked: Parameters<typeof findKey>) => {
    looks.emit('begun');
    await gate.promise;
    return await findKey(...asked);
  });
  const body = JSON.stringify({ ...small, run: { script: 'true', stdin: 'x'.repeat(3 * MEBIBYTE) } });
  const ask = (headers = {}) => coordinator.ask('POST', '/v1/executions', body, headers);
  const refusal = async () => {
    const { status, json } = await ask().then(async (answer) => ({ status: answer.status, json: await answer.json() }));
    assert.equal(status, 429);
    return String(json.detail);
  };
  const isLookedFor = once(looks, 'begun');
  const first = ask({ 'idempotency-key': 'one' });
  await isLookedFor;
  assert.match(await refusal(), /^bodies that are being read/);
  gate.resolve();
  assert.equal((await first).status, 202);
  assert.match(await refusal(), /^requests of tenant local/);
  // One that waits for what that one began, as long as it may.
  const { hostname, port } = new URL(coordinator.url);
  const path = '/v1/executions?wait=true';
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'one' };
  const waiting = open({ hostname, port, method: 'POST', path, headers, agent: false });
  waiting.on('error', () => undefined);
  t.after(() => waiting.destroy());
  const isLookedForAgain = once(looks, 'begun');
  waiting.end(body);
  await isLookedForAgain;
  while ((await refusal()).startsWith('bodies'));
});

test('a body of a route that counts nothing holds its room until the answer', async (t) => {
  const isHandled = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<string>();
  const { post } = await serve(t, {
    handle: async (text) => {
      if (text.length < 3 * MEBIBYTE) return 'read';
      isHandled.resolve();
      return gate.promise;
    },
  });
  const first = post(3 * MEBIBYTE);
  await isHandled.promise;
  assert.equal(await post(2 * MEBIBYTE), 429);
  gate.resolve('read');
  assert.equal(await first, 200);
  assert.equal(await post(2 * MEBIBYTE), 200);
});

test('a body whose client has gone holds its room for as long as its request is handled', async (t) => {
  const isHandled = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<string>();
  const { post, say } = await serve(t, {
    handle: async (text) => {
      if (text.length < 3 * MEBIBYTE) return 'read';
      isHandled.resolve();
      return gate.promise;
    },
  });
  const body = JSON.stringify({ text: 'x'.repeat(3 * MEBIBYTE) });
  const { leave } = await say(`${headOf('POST /bodies', body.length)}${body}`);
  await isHandled.promise;
  await leave();
  assert.equal(await post(2 * MEBIBYTE), 429);
  gate.resolve('read');
  assert.equal(await post(2 * MEBIBYTE), 200);
});

const chunked = (type: string, ...chunks: string[]) =>
  [
    `POST /bodies HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`,
    ...chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`),
  ].join('');

test('a body of unknown length counts as the largest until it is handled', async (t) => {
  const { post, say } = await serve(t);
  const { client, leave } = await say(chunked('application/json', '{"text":"'));
  assert.equal(await post(2 * MEBIBYTE), 429);
  assert.equal(await post(1000), 200);
  client.write('1\r\nx\r\n2\r\n"}\r\n0\r\n\r\n');
  const [answer] = await once(client, 'data');
  assert.match(String(answer), /^HTTP\/1.1 200 /);
  assert.equal(await post(3.5 * MEBIBYTE), 200);
  await leave();
  const broken = await say(chunked('application/json', '{"text":"'));
  assert.equal(await post(2 * MEBIBYTE), 429);
  await broken.leave();
  assert.equal(await post(3.5 * MEBIBYTE), 200);
});

for (const [what, type] of [
  ['too large', 'application/json'],
  ['of another type', 'text/plain'],
] as const) {
  test(`a body of unknown length that is ${what}, behind a request that is not answered, ends nothing when its client goes`, async (t) => {
    const { post, say } = await serve(t, {
      handle: (text) => (text === 'never' ? new Promise<string>(() => undefined) : Promise.resolve('read')),
    });
    const first = '{"text":"never"}';
    const many = Array.from({ length: 90 }, () => 'x'.repeat(524_288));
    const { leave } = await say(
      `${headOf('POST /bodies', first.length)}${first}${chunked(type, ...(type === 'text/plain' ? ['x'] : many))}`,
    );
    await leave();
    assert.equal(await post(3.5 * MEBIBYTE), 200);
  });
}

for (const [what, status, head] of [
  ['that is too large', 413, headOf('POST /bodies', 40 * MEBIBYTE)],
  ['of another type', 415, headOf('POST /bodies', 3 * MEBIBYTE, 'text/plain')],
  ['that nobody takes', 404, headOf('POST /nowhere', 3 * MEBIBYTE)],
  ['of a method that its path does not take', 405, headOf('PUT /bodies', 3 * MEBIBYTE)],
] as const) {
  test(`a body ${what} holds nothing once it is refused, and its client gone before all of it was sent`, async (t) => {
    const { post, say } = await serve(t);
    const { client, leave } = await say(head);
    const [answer] = await once(client, 'data');
    assert.match(String(answer), new RegExp(`^HTTP/1.1 ${status} `));
    await leave();
    assert.equal(await post(3.5 * MEBIBYTE), 200);
    assert.equal(await post(2 * MEBIBYTE), 200);
  });
}

test('a body that is refused behind a request that is not answered holds nothing once its client has gone', async (t) => {
  const { post, say } = await serve(t, {
    handle: (text) => (text === 'never' ? new Promise<string>(() => undefined) : Promise.resolve('read')),
  });
  const first = '{"text":"never"}';
  const ahead = `${headOf('POST /bodies', first.length)}${first}`;
  const { leave } = await say(`${ahead}${headOf('POST /bodies', 3 * MEBIBYTE, 'text/plain')}`);
  await leave();
  assert.equal(await post(3.5 * MEBIBYTE), 200);
  assert.equal(await post(2 * MEBIBYTE), 200);
});

test('a body that is broken off holds nothing', async (t) => {
  const { post, say } = await serve(t);
  const { leave } = await say(`${headOf('POST /bodies', 3 * MEBIBYTE)}{"text":"`);
  assert.equal(await post(2 * MEBIBYTE), 429);
  await leave();
  assert.equal(await post(3.5 * MEBIBYTE), 200);
});

test('whoever goes while it is found out who asks holds nothing', async (t) => {
  const gate = Promise.withResolvers<void>();
  const isAsked = Promise.withResolvers<void>();
  const { post, say } = await serve(t, {
    authenticate: ({ host }) => {
      if (host !== 'a') return localAsker;
      isAsked.resolve();
      return gate.promise.then(() => localAsker);
    },
  });
  const { leave } = await say(headOf('POST /bodies', 3 * MEBIBYTE));
  await isAsked.promise;
  await leave();
  gate.resolve();
  assert.equal(await post(3.5 * MEBIBYTE), 200);
  assert.equal(await post(2 * MEBIBYTE), 200);
});
