/**
 * Owns the proof of what the proxy forwards and how it measures it: real TLS on both sides, a real origin, no namespace.
 */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { type LocalProxyOptions, startLocalProxy, startOrigin } from '../support/local-origin.ts';

async function start(t: TestContext, listener: RequestListener, options: Partial<LocalProxyOptions> = {}) {
  const origin = await startOrigin(listener);
  const proxy = await startLocalProxy({ port: origin.port, roots: origin.roots, ...options });
  t.after(() => {
    proxy.stop();
    origin.stop();
  });
  return { origin, proxy, base: `https://good.example:${origin.port}` };
}

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

test('path and headers reach the origin raw, the body comes back whole and is recorded', async (t) => {
  let seen: string[] = [];
  const { proxy, base } = await start(t, (request, response) => {
    seen = [request.url ?? '', ...request.rawHeaders];
    response.writeHead(200, ['ETag', '"e"', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('hello');
  });
  const answer = await proxy.fetch('/a/../%2e%2F//b?x=1&y', {
    headers: { 'X-Odd': ['1', '2'], Range: 'bytes=1-2', 'If-None-Match': '"e"' },
  });
  assert.equal(answer.httpCode, 200);
  assert.equal(answer.body, 'hello');
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(seen[0], '/a/../%2e%2F//b?x=1&y');
  assert.deepEqual(
    seen.filter((word) => /^(x-odd|range|if-none-match)$/i.test(word)),
    ['X-Odd', 'X-Odd'],
  );
  assert.deepEqual(proxy.records, [
    {
      kind: 'artefact',
      url: `${base}/a/../%2e%2F//b?x=1&y`,
      method: 'GET',
      httpCode: 200,
      sha256: sha256('hello'),
      bytes: 5,
      contentEncoding: null,
      location: null,
      commits: [],
      isWithCredentials: false,
      isComplete: true,
      source: 'upstream',
      mirror: null,
    },
  ]);
});

test('an encoded body is passed as it is; the record says how it was encoded', async (t) => {
  const zipped = gzipSync('hello');
  const { proxy } = await start(t, (_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(zipped),
  );
  assert.equal((await proxy.fetch('/')).headers['content-encoding'], 'gzip');
  assert.equal(proxy.artefacts()[0]?.sha256, sha256(zipped));
  assert.equal(proxy.artefacts()[0]?.contentEncoding, 'gzip');
});

test('a megabyte of chunks crosses unchanged, and many requests share connections', async (t) => {
  const block = Buffer.alloc(64 * 1024, 'x');
  const { proxy, origin } = await start(t, (_request, response) => {
    for (let at = 0; at < 16; at++) response.write(block);
    response.end();
  });
  let connections = 0;
  origin.server.on('secureConnection', () => {
    connections += 1;
  });
  for (let at = 0; at < 5; at++) assert.equal((await proxy.fetch(`/${at}`)).body.length, 1 << 20);
  assert.equal(connections, 1);
  assert.deepEqual(new Set(proxy.artefacts().map((record) => record.bytes)), new Set([1 << 20]));
});

test('redirects are passed on and recorded without their signature; following one is no use of credentials', async (t) => {
  const { proxy, base } = await start(t, (request, response) => {
    if (request.url?.startsWith('/from') === true)
      response.writeHead(302, { location: '/to?Signature=s&Expires=1' }).end();
    else response.end('there');
  });
  const { headers } = await proxy.fetch('/from');
  assert.equal(headers['location'], '/to?Signature=s&Expires=1');
  await proxy.fetch('/to?Signature=s&Expires=1');
  await proxy.fetch('/to?Signature=own&Expires=1');
  await proxy.fetch('/to', { headers: { authorization: 'Basic x' } });
  const [from, ...rest] = proxy.artefacts();
  assert.equal(from?.location, `${base}/to?…`);
  assert.deepEqual(
    rest.map((record) => [record.url, record.isWithCredentials]),
    [
      [`${base}/to?…`, false],
      [`${base}/to?…`, true],
      [`${base}/to`, true],
    ],
  );
});

for (const [form, headers] of [
  ['with a declared length', { 'content-length': '1000' }],
  ['in chunks', {}],
] as const)
  test(`an answer ${form} that breaks off breaks off for the client, and is recorded as incomplete`, async (t) => {
    const { proxy } = await start(t, (_request, response) => {
      response.writeHead(200, headers).write('part');
      setImmediate(() => setImmediate(() => response.destroy()));
    });
    await assert.rejects(proxy.fetch('/'), /aborted|ECONNRESET|hang up/);
    assert.deepEqual(
      proxy.artefacts().map((record) => record.isComplete),
      [false],
    );
    assert.deepEqual(
      proxy.refusals().map((record) => record.code),
      ['upstream-broken'],
    );
  });

test('a git fetch is forwarded with its body, and the commits that it wanted are recorded', async (t) => {
  const want = '0123456789'.repeat(4);
  const body = `0032want ${want}\n00000009done\n`;
  let received = '';
  const { proxy } = await start(t, async (request, response) => {
    for await (const chunk of request) received += String(chunk);
    response.end('PACK');
  });
  const headers = { 'content-type': 'application/x-git-upload-pack-request' };
  assert.equal((await proxy.fetch('/x.git/git-upload-pack', { method: 'POST', headers, body })).body, 'PACK');
  assert.equal(received, body);
  assert.deepEqual(proxy.artefacts()[0]?.commits, [want]);
});

test('a connection that the origin gives up when it is used again is replaced without the client noticing', async (t) => {
  const used = new WeakSet<object>();
  const { proxy } = await start(t, (request, response) => {
    if (used.has(request.socket)) return void request.socket.destroy();
    used.add(request.socket);
    response.end('ok');
  });
  assert.equal((await proxy.fetch('/1')).body, 'ok');
  assert.equal((await proxy.fetch('/2')).body, 'ok');
  assert.equal(proxy.refusals().length, 0);
});

test('requests that are sent ahead, more than can be answered at once, are all answered in their order', async (t) => {
  const body = 'x'.repeat(200_000);
  const { proxy, origin } = await start(t, (request, response) => response.end(request.url + body));
  const socket = connectTls({
    host: '127.0.0.1',
    port: proxy.port,
    servername: 'good.example',
    ca: proxy.certificatePem,
  });
  await once(socket, 'secureConnect');
  const paths = Array.from({ length: 40 }, (_, at) => `/file-${at}`);
  const send = (some: readonly string[], connection: string) => {
    // One TLS record for each request, as apt sends them.
    for (const path of some)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: good.example:${origin.port}\r\nConnection: ${connection}\r\n\r\n`);
  };
  send(paths.slice(0, 20), 'keep-alive');
  // The answers have begun to pile up when the second half comes.
  await once(socket, 'readable');
  send(paths.slice(20, 39), 'keep-alive');
  send(paths.slice(39), 'close');
  let said = '';
  for await (const chunk of socket) said += String(chunk);
  assert.deepEqual(said.match(/\/file-\d+/g), paths);
  assert.equal(proxy.refusals().length, 0);
});

test('a resumed TLS session still has its name', async (t) => {
  const { proxy, origin } = await start(t, (_request, response) => response.end('ok'));
  let session: Buffer | undefined;
  const speak = async (): Promise<[string, boolean]> => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: proxy.port,
      servername: 'good.example',
      ca: proxy.certificatePem,
      ...(session && { session }),
    });
    socket.on('session', (ticket) => {
      session = ticket;
    });
    await once(socket, 'secureConnect');
    const isReused = socket.isSessionReused();
    socket.write(`GET / HTTP/1.1\r\nHost: good.example:${origin.port}\r\nConnection: close\r\n\r\n`);
    let said = '';
    for await (const chunk of socket) said += String(chunk);
    return [said, isReused];
  };
  await speak();
  const [said, isReused] = await speak();
  assert.ok(isReused);
  assert.match(said, /^HTTP\/1\.1 200/);
});

test('when the build ends, an answer under way is recorded as cut and the summary follows', async (t) => {
  const { proxy } = await start(t, (_request, response) => void response.writeHead(200).write('part'));
  const socket = connectTls({
    host: '127.0.0.1',
    port: proxy.port,
    servername: 'good.example',
    ca: proxy.certificatePem,
  });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: good.example\r\n\r\n');
  await once(socket, 'data');
  proxy.proxy.close();
  proxy.ledger.close();
  assert.deepEqual(
    proxy.records.map((record) => (record.kind === 'artefact' ? record.isComplete : record.kind)),
    [false, 'summary'],
  );
});

test("the operator's own proxy is asked by CONNECT, with its credentials, and TLS goes through it end to end", async (t) => {
  const { createServer } = await import('node:http');
  const asked: string[] = [];
  const operator = createServer().on('connect', (request, client) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    if (request.url?.startsWith('bad.') === true) return void client.end('HTTP/1.1 407 No\r\n\r\n');
    const [, port] = (request.url ?? '').split(':');
    const server = connect(Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.pipe(client).pipe(server);
    });
  });
  operator.listen(0, '127.0.0.1');
  await once(operator, 'listening');
  t.after(() => operator.close());
  const { port } = operator.address() as { port: number };
  const { proxy, origin } = await start(t, (_request, response) => response.end('ok'), {
    upstreamProxy: `http://user:pass@127.0.0.1:${port}`,
    resolve: () => Promise.reject(new Error('not asked')),
  });
  assert.equal((await proxy.fetch('/')).body, 'ok');
  assert.equal((await proxy.fetch('/', { host: 'bad.example' })).httpCode, 502);
  assert.deepEqual(asked[0], `good.example:${origin.port} Basic ${Buffer.from('user:pass').toString('base64')}`);
  assert.deepEqual(
    proxy.refusals().map((record) => record.code),
    ['upstream-unreachable'],
  );
});

test("when the operator's own proxy is gone, nothing goes around it, by TLS or without", async (t) => {
  const asked: string[] = [];
  const [operator, plain] = [createTcpServer(), createHttpServer((request) => asked.push(request.url ?? ''))];
  for (const server of [operator, plain]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  t.after(() => plain.close());
  const { port: gone } = operator.address() as AddressInfo;
  operator.close();
  await once(operator, 'close');
  const upstreamProxy = `http://127.0.0.1:${gone}`;
  const { proxy } = await start(t, (request, response) => response.end(asked.push(request.url ?? '')), {
    upstreamProxy,
  });
  assert.equal((await proxy.fetch('/secret')).httpCode, 502);
  const { port } = plain.address() as AddressInfo;
  const other = await startLocalProxy({ port, roots: '', upstreamProxy });
  t.after(() => other.stop());
  const headers = { host: `good.example:${port}` };
  const request = httpRequest({ host: '127.0.0.1', port: other.port, path: '/plain', headers, agent: false }).end();
  const [response] = await once(request, 'response');
  assert.equal(response.resume().statusCode, 502);
  const codes = [proxy, other].flatMap(({ refusals }) => refusals().map(({ code }) => code));
  assert.deepEqual([codes, asked], [['upstream-unreachable', 'upstream-unreachable'], []]);
});

test("what goes through the operator's own proxy without TLS is asked by CONNECT too", async (t) => {
  const asked: string[] = [];
  const plain = createHttpServer((request, response) => response.end(request.url));
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  const operator = createHttpServer().on('connect', (request, client) => {
    asked.push(request.url ?? '');
    const server = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
  });
  operator.listen(0, '127.0.0.1');
  await once(operator, 'listening');
  const upstreamProxy = `http://127.0.0.1:${(operator.address() as AddressInfo).port}`;
  const resolve = () => Promise.reject(new Error('not asked'));
  const proxy = await startLocalProxy({ port, roots: '', upstreamProxy, resolve });
  t.after(() => {
    proxy.stop();
    for (const server of [plain, operator]) server.close();
  });
  const headers = { host: `good.example:${port}` };
  const request = httpRequest({ host: '127.0.0.1', port: proxy.port, path: '/plain', headers, agent: false }).end();
  const [response] = await once(request, 'response');
  assert.equal(await text(response), '/plain');
  assert.deepEqual(asked, [`good.example:${port}`]);
});
