/**
 * Owns what becomes of readers of events that do not read: they are let go, with little kept for them, and whoever reads slowly is not.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemRandom } from '../../shared/clock.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { streamEvents } from '../../shared/http/event-stream.ts';
import { createStrictServer, serverDefaults } from '../../shared/http/server.ts';
import type { Logger } from '../../shared/logger.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const MEBIBYTE = 1024 * 1024;
const PING_MS = 15_000;
const piece = 'x'.repeat(32_768);

/** A server with one stream, and a reader that has begun and reads nothing. */
async function follow(t: TestContext, keptBytes: number) {
  const clock = new VirtualClock();
  const log = new EventLog(keptBytes);
  const quiet = { error: () => 0 } as never as Logger;
  const deps = { log: quiet, random: systemRandom, admit: () => undefined, who: 'test', description: 'nowhere' };
  const server = createStrictServer(deps, serverDefaults);
  const began = Promise.withResolvers<ServerResponse>();
  server.get('/events', (_request, reply) => {
    began.resolve(reply.raw);
    return streamEvents(reply, log, undefined, clock);
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const socket: Socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined).pause();
  socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
  return { clock, log, socket, raw: await began.promise };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a reader that takes nothing while much is told is cut off when that is forgotten, and next to nothing is kept for it', async (t) => {
  const { log, raw } = await follow(t, 2 * MEBIBYTE);
  const closed = once(raw, 'close');
  let most = 0;
  for (let sent = 0; sent < 64 * MEBIBYTE && !raw.destroyed; sent += piece.length) {
    log.append('stdout', piece, piece.length);
    most = Math.max(most, raw.writableLength);
    await turn();
  }
  await closed;
  assert.ok(most < MEBIBYTE / 4, `${most} bytes were kept`);
});

test('a reader that takes nothing between two pings is cut off, whatever little it has left; one that takes some is not', async (t) => {
  const { clock, log, raw, socket } = await follow(t, 64 * MEBIBYTE);
  const fill = async () => {
    while (!raw.writableNeedDrain) {
      log.append('stdout', piece, 1);
      await turn();
    }
  };
  await fill();
  clock.pass(PING_MS);
  assert.equal(raw.destroyed, false, 'the first ping has nothing to compare with');
  const before = raw.writableLength;
  socket.resume();
  while (raw.writableLength >= before) await turn();
  socket.pause();
  await fill();
  clock.pass(PING_MS);
  assert.equal(raw.destroyed, false, 'it has taken some');
  const closed = once(raw, 'close');
  clock.pass(PING_MS);
  await closed;
});
