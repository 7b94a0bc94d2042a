/**
 * Owns the proof that whatever is not plainly allowed is refused with a code and a sentence, and that an upstream's failure says which.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type LocalProxyOptions, startLocalProxy, startOrigin } from '../support/local-origin.ts';

const requests: string[] = [];
const origin = await startOrigin((request, response) => {
  requests.push(`${request.method} ${request.url}`);
  if (request.url === '/hang') return;
  if (request.url === '/stall') return void response.writeHead(200).write('part');
  if (request.url === '/inwards') response.writeHead(302, { location: 'https://inner.example/latest?token=abc' });
  if (request.url === '/close') response.setHeader('connection', 'close');
  if (request.url === '/chunks') response.write('x'.repeat(600));
  response.end('x'.repeat(600));
});
after(() => origin.stop());

async function start(t: TestContext, options: Partial<LocalProxyOptions> = {}) {
  const proxy = await startLocalProxy({ port: origin.port, roots: origin.roots, ...options });
  t.after(() => proxy.stop());
  return proxy;
}

/** Sends raw bytes through TLS and returns everything said until the end. */
async function say(port: number, certificatePem: string, bytes: string, servername = 'good.example'): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, servername, ca: certificatePem });
  socket.setTimeout(3000, () => socket.destroy());
  socket.write(bytes, 'latin1');
  let said = '';
  for await (const chunk of socket) {
    said += String(chunk);
    if (said.includes('\n') && /network: .*\.\n/.test(said)) socket.end();
  }
  return said;
}

const packType = 'application/x-git-upload-pack-request';
const denied: readonly [string, string, string, OutgoingHttpHeaders, string, string][] = [
  ['an upload', 'PUT', '/x', {}, 'body', 'method-denied'],
  ['a POST', 'POST', '/x', {}, 'body', 'method-denied'],
  ['a DELETE', 'DELETE', '/x', {}, '', 'method-denied'],
  ['a git push announcement', 'GET', '/x.git/info/refs?service=git-receive-pack', {}, '', 'method-denied'],
  ['a git push', 'POST', '/x.git/git-receive-pack', { 'content-type': packType }, 'x', 'method-denied'],
  [
    'a POST that only looks like a git fetch',
    'POST',
    '/x.git/git-upload-pack',
    { 'content-type': 'text/plain' },
    'x',
    'method-denied',
  ],
  ['a GET with a body', 'GET', '/x', { 'content-length': '4' }, 'body', 'request-invalid'],
  ['an over-long URL', 'GET', `/${'x'.repeat(17_000)}`, {}, '', 'request-invalid'],
  ['a fragment', 'GET', '/x#y', {}, '', 'request-invalid'],
  ['another port', 'GET', '/x', { host: 'good.example:22' }, '', 'request-invalid'],
  ['a Host other than the TLS name', 'GET', '/x', { host: 'other.example' }, '', 'request-invalid'],
  ['an address as Host', 'GET', '/x', { host: '127.0.0.1' }, '', 'host-invalid'],
];

for (const [title, method, path, headers, body, code] of denied)
  test(`${title} is refused with a sentence and never reaches the origin`, async (t) => {
    const proxy = await start(t);
    const before = requests.length;
    const answer = await proxy.fetch(path, { method, headers, body });
    assert.ok(answer.httpCode === 403 || answer.httpCode === 400);
    assert.match(answer.body, /^Envicutor's build network: .+\.\n$/);
    assert.deepEqual(
      proxy.refusals().map((record) => record.code),
      [code],
    );
    assert.equal(requests.length, before);
  });

const smuggled: readonly [string, string][] = [
  [
    'content length and chunks together',
    'POST /x.git/git-upload-pack HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two content lengths', 'GET / HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: good.example\r\nHost: evil.example\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['an absolute target', 'GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n'],
  ['CONNECT', 'CONNECT good.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n'],
  ['an over-long header', `GET / HTTP/1.1\r\nHost: good.example\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`],
  ['a bare line feed in a header', 'GET / HTTP/1.1\r\nHost: good.example\nX: 1\r\nX :2\r\n\r\n'],
  ['noise', '\u0001\u0002\u0003\r\n\r\n'],
];

for (const [title, bytes] of smuggled)
  test(`${title}: refused and recorded`, async (t) => {
    const proxy = await start(t);
    const before = requests.length;
    assert.match(await say(proxy.port, proxy.certificatePem, bytes), /^HTTP\/1\.1 4(00|03|31) /);
    assert.equal(proxy.refusals().length, 1);
    assert.equal(requests.length, before);
  });

test('an audit call is turned away quietly: a note, no refusal', async (t) => {
  const proxy = await start(t);
  const answer = await proxy.fetch('/-/npm/v1/security/advisories/bulk', { method: 'POST', body: '{}' });
  assert.equal(answer.httpCode, 403);
  assert.deepEqual(
    proxy.records.map((record) => record.kind),
    ['note'],
  );
});

test('a name at a private address is refused, also when only one of its addresses is private', async (t) => {
  for (const addresses of [['10.0.0.1'], ['127.0.0.1', '169.254.169.254'], ['::ffff:192.168.0.1']]) {
    const resolve = async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const proxy = await start(t, { resolve });
    const answer = await proxy.fetch('/');
    assert.equal(answer.httpCode, 403);
    assert.match(answer.body, /which a build may not reach/);
    assert.deepEqual(
      proxy.refusals().map((record) => record.code),
      ['address-denied'],
    );
  }
});

test('a name that moves to a private address after its first use is refused at the next connection', async (t) => {
  let address = '127.0.0.1';
  const proxy = await start(t, { resolve: async () => [{ address, family: 4 }] });
  assert.equal((await proxy.fetch('/close')).httpCode, 200);
  address = '10.0.0.1';
  assert.equal((await proxy.fetch('/close')).httpCode, 403);
});

test("hosts are bound by the operator's policy, plain http too", async (t) => {
  const proxy = await start(t, {
    policy: {
      allowHosts: ['*.good.example', 'good.example'],
      denyHosts: ['bad.good.example'],
      isPlainHttpAllowed: false,
    },
  });
  assert.equal((await proxy.fetch('/')).httpCode, 200);
  assert.equal((await proxy.fetch('/', { host: 'bad.good.example' })).httpCode, 403);
  assert.equal((await proxy.fetch('/', { host: 'other.example' })).httpCode, 403);
  const plain = httpRequest({
    host: '127.0.0.1',
    port: proxy.port,
    headers: { host: `good.example:${origin.port}` },
  }).end();
  const [response] = await once(plain, 'response');
  assert.equal(response.statusCode, 403);
  assert.deepEqual(
    proxy.refusals().map((record) => record.code),
    ['host-denied', 'host-denied', 'plain-http-denied'],
  );
});

test('quota of bytes: a declared answer is refused with a sentence, an undeclared one is cut', async (t) => {
  const declared = await start(t, { quotas: { bytesMax: 1000 } });
  assert.equal((await declared.fetch('/')).httpCode, 200);
  assert.match((await declared.fetch('/')).body, /quota of bytes/);
  const streamed = await start(t, { quotas: { bytesMax: 1000 } });
  await assert.rejects(streamed.fetch('/chunks'));
  assert.deepEqual(
    streamed.refusals().map((record) => record.code),
    ['quota-exceeded'],
  );
  assert.ok((streamed.artefacts()[0]?.bytes ?? Number.POSITIVE_INFINITY) <= 1000);
});

test('quotas of names and of requests: what is within them passes, the next is refused with a sentence', async (t) => {
  const proxy = await start(t, { quotas: { hostsMax: 1, requestsMax: 3 } });
  assert.equal((await proxy.fetch('/')).httpCode, 200);
  assert.match((await proxy.fetch('/', { host: 'other.example' })).body, /quota of 1 hosts/);
  assert.equal((await proxy.fetch('/')).httpCode, 200);
  const before = requests.length;
  assert.match((await proxy.fetch('/')).body, /quota of 3 requests/);
  assert.deepEqual(
    proxy.refusals().map((record) => record.code),
    ['quota-exceeded', 'quota-exceeded'],
  );
  assert.equal(requests.length, before);
});

test('a redirect leads nowhere that its host itself would not: to a private address it ends with a sentence', async (t) => {
  const address = (host: string) => (host === 'good.example' ? '127.0.0.1' : '169.254.169.254');
  const proxy = await start(t, { resolve: async (host) => [{ address: address(host), family: 4 }] });
  const { headers } = await proxy.fetch('/inwards');
  const inwards = new URL(String(headers['location']));
  const before = requests.length;
  const { httpCode, body } = await proxy.fetch(inwards.pathname, { host: inwards.hostname });
  assert.deepEqual([httpCode, requests.length], [403, before]);
  assert.match(body, /inner\.example is at 169\.254\.169\.254, which a build may not reach/);
  const [first] = proxy.artefacts();
  assert.deepEqual([first?.httpCode, first?.location], [302, 'https://inner.example/latest?…']);
});

test('quota of connections: one too many is closed and recorded', async (t) => {
  const proxy = await start(t, { quotas: { connectionsMax: 1 } });
  const first = connectTls({
    host: '127.0.0.1',
    port: proxy.port,
    servername: 'good.example',
    ca: proxy.certificatePem,
  });
  await once(first, 'secureConnect');
  await assert.rejects(proxy.fetch('/'));
  first.destroy();
  assert.deepEqual(
    proxy.refusals().map((record) => record.code),
    ['quota-exceeded'],
  );
});

test('an upstream with a certificate that the system does not trust is refused', async (t) => {
  const proxy = await start(t, { roots: proxyRootsOf(await startLocalProxy({ port: 1, roots: '' })) });
  const answer = await proxy.fetch('/');
  assert.equal(answer.httpCode, 502);
  assert.deepEqual(
    proxy.refusals().map((record) => record.code),
    ['upstream-untrusted'],
  );
});

function proxyRootsOf(proxy: { certificatePem: string; stop(): void }): string {
  proxy.stop();
  return proxy.certificatePem;
}

test('what fails on the way says how: unknown name, unreachable, silent, not HTTP', async (t) => {
  const fail = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));
  const unknown = await start(t, { resolve: fail('ENOTFOUND') });
  const unresolved = await start(t, { resolve: fail('EAI_AGAIN') });
  const closed = await start(t, { port: 1 });
  const silent = await start(t, { quotas: { idleTimeoutMs: 200 } });
  const mute = createTcpServer(() => {}).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  t.after(() => mute.close());
  const handshakeless = await start(t, {
    port: (mute.address() as AddressInfo).port,
    quotas: { connectTimeoutMs: 200 },
  });
  const expectations = [
    [unknown, '/', 'name-unknown'],
    [unresolved, '/', 'upstream-unreachable'],
    [closed, '/', 'upstream-unreachable'],
    [silent, '/hang', 'upstream-unreachable'],
    [handshakeless, '/', 'upstream-unreachable'],
  ] as const;
  for (const [proxy, path, code] of expectations) {
    const answer = await proxy.fetch(path);
    assert.equal(answer.httpCode, 502);
    assert.deepEqual(
      proxy.refusals().map((record) => record.code),
      [code],
    );
  }
  await assert.rejects(silent.fetch('/stall'));
  assert.match(silent.refusals().at(-1)?.sentence ?? '', /stood still/);
});

test('a client that does not trust the certificate leaves a note that names the host', async (t) => {
  const proxy = await start(t);
  const curl = spawn('curl', [
    '-sS',
    '--cacert',
    origin.caBundlePath,
    '--connect-to',
    `::127.0.0.1:${proxy.port}`,
    'https://good.example/',
  ]);
  const [exitCode] = (await once(curl, 'exit')) as [number];
  assert.equal(exitCode, 60);
  while (proxy.records.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [note] = proxy.records;
  assert.match(note?.kind === 'note' ? note.sentence : '', /good\.example/);
});
