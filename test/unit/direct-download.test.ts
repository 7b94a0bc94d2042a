/**
 * Owns the proof that a body comes straight from the socket as it was sent, whatever the pieces, and that every answer but the plainest is left to
 * whoever knows all of HTTP. Raw sockets; nothing of an HTTP library.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import { downloadDirectly } from '../../shared/layers/direct-download.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const numbers = new SeededNumbers('direct');
const body = Buffer.from(Uint8Array.from({ length: 3_000_001 }, () => numbers.below(256)));
const head = (...fields: string[]) => Buffer.from(`HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n`);
const length = `Content-Length: ${body.length}`;

/** What one request is answered with, by a server that never looks at it. */
async function answered(test: TestContext, answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-direct-'));
  const file: FileHandle = await open(join(folder, 'file'), 'w+');
  test.after(async () => {
    server.close();
    await file.close();
    rmSync(folder, { recursive: true });
  });
  const heard: number[] = [];
  const closing = new AbortController();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/blob?x=1`;
  const options = { stallTimeoutMs: 400, signal: closing.signal, received: (bytes: number) => void heard.push(bytes) };
  const outcome = downloadDirectly(url, body.length, file, options);
  return { outcome, file, heard, closing };
}

const pieces = (socket: Socket, whole: Buffer, size: () => number) => {
  let at = 0;
  const next = (): void => {
    if (at >= whole.length) return void socket.end();
    const piece = whole.subarray(at, at + size());
    at += piece.length;
    socket.write(piece, () => setImmediate(next));
  };
  next();
};

// biome-ignore format: how it comes
const whole: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['at once',                              (socket) => socket.end(Buffer.concat([head(length), body]))],
  ['head and body apart',                  (socket) => { socket.write(head(length)); setImmediate(() => socket.end(body)); }],
  ['in pieces of all sizes',               (socket) => pieces(socket, Buffer.concat([head('X: y', length), body]), () => 1 + numbers.below(90_000))],
  ['with a head that comes byte by byte',  (socket) => pieces(socket, Buffer.concat([head(length), body]), ((at) => () => (at++ < 40 ? 1 : 500_000))(0))],
  ['with something behind its end',        (socket) => socket.end(Buffer.concat([head(length), body, Buffer.from('HTTP/1.1 200 OK\r\n')]))],
  ['on a connection that stays open',      (socket) => void socket.write(Buffer.concat([head('Content-Encoding: identity', length), body]))],
];
for (const [how, answer] of whole) {
  test(`a body that comes ${how} is in the file as it was sent`, async (t) => {
    const { outcome, file, heard } = await answered(t, answer);
    assert.deepEqual(await outcome, { digest: digestOf(body) });
    assert.ok(body.equals(await file.readFile()));
    assert.equal(heard.at(-1), body.length);
    assert.deepEqual(
      heard,
      heard.toSorted((a, b) => a - b),
    );
  });
}

// biome-ignore format: what is answered instead
const others: readonly (readonly [string, Buffer])[] = [
  ['another status',            Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')],
  ['a redirect',                Buffer.from('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n')],
  ['another length',            head(`Content-Length: ${body.length + 1}`)],
  ['no length',                 head('Connection: close')],
  ['two lengths',               head(length, length)],
  ['a length in other words',   head(`Content-Length: +${body.length}`)],
  ['chunks',                    head('Transfer-Encoding: chunked')],
  ['chunks beside a length',    head('Transfer-Encoding: chunked', length)],
  ['an encoding',               head('Content-Encoding: gzip', length)],
  ['an older protocol',         Buffer.from(`HTTP/1.0 200 OK\r\n${length}\r\n\r\n`)],
  ['a folded field',            head('X: a', ' b', length)],
  ['a field without a name',    head(': x', length)],
  ['an endless head',           Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}`)],
  ['something else entirely',   Buffer.from('SSH-2.0-server\r\n\r\n')],
];
for (const [what, answer] of others) {
  test(`an answer with ${what} is left to the ordinary client, and nothing is written`, async (t) => {
    const { outcome, file } = await answered(t, (socket) => void socket.write(answer));
    assert.equal(await outcome, 'other');
    assert.equal((await file.stat()).size, 0);
  });
}

test('a body that breaks off, stops, or never begins is a failure that says so', async (t) => {
  const half = Buffer.concat([head(length), body.subarray(0, 1_000_000)]);
  const cut = await answered(t, (socket) => socket.end(half));
  await assert.rejects(cut.outcome, /^Error: the connection ended after 1000000 of 3000001 bytes$/);
  const stopped = await answered(t, (socket) => void socket.write(half));
  await assert.rejects(stopped.outcome, /^Error: nothing came for 400 ms$/);
  const silent = await answered(t, () => undefined);
  await assert.rejects(silent.outcome, /^Error: nothing came for 400 ms$/);
  const closed = await answered(t, (socket) => void socket.write(half));
  closed.closing.abort();
  await assert.rejects(closed.outcome, /^Error: the fetcher was closed$/);
});

test('a file that takes no more is a failure, not a wait', async (t) => {
  const { outcome, file } = await answered(t, (socket) => {
    void file.close().then(() => socket.end(Buffer.concat([head(length), body])));
  });
  await assert.rejects(outcome, /closed|EBADF/);
});
