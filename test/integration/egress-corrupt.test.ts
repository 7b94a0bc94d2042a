/**
 * Owns the proof that a registry whose answers are corrupt on the wire, or never end, fails a request in bounded time with a sentence that
 * says how, and that nothing of such an answer is kept. Real TLS, answers written byte by byte.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { storeFolders } from '../../coordinator/egress/artefact-store.ts';
import { createBuildAuthority, createLeafIssuer } from '../../coordinator/egress/certificates.ts';
import { temporaryFolder } from '../support/captured.ts';
import { startLocalProxy } from '../support/local-origin.ts';

/** What would be kept, were it whole. */
const IMMUTABLE = '/pool/main/t/tool/tool_1.0_all.deb';
const IDLE_TIMEOUT_MS = 500;
const authority = createBuildAuthority();
const leaves = createLeafIssuer(authority);

/** A proxy with a store, before a registry that says these bytes when it has heard something, then does `then`. */
async function start(t: TestContext, said: string, then: (socket: Socket) => void, isTls = true) {
  const answer = (socket: Socket | TLSSocket): void => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(said, 'latin1', () => then(socket)));
  };
  const SNICallback = (name: string, done: (error: null, context: ReturnType<typeof leaves.contextFor>) => void) =>
    done(null, leaves.contextFor(name));
  const server = isTls ? createTlsServer({ SNICallback }, answer) : createTcpServer(answer);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const directory = temporaryFolder(t);
  for (const name of Object.values(storeFolders)) mkdirSync(join(directory, name));
  const store = { directory, key: 'ab'.repeat(32), tenantId: 'one', bodyBytesMax: 1 << 20, roomBytes: 1 << 22 };
  const { port } = server.address() as AddressInfo;
  const quotas = { idleTimeoutMs: IDLE_TIMEOUT_MS, connectTimeoutMs: IDLE_TIMEOUT_MS };
  const proxy = await startLocalProxy({ port, roots: authority.certificatePem, store, quotas });
  t.after(() => proxy.stop());
  const kept = () => Object.values(storeFolders).flatMap((name) => readdirSync(join(directory, name)));
  return { proxy, kept };
}

const end = (socket: Socket) => void socket.end();
const hang = () => undefined;
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

// biome-ignore format: what the registry does, the bytes it says, what it does then
const brokenOff: readonly (readonly [string, string, (socket: Socket) => void])[] = [
  ['says more bytes than it sends',              'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart', end],
  ['ends in the middle of a chunk',              `${chunked}ff\r\npart`,                                end],
  ['ends without the last chunk',                `${chunked}4\r\npart\r\n`,                             end],
  ['says a length of a chunk that is none',      `${chunked}4\r\npart\r\nzz\r\npart\r\n0\r\n\r\n`,      end],
  ['is reset in the middle of a body',           'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart', (socket) => void socket.destroy()],
  ['sends half a body and hangs',                'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart', hang],
  ['sends half of its chunks and hangs',         `${chunked}4\r\npart\r\n`,                             hang],
];

for (const [what, said, then] of brokenOff) {
  test(`a registry that ${what} fails the request, says how, and nothing of it is kept`, async (t) => {
    const { proxy, kept } = await start(t, said, then);
    await assert.rejects(proxy.fetch(IMMUTABLE));
    assert.deepEqual(
      proxy.artefacts().map(({ isComplete }) => isComplete),
      [false],
    );
    const told = proxy.refusals();
    assert.deepEqual(
      told.map(({ code }) => code),
      ['upstream-broken'],
    );
    assert.match(told[0]?.sentence ?? '', /good\.example (broke off its answer|stood still for too long)/);
    assert.deepEqual(kept(), []);
  });
}

// biome-ignore format: what the registry does, the bytes it says, what it does then, whether it speaks TLS
const headless: readonly (readonly [string, string, (socket: Socket) => void, boolean])[] = [
  ['accepts and never answers',          '',                                                              hang, true],
  ['answers half a head and hangs',      'HTTP/1.1 200 OK\r\nContent-Le',                                 hang, true],
  ['answers half a head and ends',       'HTTP/1.1 200 OK\r\nContent-Le',                                 end,  true],
  ['answers what is no HTTP',            '\u0000\u0001\u0002 noise\r\n\r\n',                              end,  true],
  ['says two lengths',                   'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\npart', end, true],
  ['never finishes the TLS handshake',   '',                                                              hang, false],
  ['answers the TLS handshake by noise', '\u0000\u0001\u0002 noise\r\n\r\n',                              end,  false],
  ['breaks off the TLS handshake',       '\u0016\u0003\u0003\u0000\u0040\u0002',                          end,  false],
];

for (const [what, said, then, isTls] of headless) {
  test(`a registry that ${what} is told to the build by a sentence, and nothing is kept`, async (t) => {
    const { proxy, kept } = await start(t, said, then, isTls);
    const answer = await proxy.fetch(IMMUTABLE);
    assert.equal(answer.httpCode, 502);
    assert.match(answer.body, /^Envicutor's build network: .*good\.example.*\.\n$/);
    assert.equal(proxy.refusals().length, 1);
    assert.deepEqual(kept(), []);
  });
}
