/**
 * Owns files that executions leave: what is kept and what is named instead, who may send them, and that none is lost or there twice when an agent or the
 * store goes away. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { startMinioServer } from '../../ops/minio/private-minio.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const environment = { base: 'debian-13' };
const understands = ['order.collect'];
const byPath = <Item extends { readonly path: string }>(items: readonly Item[] = []) =>
  [...items].sort((one, other) => (one.path < other.path ? -1 : 1));

async function openStore(t: TestContext): Promise<DirectoryObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-files-'));
  t.after(() => rm(folder, { recursive: true }));
  return new DirectoryObjectStore(folder);
}

const objectsOf = (store: DirectoryObjectStore | MinioObjectStore) => Readable.from(store.list('')).toArray();

test('what a run leaves is kept under its path, and what can not be kept is named with the reason', async (t) => {
  const fileObjects = await openStore(t);
  const stage = await setStage(t, null, { collectBytesMax: 1000, collectFilesMax: 20 }, null, { fileObjects });
  await stage.startAgent();
  const script = `
    mkdir out; printf picture > out/a.png; printf text > out/b.txt; : > out/empty.png
    ln -s /etc/passwd out/link.png; ln -s ../../.. out/up; mkfifo out/pipe.png
    head -c 5000 /dev/zero > out/huge.png; printf odd > "out/$(printf '\\377').png"; printf top > 'a b?c'; exit 3`;
  const answer = await stage.execute({ run: { script, collect: ['out/*.png', 'a b?c', 'none'] } });
  assert.deepEqual([answer.verdict, answer.stage], ['nonzero-exit', 'finished'], 'also of a program that failed');
  const files = byPath(answer.files);
  assert.deepEqual(
    files.map(({ path, bytes }) => [path, bytes]),
    [
      ['a b?c', 3],
      ['out/a.png', 7],
      ['out/empty.png', 0],
    ],
  );
  assert.deepEqual(byPath(answer.uncollected), [
    { path: 'out/huge.png', state: 'too-large', bytes: 5000 },
    {
      path: 'out/link.png',
      state: 'not-regular',
      bytes: answer.uncollected?.find(({ path }) => /link/.test(path))?.bytes,
    },
    { path: 'out/pipe.png', state: 'not-regular', bytes: 0 },
    { path: 'out/\ufffd.png', state: 'not-utf8', bytes: 3 },
  ]);
  const got = await stage.coordinator.ask('GET', `/v1/files/${files[1]?.file}`);
  assert.deepEqual([got.status, await got.text()], [200, 'picture']);
  assert.equal((await objectsOf(fileObjects)).length, 3);
  // What was left can be used.
  const run = { script: 'cat', stdin: files[1]?.file, stdinEncoding: 'file' };
  assert.equal((await stage.execute({ run })).run?.stdout, 'picture');
  for (const collect of [['/etc/passwd'], ['../x'], ['a//b'], ['a/./b'], ['a\0']]) {
    const refused = await stage.coordinator.ask('POST', '/v1/executions', {
      environment,
      run: { script: 'true', collect },
    });
    const { errors } = await refused.json();
    assert.deepEqual([refused.status, errors[0].pointer], [400, '/run/collect/0']);
  }
  const nothing = await stage.coordinator.ask('POST', '/v1/executions', {
    environment,
    run: { script: 'true', collect: [] },
  });
  assert.equal(nothing.status, 400, 'whoever wants nothing asks for nothing');
  const none = await stage.execute({ run: { script: 'true', collect: ['*'] } });
  assert.deepEqual([none.files, none.uncollected], [[], []]);
});

/** Puts bytes where an order says. */
async function put(url: string, path: string, content: string, headers: Record<string, string> = {}) {
  const type = { 'content-type': 'application/octet-stream' };
  const target = `${url}?path=${encodeURIComponent(path)}`;
  const answer = await fetch(target, { method: 'PUT', headers: { ...type, ...headers }, body: content });
  return { status: answer.status, body: (await answer.json()) as { file: string; sha256: string; code: string } };
}

test('a ticket is good for files of one placement within its bounds, and for nothing else', async (t) => {
  const fileObjects = await openStore(t);
  const bounds = { collectBytesMax: 10, collectFilesMax: 2 };
  const coordinator = await startCoordinator(t, bounds, null, { fileObjects });
  const agent = await coordinator.join({ understands });
  const older = await coordinator.join({ understands: ['order.inputs'] });
  const request = { environment, run: { script: 'true', collect: ['*'] } };
  const waiting = coordinator.ask('POST', '/v1/executions?wait=20', request);
  const { lease, fence, order } = await agent.heard('lease.offer');
  assert.equal(
    older.said.some(({ type }) => type === 'lease.offer'),
    false,
  );
  assert.deepEqual({ ...order.collect, url: '' }, { patterns: ['*'], bytesMax: 10, filesMax: 2, url: '' });
  const url = order.collect?.url ?? '';
  const first = await put(url, 'a', '12345');
  assert.deepEqual([first.status, first.body.sha256], [200, digestHex(digestOf('12345'))]);
  assert.equal((await put(url, 'a', '12345')).body.file, first.body.file, 'the same again is the same');
  assert.deepEqual((await put(url, 'b', '123456')).body.code, 'body-too-large');
  const other = await put(url, 'a', '1234567');
  assert.equal(other.status, 200, 'a path has one file');
  const second = await put(url, 'b', '123');
  assert.equal((await put(url, 'c', '')).body.code, 'body-too-large', 'two files are all');
  // Not the last character: some of its bits are of no byte.
  const changed = url.replace(/.(?=.{5}$)/, (one) => (one === 'A' ? 'B' : 'A'));
  assert.equal((await put(changed, 'a', '1')).status, 403);
  assert.equal((await put(url, 'a', '1', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await fetch(url)).status, 405, 'nothing is read there');
  const told = [
    { path: 'a', file: other.body.file as `file_${string}`, bytes: 7 },
    { path: 'b', file: second.body.file as `file_${string}`, bytes: 3 },
    { path: 'c', file: 'file_00000000' as const, bytes: 1 },
  ];
  agent.say({ type: 'lease.completed', lease, fence, result: { ...makeResult(), files: told, uncollected: [] } });
  const answer = (await (await waiting).json()) as Execution;
  assert.deepEqual(answer.files, told.slice(0, 2), 'what has not come is not told');
  assert.equal((await put(url, 'd', '')).status, 403, 'it is over');
  await coordinator.untilLogged('file removed');
  assert.equal((await objectsOf(fileObjects)).length, 2, 'what no result names is gone');
});

test('an agent that is lost while it sends leaves nothing twice: the next one sends, and what came before goes', async (t) => {
  const fileObjects = await openStore(t);
  const times = { leaseTtlMs: 500, reportIntervalMs: 100, reconnectGraceMs: 0 };
  const coordinator = await startCoordinator(t, times, null, { fileObjects });
  const lost = await coordinator.join({ understands });
  const request = { environment, run: { script: 'true', collect: ['*'] } };
  const waiting = coordinator.ask('POST', '/v1/executions?wait=20', request);
  const before = await lost.heard('lease.offer');
  const oldUrl = before.order.collect?.url ?? '';
  assert.equal((await put(oldUrl, 'a', 'from the first')).status, 200);
  lost.socket.terminate();
  const next = await coordinator.join({ understands });
  const { lease, fence, order } = await next.heard('lease.offer');
  assert.equal((await put(oldUrl, 'a', 'late')).status, 403, 'an old ticket is void');
  const sent = await put(order.collect?.url ?? '', 'a', 'from the second');
  const told = [{ path: 'a', file: sent.body.file as `file_${string}`, bytes: 15 }];
  next.say({ type: 'lease.completed', lease, fence, result: { ...makeResult(), files: told } });
  const answer = (await (await waiting).json()) as Execution;
  assert.deepEqual(answer.files, told);
  await coordinator.untilLogged('file removed');
  assert.equal((await objectsOf(fileObjects)).length, 1);
});

test('a cancelled execution keeps nothing of what was sent', async (t) => {
  const fileObjects = await openStore(t);
  const coordinator = await startCoordinator(t, {}, null, { fileObjects });
  const agent = await coordinator.join({ understands });
  const request = { environment, run: { script: 'true', collect: ['*'] } };
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const { order } = await agent.heard('lease.offer');
  assert.equal((await put(order.collect?.url ?? '', 'a', 'x')).status, 200);
  assert.deepEqual((await (await coordinator.ask('DELETE', `/v1/executions/${id}`)).json()).files, []);
  await coordinator.untilLogged('file removed');
  assert.equal((await objectsOf(fileObjects)).length, 0);
});

test('while MinIO is down an agent tries again, and the files are there when it is back', async (t) => {
  const server = await startMinioServer();
  const fileObjects = new MinioObjectStore({ endpoint: server.endpoint, region: server.region, ...server.files });
  t.after(async () => {
    await fileObjects.close();
    await server.stop();
  });
  const stage = await setStage(t, null, {}, null, { fileObjects });
  await stage.startAgent();
  await server.kill();
  const answering = stage.execute({ run: { script: 'printf kept > file', collect: ['file'] } });
  await stage.coordinator.untilLogged('execution moved', ({ to }) => to === 'running');
  await server.revive();
  const { files, stage: end, attempts } = await answering;
  t.diagnostic(`${attempts} attempts`);
  assert.equal(end, 'finished');
  assert.equal(await (await stage.coordinator.ask('GET', `/v1/files/${files[0]?.file}`)).text(), 'kept');
  assert.equal((await objectsOf(fileObjects)).length, 1);
});

test('a tenant without room for files is told so by name', async (t) => {
  const stage = await setStage(t, null, { tenantFileBytesMax: 5 });
  await stage.startAgent();
  const { files, uncollected } = await stage.execute({ run: { script: 'printf 123456 > a', collect: ['a'] } });
  assert.deepEqual([files, uncollected], [[], [{ path: 'a', state: 'no-room', bytes: 6 }]]);
});
