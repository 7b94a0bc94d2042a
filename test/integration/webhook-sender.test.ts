/**
 * Owns what one attempt does with receivers of every kind, over real sockets: good, failing, hanging, dripping, endless, redirecting, closing, and those
 * whose names lead where they may not.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { HttpSender } from '../../coordinator/deliveries/sender.ts';
import { createAddressPolicy } from '../../coordinator/egress/address-policy.ts';
import type { Resolve } from '../../coordinator/egress/vetted-lookup.ts';
import { systemClock } from '../../shared/clock.ts';
import { startOrigin } from '../support/local-origin.ts';

const body = Buffer.from('{"type":"execution.finished"}');
const never = new AbortController().signal;

interface SenderChanges {
  readonly resolve?: Resolve;
  readonly allowed?: readonly string[];
  readonly timeoutMs?: number;
  readonly roots?: string;
}

/** A sender that may reach loopback unless a test says otherwise, and knows every name as loopback. */
function makeSender({ resolve, allowed = ['127.0.0.1'], timeoutMs = 3000, roots = '' }: SenderChanges = {}) {
  const resolved: string[] = [];
  const addresses = createAddressPolicy({ allowedPrivateRanges: allowed, deniedRanges: [], ownAddresses: [] });
  const loopback: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  const sender = new HttpSender(
    {
      clock: systemClock,
      rules: { addresses, allowsPlainHttp: true, ports: ['*'] },
      loadRoots: () => roots,
      resolve: async (host) => {
        resolved.push(host);
        return await (resolve ?? loopback)(host);
      },
    },
    timeoutMs,
  );
  const send = (url: string, signal = never) =>
    sender.send({ url, headers: { 'webhook-id': 'delivery_a' }, body }, signal);
  return { send, resolved };
}

async function listening<Listener extends Server | TcpServer>(t: TestContext, server: Listener): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const receive = async (t: TestContext, listener: RequestListener) =>
  `http://receiver.example:${await listening(t, createServer(listener))}/hook?a=1`;

/** A receiver that speaks for itself: what it does with a connection. */
async function receiveRaw(t: TestContext, connected: (write: (text: string) => boolean, end: () => void) => void) {
  const sockets = new Set<{ destroy(): void }>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () =>
      connected(
        (chunk) => socket.write(chunk),
        () => socket.destroy(),
      ),
    );
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return `http://receiver.example:${await listening(t, server)}/`;
}

test('a receiver is sent the body by POST, under its own name, on a connection of its own', async (t) => {
  const seen: unknown[] = [];
  const url = await receive(t, async (request, response) => {
    const { method, url: path, headers } = request;
    seen.push([method, path, headers.host?.replace(/:\d+$/, ''), headers['webhook-id'], headers.connection]);
    assert.equal(await text(request), body.toString());
    response.writeHead(204).end();
  });
  const { send } = makeSender();
  assert.deepEqual(await send(url), { status: 204, error: null, retryAfterMs: null });
  assert.deepEqual(seen, [['POST', '/hook?a=1', 'receiver.example', 'delivery_a', 'close']]);
});

test('what is no 2xx is a failure with its status; a wish to wait is heard; a redirect is not followed', async (t) => {
  const asked: string[] = [];
  const answers: Record<string, [number, Record<string, string>]> = {
    ...{ '/500': [500, {}], '/410': [410, {}], '/503': [503, { 'retry-after': '7' }] },
    ...{ '/302': [302, { location: '/inner' }], '/307': [307, { location: 'http://169.254.169.254/latest' }] },
  };
  const url = await receive(t, (request, response) => {
    asked.push(request.url ?? '');
    const [code, headers] = answers[request.url ?? ''] ?? [200, {}];
    response.writeHead(code, headers).end('no');
  });
  const { send, resolved } = makeSender();
  const at = (path: string) => send(new URL(path, url).href);
  assert.deepEqual(await at('/500'), { status: 500, error: 'the receiver answered 500', retryAfterMs: null });
  assert.equal((await at('/410')).status, 410);
  assert.equal((await at('/503')).retryAfterMs, 7000);
  assert.match((await at('/302')).error ?? '', /redirects are not followed/);
  assert.match((await at('/307')).error ?? '', /redirects are not followed/);
  assert.equal(asked.length, 5, 'nobody was asked but the receiver itself');
  assert.ok(resolved.every((host) => host === 'receiver.example'));
});

test('a receiver that says nothing, or a byte now and then, is left when its time is over', async (t) => {
  const { send } = makeSender({ timeoutMs: 400 });
  const silent = await receiveRaw(t, () => undefined);
  const dripping = await receiveRaw(t, (write, end) => {
    const timer = setInterval(() => write('H') || end(), 20);
    t.after(() => clearInterval(timer));
  });
  const dead = createTcpServer(() => undefined);
  const mute = `https://receiver.example:${await listening(t, dead)}/`;
  for (const url of [silent, dripping, mute]) {
    const from = performance.now();
    const sent = await send(url);
    assert.equal(sent.status, null);
    assert.match(sent.error ?? '', /did not answer within 400 ms|could not be reached/);
    assert.ok(performance.now() - from < 3000, url);
  }
});

test('a name whose servers never answer costs no more than the time of the attempt', async () => {
  const { send } = makeSender({ timeoutMs: 200, resolve: () => new Promise(() => undefined) });
  assert.match((await send('http://receiver.example/')).error ?? '', /within 200 ms/);
});

test('a status that was heard stands: a body that never ends, or is endless, is not waited for', async (t) => {
  let written = 0;
  const endless = await receive(t, (_request, response) => {
    response.writeHead(200, { 'content-length': String(10 * 2 ** 30) });
    const chunk = Buffer.alloc(65_536, 'x');
    const more = () => {
      while (!response.destroyed) {
        written += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', more);
    more();
  });
  const before = process.memoryUsage().rss;
  const { send } = makeSender({ timeoutMs: 1000 });
  assert.equal((await send(endless)).status, 200);
  assert.ok(written < 64 * 2 ** 20, `${written} bytes were written`);
  assert.ok(process.memoryUsage().rss - before < 64 * 2 ** 20);
  const open = await receive(t, (_request, response) => response.writeHead(201).write('and'));
  assert.deepEqual(await send(open), { status: 201, error: null, retryAfterMs: null });
});

test('what is no HTTP, headers without end, and a closed door are failures', async (t) => {
  const { send } = makeSender();
  const closing = await receiveRaw(t, (_write, end) => end());
  const odd = await receiveRaw(t, (write) => write('SSH-2.0-OpenSSH_9.2\r\n'));
  const large = await receiveRaw(t, (write) => write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`));
  const server = createTcpServer(() => undefined);
  const port = await listening(t, server);
  server.close();
  await once(server, 'close');
  for (const url of [closing, odd, large, `http://receiver.example:${port}/`]) {
    const { status, error } = await send(url);
    assert.equal(status, null, url);
    assert.match(error ?? '', /^the receiver could not be reached \([A-Z_]+\)$/, 'nothing of its own words');
  }
});

test('a name that leads to an address that is not public is not dialled, whatever else it leads to', async (t) => {
  let asked = 0;
  const url = await receive(t, (_request, response) => {
    asked += 1;
    response.end();
  });
  const bad = [
    '127.0.0.1',
    '10.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    'fe80::1',
    '100.64.0.1',
    '169.254.169.254',
    'fd00::1',
  ];
  for (const address of bad) {
    const family = address.includes(':') ? 6 : 4;
    const found = [
      { address: '203.0.113.1', family: 4 },
      { address, family },
    ];
    const { send } = makeSender({ allowed: [], resolve: async () => found });
    const { status, error } = await send(url);
    assert.equal(status, null);
    assert.match(error ?? '', /which webhooks may not reach/, address);
  }
  const literal = makeSender({ allowed: [] });
  assert.match(
    (await literal.send(url.replace('receiver.example', '127.0.0.1'))).error ?? '',
    /may not reach: loopback/,
  );
  assert.deepEqual(literal.resolved, []);
  assert.equal(asked, 0);
});

test('what is dialled is what was vetted: a name that leads elsewhere a moment later is not asked again', async (t) => {
  const url = await receive(t, (_request, response) => response.end());
  let times = 0;
  const { send } = makeSender({
    resolve: async () => {
      times += 1;
      return [{ address: times === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
    },
  });
  assert.equal((await send(url)).status, 200);
  assert.equal(times, 1);
  // The next attempt looks anew.
  assert.match((await send(url)).error ?? '', /127\.0\.0\.2, which webhooks may not reach/);
});

test('TLS is verified for the name, against the given roots', async (t) => {
  const origin = await startOrigin((_request, response) => response.writeHead(202).end());
  t.after(() => origin.stop());
  const url = `https://receiver.example:${origin.port}/`;
  assert.equal((await makeSender({ roots: origin.roots }).send(url)).status, 202);
  const other = await startOrigin(() => undefined);
  t.after(() => other.stop());
  assert.match(
    (await makeSender({ roots: other.roots }).send(url)).error ?? '',
    /could not be reached \([A-Z_]*(CERT|SIGN|VERIFY)/,
  );
});

test('an attempt that is given up ends at once', async (t) => {
  const url = await receive(t, () => undefined);
  const gone = new AbortController();
  const sent = makeSender({ timeoutMs: 60_000 }).send(url, gone.signal);
  setTimeout(() => gone.abort(), 50);
  assert.deepEqual(await sent, { status: null, error: 'the attempt was given up', retryAfterMs: null });
});
