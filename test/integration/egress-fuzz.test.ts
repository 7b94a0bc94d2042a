/**
 * Owns the proof that no bytes, from the build or from an upstream, end the proxy or leave an exchange without a record.
 */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import fc from 'fast-check';
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
async function say(bytes: Uint8Array): Promise<string> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
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
