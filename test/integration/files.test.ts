/**
 * Owns files over real HTTP: sent once, found by their tenant alone, read in parts, deleted; and bodies that are cut off, too large or none at all.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type KeyRing, localAsker, localTenant } from '../../coordinator/tenants/keys.ts';
import { startMinioServer } from '../../ops/minio/private-minio.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

type Coordinator = Awaited<ReturnType<typeof startCoordinator>>;

const MIB = 1024 * 1024;
const bytesType = { 'content-type': 'application/octet-stream' };

function send({ url }: Coordinator, body: Uint8Array | string, headers: Record<string, string> = {}) {
  return fetch(`${url}/v1/files`, { method: 'POST', body: body as never, headers: { ...bytesType, ...headers } });
}

/** Objects and what is on its way. */
async function countStored({ folder }: Coordinator): Promise<number> {
  const names = await readdir(join(folder, 'files/objects'), { recursive: true, withFileTypes: true }).catch(() => []);
  const incoming = await readdir(join(folder, 'incoming')).catch(() => []);
  return names.filter((entry) => entry.isFile()).length + incoming.length;
}

test('a file that is sent is told by digest and size, and comes back in whole and in parts, never as a page of ours', async (t) => {
  const coordinator = await startCoordinator(t);
  const data = randomBytes(100_000);
  const sent = await send(coordinator, data);
  assert.equal(sent.status, 200);
  const file = (await sent.json()) as { id: string; sha256: string; bytes: number; expiresAt: string };
  const sha256 = createHash('sha256').update(data).digest('hex');
  assert.match(file.id, /^file_[0-9a-z]{32}$/);
  assert.deepEqual([file.sha256, file.bytes], [sha256, data.length]);
  assert.ok(Math.abs(Date.parse(file.expiresAt) - Date.now() - 604_800_000) < 60_000);
  const got = await coordinator.ask('GET', `/v1/files/${file.id}`);
  assert.ok(data.equals(Buffer.from(await got.arrayBuffer())));
  const expected = {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${file.id}"`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'content-length': '100000',
    etag: `"${sha256}"`,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(got.headers.get(name), value, name);
  const head = await coordinator.ask('HEAD', `/v1/files/${file.id}`);
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '100000', '']);
  assert.equal(head.headers.get('x-expires-at'), file.expiresAt);
  const part = async (range: string, more = {}) => {
    const answer = await coordinator.ask('GET', `/v1/files/${file.id}`, undefined, { range, ...more });
    return [answer.status, answer.headers.get('content-range'), Buffer.from(await answer.arrayBuffer())] as const;
  };
  assert.deepEqual(await part('bytes=10-19'), [206, 'bytes 10-19/100000', data.subarray(10, 20)]);
  assert.deepEqual(await part('bytes=99990-'), [206, 'bytes 99990-99999/100000', data.subarray(99_990)]);
  assert.deepEqual(await part('bytes=-5'), [206, 'bytes 99995-99999/100000', data.subarray(99_995)]);
  assert.equal((await part('bytes=100000-'))[0], 416);
  for (const odd of ['bytes=5-1', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-'])
    assert.equal((await part(odd))[0], 200, odd);
  assert.equal((await part('bytes=0-1', { 'if-range': '"other"' }))[0], 200);
  const known = await coordinator.ask('GET', `/v1/files/${file.id}`, undefined, { 'if-none-match': `"${sha256}"` });
  assert.equal(known.status, 304);
});

test('the same bytes of the same tenant are one file, and those of another tenant have another id that nobody else finds', async (t) => {
  const tenants = new Map(['a', 'b'].map((id) => [`key-${id}`, { ...localAsker, tenant: { ...localTenant, id } }]));
  const keys: KeyRing = {
    find: (key) => tenants.get(key) ?? null,
    get: () => localTenant,
    has: () => true,
    all: () => [],
    keysOf: () => [],
  };
  const coordinator = await startCoordinator(t, {}, keys);
  const as = (tenant: string) => ({ authorization: `Bearer key-${tenant}` });
  const [first, second, other] = await Promise.all([
    send(coordinator, 'same', as('a')).then((answer) => answer.json() as Promise<{ id: string }>),
    send(coordinator, 'same', as('a')).then((answer) => answer.json() as Promise<{ id: string }>),
    send(coordinator, 'same', as('b')).then((answer) => answer.json() as Promise<{ id: string }>),
  ]);
  assert.equal(first.id, second.id);
  assert.notEqual(first.id, other.id);
  assert.equal(await countStored(coordinator), 2);
  for (const [method, status] of [
    ['GET', 404],
    ['HEAD', 404],
    ['DELETE', 404],
  ] as const) {
    assert.equal((await coordinator.ask(method, `/v1/files/${other.id}`, undefined, as('a'))).status, status, method);
  }
  const missing = await (await coordinator.ask('GET', `/v1/files/${other.id}`, undefined, as('a'))).json();
  assert.equal(missing.code, 'file-not-found');
  const listed = await (await coordinator.ask('GET', '/v1/files', undefined, as('a'))).json();
  assert.deepEqual(
    listed.items.map(({ id }: { id: string }) => id),
    [first.id],
  );
  assert.equal((await coordinator.ask('POST', '/v1/files', undefined, bytesType)).status, 401);
});

test('a deleted file is gone with its bytes, and may be sent again', async (t) => {
  const coordinator = await startCoordinator(t);
  const { id } = (await (await send(coordinator, 'x')).json()) as { id: string };
  assert.equal(await countStored(coordinator), 1);
  assert.equal((await coordinator.ask('DELETE', `/v1/files/${id}`)).status, 204);
  assert.equal((await coordinator.ask('GET', `/v1/files/${id}`)).status, 404);
  assert.equal((await coordinator.ask('DELETE', `/v1/files/${id}`)).status, 404);
  assert.equal(await countStored(coordinator), 0);
  assert.equal(((await (await send(coordinator, 'x')).json()) as { id: string }).id, id);
  assert.equal((await coordinator.ask('GET', `/v1/files/${id}`)).status, 200);
});

test('an empty file is a file', async (t) => {
  const coordinator = await startCoordinator(t);
  const file = (await (await send(coordinator, new Uint8Array(0))).json()) as { id: string; bytes: number };
  assert.equal(file.bytes, 0);
  const got = await coordinator.ask('GET', `/v1/files/${file.id}`);
  assert.deepEqual([got.status, await got.text()], [200, '']);
  assert.equal((await coordinator.ask('GET', `/v1/files/${file.id}`, undefined, { range: 'bytes=0-' })).status, 416);
});

test('bodies that are no bytes, too large, too many or of another page are refused by name and leave nothing', async (t) => {
  const coordinator = await startCoordinator(t, { fileBytesMax: 1000, tenantFileBytesMax: 1500 });
  const refused = async (body: Uint8Array | string, headers: Record<string, string>) => {
    const answer = await send(coordinator, body, headers);
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };
  assert.deepEqual(await refused('{}', { 'content-type': 'application/json' }), [415, 'media-type-unsupported']);
  assert.deepEqual(await refused('a', { 'content-type': 'text/plain' }), [415, 'media-type-unsupported']);
  assert.deepEqual(await refused('a', { origin: 'https://elsewhere.example' }), [403, 'forbidden']);
  assert.deepEqual(await refused('a', { 'sec-fetch-site': 'cross-site' }), [403, 'forbidden']);
  assert.deepEqual(await refused(randomBytes(1001), {}), [413, 'body-too-large']);
  const streamed = httpRequest(`${coordinator.url}/v1/files`, { method: 'POST', headers: bytesType });
  const [[answer]] = await Promise.all([
    once(streamed, 'response'),
    pipeline(Readable.from([randomBytes(600), randomBytes(600)]), streamed),
  ]);
  assert.equal(answer.statusCode, 413, 'also when its length is not announced');
  answer.resume();
  // Other routes take no bytes.
  const posted = await fetch(`${coordinator.url}/v1/executions`, { method: 'POST', headers: bytesType, body: 'x' });
  assert.equal(posted.status, 415);
  assert.equal((await send(coordinator, randomBytes(900))).status, 200);
  assert.deepEqual(await refused(randomBytes(900), {}), [429, 'quota-exceeded']);
  assert.equal((await send(coordinator, Buffer.alloc(600))).status, 200);
  assert.equal((await send(coordinator, Buffer.alloc(600))).status, 200, 'what is there takes no room');
  assert.equal(await countStored(coordinator), 2);
});

test('more than may be on its way is told to come later, and others still come', async (t) => {
  const coordinator = await startCoordinator(t, { fileBytesMax: 1000, uploadBytesMax: 1000 });
  const begun = httpRequest(`${coordinator.url}/v1/files`, {
    method: 'POST',
    headers: { ...bytesType, 'content-length': 600 },
  });
  const answered = once(begun, 'response');
  begun.write(randomBytes(300));
  const later = async () => (await send(coordinator, randomBytes(600))).status;
  while ((await later()) !== 429);
  assert.equal((await send(coordinator, 'x'.repeat(10))).status, 429, 'of one tenant half may be on its way');
  begun.end(randomBytes(300));
  const [answer] = await answered;
  answer.resume();
  assert.equal(answer.statusCode, 200);
  assert.equal(await later(), 200);
});

test('an upload that is cut off, or shorter than it said, leaves nothing', async (t) => {
  const coordinator = await startCoordinator(t);
  const { hostname, port } = new URL(coordinator.url);
  for (const framing of ['content-length: 1000000', 'transfer-encoding: chunked']) {
    const socket = connect(Number(port), hostname);
    const isChunked = framing.startsWith('t');
    socket.write(
      `POST /v1/files HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/octet-stream\r\n${framing}\r\n\r\n`,
    );
    const piece = 'x'.repeat(60_000);
    socket.write(isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
    await once(socket, 'ready');
    await new Promise((resolve) => socket.write('', resolve));
    socket.destroy();
    await once(socket, 'close');
  }
  const after = await send(coordinator, 'whole');
  assert.equal(after.status, 200);
  assert.equal(await countStored(coordinator), 1);
});

test('a gigabyte goes in and out without being held in memory', async (t) => {
  const coordinator = await startCoordinator(t);
  const total = 1024 * MIB;
  const chunk = randomBytes(MIB);
  const before = process.memoryUsage().rss;
  let peak = before;
  async function* source() {
    for (let index = 0; index < total / MIB; index += 1) {
      peak = Math.max(peak, process.memoryUsage().rss);
      yield chunk;
    }
  }
  const upload = httpRequest(`${coordinator.url}/v1/files`, {
    method: 'POST',
    headers: { ...bytesType, 'content-length': total },
  });
  const answered = once(upload, 'response');
  await pipeline(Readable.from(source(), { objectMode: false }), upload);
  const [answer] = await answered;
  const { id } = JSON.parse(Buffer.concat(await answer.toArray()).toString());
  // Not through what would read the whole answer to hold it against the description.
  const got = await fetch(`${coordinator.url}/v1/files/${id}`);
  let bytes = 0;
  for await (const piece of got.body ?? []) {
    bytes += piece.length;
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  assert.equal(bytes, total);
  // Server, client and both directions are in this one process.
  assert.ok(peak - before < 256 * MIB, `memory grew by ${Math.round((peak - before) / MIB)} MiB`);
});

test('a disk that is full, or a folder that can not be made, refuses an upload by name and leaves nothing', async (t) => {
  const coordinator = await startCoordinator(t);
  const spool = join(coordinator.folder, 'incoming');
  await mkdir(spool);
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', spool]);
  try {
    const full = await send(coordinator, randomBytes(2 * MIB));
    assert.deepEqual([full.status, ((await full.json()) as { code: string }).code], [503, 'object-store-unavailable']);
    assert.deepEqual(await readdir(spool), []);
    assert.equal((await send(coordinator, 'small')).status, 200);
  } finally {
    await promisify(execFile)('umount', [spool]);
  }
});

test('in MinIO files have a bucket of their own, and deleted ones leave no version behind', async (t) => {
  const server = await startMinioServer();
  const fileObjects = new MinioObjectStore({ endpoint: server.endpoint, region: server.region, ...server.files });
  t.after(async () => {
    await fileObjects.close();
    await server.stop();
  });
  const coordinator = await startCoordinator(t, {}, null, { fileObjects });
  const data = randomBytes(3 * MIB);
  const { id } = (await (await send(coordinator, data)).json()) as { id: string };
  const got = await coordinator.ask('GET', `/v1/files/${id}`, undefined, { range: 'bytes=1000000-1999999' });
  assert.ok(data.subarray(1_000_000, 2_000_000).equals(Buffer.from(await got.arrayBuffer())));
  assert.equal((await Readable.from(fileObjects.list('')).toArray()).length, 1);
  assert.equal((await coordinator.ask('DELETE', `/v1/files/${id}`)).status, 204);
  assert.equal((await Readable.from(fileObjects.list('')).toArray()).length, 0);
  await server.kill();
  const down = await send(coordinator, 'x');
  assert.deepEqual([down.status, ((await down.json()) as { code: string }).code], [503, 'object-store-unavailable']);
});
