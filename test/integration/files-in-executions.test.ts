/**
 * Owns files that executions name: fetched once by an agent however many use them, streamed into standard input, named in receipts by their bytes, refused
 * by place when they are not there, and held while an accepted execution needs them. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const MIB = 1024 * 1024;
const sha256Of = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

async function upload(url: string, data: Uint8Array | string): Promise<string> {
  const headers = { 'content-type': 'application/octet-stream' };
  const answer = await fetch(`${url}/v1/files`, { method: 'POST', headers, body: data as never });
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { id: string }).id;
}

/** A store that counts what is read of it. */
class CountingStore extends DirectoryObjectStore {
  bytes = 0;

  override async get(...asked: Parameters<DirectoryObjectStore['get']>): ReturnType<DirectoryObjectStore['get']> {
    const content = await super.get(...asked);
    content?.body.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
    });
    content?.body.pause();
    return content;
  }
}

async function setFilesStage(t: TestContext, changes: Partial<CoordinatorConfig> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-files-'));
  t.after(() => rm(folder, { recursive: true }));
  const objects = new CountingStore(folder);
  const stage = await setStage(t, null, changes, null, { fileObjects: objects });
  return { ...stage, objects, url: stage.coordinator.url };
}

test('a hundred executions with the same 10 MB fetch it once, as a file and as standard input', async (t) => {
  const stage = await setFilesStage(t);
  const agent = await stage.startAgent();
  const data = randomBytes(10 * MIB);
  const file = await upload(stage.url, data);
  const request = {
    files: [{ path: 'input.bin', file }],
    run: { script: 'wc -c < input.bin; wc -c', stdin: file, stdinEncoding: 'file' },
  };
  const startMs = performance.now();
  for (let left = 100; left > 0; left -= 10) {
    const results = await Promise.all(Array.from({ length: 10 }, () => stage.execute(request)));
    for (const { run } of results) assert.equal(run?.stdout, `${data.length}\n`.repeat(2));
  }
  t.diagnostic(`${Math.round((performance.now() - startMs) / 100)} ms for each of a hundred executions`);
  assert.equal(stage.objects.bytes, data.length, 'its bytes were read once');
  assert.deepEqual(await readdir(join(stage.folder, 'state/files')), [], 'on the disk of the agent it has no name');
  await agent.end('SIGTERM');
});

test('a receipt names files by their bytes: it is the one of the same content inline', async (t) => {
  const stage = await setFilesStage(t);
  await stage.startAgent();
  const file = await upload(stage.url, 'some input');
  const script = 'cat a; cat';
  const named = { files: [{ path: 'a', file, executable: true }], run: { script, stdin: file, stdinEncoding: 'file' } };
  const inline = {
    files: [{ path: 'a', content: 'some input', executable: true }],
    run: { script, stdin: 'some input' },
  };
  const [one, other] = [await stage.execute(named), await stage.execute(inline)];
  assert.deepEqual([one.run?.stdout, other.run?.stdout], ['some input'.repeat(2), 'some input'.repeat(2)]);
  const digestIn = ({ receipt }: typeof one) =>
    JSON.parse(Buffer.from(String(receipt).split('.')[0] ?? '', 'base64url').toString()).request;
  assert.equal(digestIn(one), digestIn(other));
});

test('400 MB run through standard input without being held in memory', async (t) => {
  const stage = await setFilesStage(t);
  const agent = await stage.startAgent();
  // Large against what the collector leaves lying about, which is what a peak of resident memory shows of a stream.
  const data = Buffer.alloc(400 * MIB, 'x');
  const file = await upload(stage.url, data);
  const before = agent.residentBytes;
  const startMs = performance.now();
  const { run } = await stage.execute({ run: { script: 'wc -c', stdin: file, stdinEncoding: 'file' } });
  t.diagnostic(`${Math.round(performance.now() - startMs)} ms, the download included`);
  assert.equal(run?.stdout, `${data.length}\n`);
  const grown = agent.residentPeakBytes - before;
  assert.ok(grown < 160 * MIB, `the agent grew by ${Math.round(grown / MIB)} MiB`);
});

test('a file that is not there, over or too large is refused by its place before anything is accepted', async (t) => {
  const coordinator = await startCoordinator(t);
  await coordinator.join({ understands: ['order.inputs'] });
  const there = await upload(coordinator.url, 'x');
  const environment = { base: 'debian-13' };
  const ask = async (request: object) => {
    const answer = await coordinator.ask('POST', '/v1/executions', { environment, ...request });
    const { code, errors = [] } = await answer.json();
    return [answer.status, code, errors.map(({ pointer }: { pointer: string }) => pointer)];
  };
  const none = 'file_00000000';
  const named = {
    files: [
      { path: 'a', file: none },
      { path: 'b', file: there },
      { path: 'c', file: none },
    ],
    run: { script: 'true', stdin: none, stdinEncoding: 'file' },
  };
  const places = ['/files/0/file', '/files/2/file', '/run/stdin'];
  assert.deepEqual(await ask(named), [404, 'file-not-found', places]);
  await coordinator.ask('DELETE', `/v1/files/${there}`);
  const deleted = { files: [{ path: 'b', file: there }], run: { script: 'true' } };
  assert.deepEqual(await ask(deleted), [404, 'file-not-found', ['/files/0/file']]);
  const noId = { run: { script: 'true', stdin: 'x', stdinEncoding: 'file' } };
  assert.deepEqual(await ask(noId), [400, 'request-invalid', ['/run/stdin']]);
  const odd = { files: [{ path: 'b', file: 'x' }], run: { script: 'true' } };
  assert.deepEqual(await ask(odd), [400, 'request-invalid', ['/files/0/file']]);
  const both = { files: [{ path: 'b', file: there, content: 'x' }], run: { script: 'true' } };
  assert.equal((await ask(both))[1], 'request-invalid');
  const large = await upload(coordinator.url, Buffer.alloc(60 * MIB));
  const twice = {
    files: [
      { path: 'a', file: large },
      { path: 'b', file: large },
    ],
    run: { script: 'true' },
  };
  assert.deepEqual(await ask(twice), [400, 'request-invalid', ['/files/1/file']]);
  assert.deepEqual((await (await coordinator.ask('GET', '/v1/executions')).json()).items, [], 'nothing was accepted');
});

test('an agent of an older release is not given such work, and one that understands it is', async (t) => {
  const coordinator = await startCoordinator(t);
  const older = await coordinator.join({
    understands: ['order.environment'],
    labels: { 'understands:order.inputs': 'yes' },
  });
  const file = await upload(coordinator.url, 'x');
  const request = { environment: { base: 'debian-13' }, files: [{ path: 'a', file }], run: { script: 'true' } };
  const waiting = coordinator.ask('POST', '/v1/executions?wait=20', request);
  const able = await coordinator.join({
    understands: ['order.inputs'],
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const answer = await (await waiting).json();
  assert.equal(answer.verdict, 'ok');
  const { order } = await able.heard('lease.offer');
  assert.equal(order.inputs?.length, 1);
  assert.equal(order.inputs?.[0]?.sha256, `sha256:${sha256Of(Buffer.from('x'))}`);
  assert.equal(
    older.said.some(({ type }) => type === 'lease.offer'),
    false,
  );
});

test('a file that is deleted while an accepted execution needs it stays until that is over, a restart included', async (t) => {
  const coordinator = await startCoordinator(t);
  const file = await upload(coordinator.url, 'needed');
  const request = { environment: { base: 'debian-13' }, files: [{ path: 'a', file }], run: { script: 'true' } };
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  assert.equal((await coordinator.ask('DELETE', `/v1/files/${file}`)).status, 204);
  assert.equal((await coordinator.ask('GET', `/v1/files/${file}`)).status, 404);
  assert.equal((await coordinator.ask('POST', '/v1/executions', request)).status, 404, 'nobody new may use it');
  await coordinator.restart();
  const agent = await coordinator.join({ understands: ['order.inputs'] });
  const { lease, fence, order } = await agent.heard('lease.offer');
  const url = order.inputs?.[0]?.url ?? '';
  assert.equal(await (await fetch(url)).text(), 'needed');
  assert.equal(
    (await fetch(url.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')))).status,
    403,
    'the token is the permission',
  );
  agent.say({ type: 'lease.completed', lease, fence, result: makeResult() });
  await agent.heard('lease.acknowledged');
  assert.equal((await (await coordinator.ask('GET', `/v1/executions/${id}`)).json()).stage, 'finished');
});
