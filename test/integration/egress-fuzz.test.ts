/**
 * Owns the proof that no bytes, from the build or from an upstream, end the proxy or leave an exchange without a record, and that no
 * grammar of requests gets anything to an upstream that the proxy did not admit by itself.
 */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { howMany } from '../support/ledger.ts';
import { startLocalProxy } from '../support/local-origin.ts';

let answer = Buffer.alloc(0);
const upstream = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end(answer));
});
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
const { port } = upstream.address() as AddressInfo;
const proxy = await startLocalProxy({ port, roots: '', quotas: { idleTimeoutMs: 2000 } });
after(() => {
  proxy.stop();
  upstream.close();
});

/** Sends bytes and ends; resolves with what was said when the connection is closed. */
async function say(bytes: Uint8Array, to = proxy.port): Promise<string> {
  const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.setTimeout(5000, () => socket.destroy());
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk.toString('latin1');
  });
  socket.end(bytes);
  await once(socket, 'close');
  return said;
}

const request = Buffer.from(`GET /x HTTP/1.1\r\nHost: good.example:${port}\r\nConnection: close\r\n\r\n`);
const wholeAnswer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok');

/** A valid message with some octets replaced, or noise. */
const near = (message: Buffer) =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
        .map((changes) => {
          const bytes = Buffer.from(message);
          for (const [at, value] of changes) bytes[at] = value;
          return bytes;
        }),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );

test('whatever a build sends, the proxy lives on', { timeout: 120_000 }, async () => {
  answer = wholeAnswer;
  await fc.assert(
    fc.asyncProperty(near(request), async (bytes) => void (await say(bytes))),
    { numRuns: 300 },
  );
  assert.match(await say(request), /^HTTP\/1\.1 200/);
});

test('whatever an upstream sends, the proxy lives on and the exchange has a record', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(near(wholeAnswer), async (bytes) => {
      answer = bytes;
      const before = proxy.records.length;
      await say(request);
      assert.ok(
        proxy.records.length > before || proxy.refusals().length > 1900,
        JSON.stringify(bytes.toString('latin1')),
      );
    }),
    {
      numRuns: 300,
      examples: [
        [Buffer.from('HTTP/1.1 099 x\r\n\r\n')],
        [Buffer.from('HTTP/1.1 200 \u0001\r\n\r\n')],
        [Buffer.from('HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')],
      ],
    },
  );
  answer = wholeAnswer;
  assert.match(await say(request), /^HTTP\/1\.1 200/);
});

/** What an upstream was asked for, by a parser that forgives everything. */
const heard: { line: string; host: string; body: string }[] = [];
const forgiving = createHttpServer({ insecureHTTPParser: true, requireHostHeader: false }, async (asked, response) => {
  const body = await text(asked).catch(() => 'broken off');
  heard.push({ line: `${asked.method} ${asked.url}`, host: asked.rawHeaders.join('\n'), body });
  response.end('ok');
});
forgiving.on('upgrade', (asked, socket) => {
  heard.push({ line: `UPGRADE ${asked.url}`, host: '', body: '' });
  socket.destroy();
});
forgiving.listen(0, '127.0.0.1');
await once(forgiving, 'listening');
const behind = (forgiving.address() as AddressInfo).port;
const guarded = await startLocalProxy({ port: behind, roots: '', quotas: { idleTimeoutMs: 2000, requestsMax: 1e6 } });
let admitted = 0;
const { admit } = guarded.ledger;
Object.assign(guarded.ledger, {
  admit: (to: string) => {
    admitted += 1;
    return admit(to);
  },
});
after(() => {
  guarded.stop();
  forgiving.close();
  forgiving.closeAllConnections();
});

const host = `good.example:${behind}`;
/** Stands for the number of the attempt in every target, so that what is heard late is known for what it is. */
const TAG = '~~~~~';
const hidden = `GET /hidden-${TAG} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const fields = fc.constantFrom(
  'Content-Length: 0', 'Content-Length: 5', 'Content-Length: +5', 'Content-Length: 5, 5', 'Content-Length: 0x5', 'Content-Length: 99',
  'content-length: 0\r\nContent-Length: 5', 'Content-Length : 5', 'Content-Length:\t5', 'Content\u00adLength: 5',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: identity', 'Transfer-Encoding:\u000bchunked',
  'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: Chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding : chunked', 'X: y\r\n Transfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked', 'X: y\rContent-Length: 5',
  `X: y\r\n\r\n${hidden}`, `X: ${hidden}`, 'Trailer: Content-Length', 'TE: trailers', 'Expect: 100-continue', 'Expect: x', 'Upgrade: h2c',
  'Connection: upgrade', 'Connection: close', 'Connection: Host, Content-Length, Transfer-Encoding', 'Connection: keep-alive, X',
  'HTTP2-Settings: AAMAAABkAAQAAP__', 'Proxy-Connection: keep-alive', 'X-Forwarded-Host: evil.example', 'Host : evil.example', 'Range: bytes=0-',
  'Content-Type: application/x-git-upload-pack-request', 'Accept-Encoding: gzip', ': x', 'X', '\u0000: x', 'X: \u0000',
); // biome-ignore format: a list
const bodies = fc.constantFrom(
  '', 'hello', '5\r\nhello\r\n0\r\n\r\n', `0\r\n\r\n${hidden}`, '5;x=\r\nhello\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n', hidden,
  `5\nhello\n0\n\n${hidden}`, `0${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`, 'fffffffffffffffff\r\nx', '-1\r\n\r\n', '0\r\nX',
); // biome-ignore format: a list
/** Mostly what is right, so that what is wrong meets a request that would have been forwarded. */
const mostly = <Value>(right: Value, ...wrong: Value[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(right) }, { weight: 2, arbitrary: fc.constantFrom(...wrong) });
const fetching = ['Content-Type: application/x-git-upload-pack-request', 'Content-Length: 5'];
const asking = fc.tuple(
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant('GET'), mostly(`/a-${TAG}`, `http://${host}/${TAG}`, '*', `//evil.example/${TAG}`, `/${TAG} b`, `/\u00ff${TAG}`, `/${TAG}#b`, host, `/\t${TAG}`, ''), fc.constant([])) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('POST'), fc.constant(`/${TAG}.git/git-upload-pack`), mostly(fetching, fetching.slice(0, 1))) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom('HEAD', 'POST', 'PUT', 'CONNECT', 'OPTIONS', 'TRACE', 'PRI', 'get', 'GETX'), fc.constant(`/a-${TAG}`), fc.constant([])) },
  ),
  mostly('HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1 ', 'http/1.1', 'ICE/1.0', ''),
  mostly([`Host: ${host}`], [], [`Host: ${host}`, 'Host: evil.example'], ['Host: evil.example@good.example']),
  fc.oneof(fc.constant([]), fc.array(fields, { maxLength: 1 }), fc.array(fields, { maxLength: 2 })),
  fc.oneof(fc.constant(null), fc.constant(null), bodies),
  mostly('\r\n', '\n', '\r'),
); // biome-ignore format: a grammar
const toText = (askings: readonly (typeof asking extends fc.Arbitrary<infer Value> ? Value : never)[]) =>
  askings
    .map(([[method, target, own], version, hosts, more, body, end]) => {
      const right = own.length === 0 ? '' : 'hello';
      return [`${method} ${target} ${version}`, ...hosts, ...own, ...more, '', body ?? right].join(end);
    })
    .join('');

test('whatever requests are made of, an upstream hears only what the proxy admitted, one by one', async () => {
  const attempts: { bytes: string; admitted: number }[] = [];
  await fc.assert(
    fc.asyncProperty(fc.array(asking, { minLength: 1, maxLength: 3 }).map(toText), async (text_) => {
      const bytes = text_.replaceAll(TAG, String(attempts.length).padStart(TAG.length, '0'));
      admitted = 0;
      await say(Buffer.from(bytes, 'latin1'), guarded.port);
      attempts.push({ bytes, admitted });
    }),
    { numRuns: howMany('ENVICUTOR_EGRESS_FUZZ_RUNS', 500, 50_000) },
  );
  const attemptOf = (line: string) => Number(/[^0-9]([0-9]{5})/.exec(line)?.[1] ?? Number.NaN);
  const heardOf = Map.groupBy(heard, ({ line }) => attemptOf(line));
  for (const [at, some] of heardOf) {
    const shown = JSON.stringify(attempts[at]?.bytes);
    assert.ok(some.length <= (attempts[at]?.admitted ?? 0), `${some.length} of ${attempts[at]?.admitted}: ${shown}`);
    for (const { line, host: raw, body } of some) {
      assert.match(line, /^(GET|HEAD) \/|^POST \/[0-9]+\.git\/git-upload-pack$/, shown);
      assert.deepEqual(raw.match(/^host\n.*$/gim), [`Host\n${host}`], shown);
      if (!line.startsWith('POST')) assert.equal(body, '', shown);
    }
  }
  // Not the other way round: a client that breaks off gets no answer, and leaves no record of one.
  for (const { method, url } of guarded.artefacts()) {
    const line = `${method} ${url.slice(`http://${host}`.length)}`;
    const some = heardOf.get(attemptOf(line)) ?? [];
    const at = some.findIndex((one) => one.line === line);
    assert.notEqual(at, -1, `${line} was recorded and not heard: ${JSON.stringify(attempts[attemptOf(line)]?.bytes)}`);
    some.splice(at, 1);
  }
  assert.ok(guarded.artefacts().length > attempts.length / 50, `${guarded.artefacts().length} of ${attempts.length}`);
});
