/**
 * Owns the end of what is kept: by time, on a virtual clock with each engine of the state store and a real directory; and because its tenant says so, over HTTP.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { Retention, type RetentionOptions } from '../../coordinator/deliveries/retention.ts';
import { shardOf } from '../../coordinator/executions/shard-store.ts';
import { FileService } from '../../coordinator/files/file-service.ts';
import { systemRandom, toTimestamp } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { stateEngines, takeLeases } from '../support/state-engines.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const DAY_MS = 86_400_000;

async function setStage(t: TestContext, name: string, options: Partial<RetentionOptions> = {}) {
  const engine = await stateEngines[name]?.();
  assert.ok(engine !== undefined);
  const store = await engine.open();
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-retention-'));
  t.after(async () => {
    await store.close();
    await engine.end();
    await rm(folder, { recursive: true });
  });
  const clock = new VirtualClock();
  const leaseFor = await takeLeases(store, 'only');
  const objects = new DirectoryObjectStore(join(folder, 'objects'));
  const shared = { clock, log: silentLogger, rows: store.files, objects, shards: { leaseFor } };
  const files = new FileService(
    { ...shared, random: systemRandom, key: Buffer.alloc(32), spoolDirectory: join(folder, 'spool') },
    { fileBytesMax: 1e6, tenantFileBytesMax: 0, fileTtlMs: DAY_MS, uploadBytesMax: 1e6 },
  );
  const forgotten: object[] = [];
  const retention = new Retention(
    { ...shared, files, executions: store.executions, forget: (what) => forgotten.push(what) },
    { resultTtlMs: 3 * DAY_MS, retentionIntervalMs: 1000, ...options },
  );
  let number = 0;
  return {
    ...{ clock, store, objects, files, retention, forgotten, leaseFor },
    count: async () => (await Readable.from(objects.list('')).toArray()).length,
    upload: (tenantId: string, text: string) =>
      files.upload(tenantId, { body: Readable.from([Buffer.from(text)], { objectMode: false }), announced: null }),
    /** Records an execution that ends now. */
    finish: async (tenantId: string) => {
      number += 1;
      const id = `exec_${String(number).padStart(8, '0')}` as const;
      const request = { environment: 'env_00000000', run: { script: 'true' } };
      const answer = { id, stage: 'queued', finishedAt: null } as Execution;
      await store.executions.accept({ tenantId, answer, request, idempotency: null }, leaseFor(tenantId));
      const end = { id, stage: 'finished' as const, finishedAt: toTimestamp(clock.nowMs()) } as Execution;
      await store.executions.finish(end, leaseFor(tenantId));
      return id;
    },
  };
}

for (const engine of Object.keys(stateEngines)) {
  test(`${engine}: results and files go when their time is over and not before, however many, in shards that were taken up`, async (t) => {
    const stage = await setStage(t, engine);
    const { clock, retention, store } = stage;
    retention.took([shardOf('one')]);
    const ids = await Promise.all(Array.from({ length: 450 }, () => stage.finish('one')));
    const others = await stage.finish('two');
    const file = await stage.upload('one', 'a');
    await stage.upload('two', 'b');
    clock.pass(DAY_MS - 1);
    assert.deepEqual(await retention.sweep(), { executions: 0, files: 0, orphans: 0 });
    clock.pass(1);
    assert.deepEqual(await retention.sweep(), { executions: 0, files: 1, orphans: 0 });
    assert.equal(await store.files.get('one', file.id), null);
    assert.equal(await stage.count(), 1);
    clock.pass(2 * DAY_MS);
    assert.deepEqual(await retention.sweep(), { executions: 450, files: 0, orphans: 0 });
    assert.equal(await store.executions.get('one', ids[0] ?? ''), null);
    assert.ok(stage.forgotten.some((what) => 'id' in what && what.id === ids[449]));
    assert.notEqual(await store.executions.get('two', others), null, 'its shard was not taken up');
    retention.took([shardOf('two')]);
    assert.deepEqual(await retention.sweep(), { executions: 1, files: 1, orphans: 0 });
    assert.equal(await stage.count(), 0);
  });

  test(`${engine}: what is used or sent again begins anew, and what an execution holds stays until it lets go`, async (t) => {
    const { clock, retention, upload, files, count } = await setStage(t, engine);
    retention.took([shardOf('one')]);
    await upload('one', 'a');
    clock.pass(DAY_MS / 2);
    const again = await upload('one', 'a');
    assert.equal(await count(), 1);
    clock.pass(DAY_MS / 2);
    assert.equal((await retention.sweep()).files, 0);
    const release = files.holds.take([again]);
    clock.pass(DAY_MS);
    assert.equal((await retention.sweep()).files, 0);
    await assert.rejects(files.find('one', again.id), { code: 'file-not-found' });
    release();
    assert.equal((await retention.sweep()).files, 1);
    assert.equal(await count(), 0);
  });
}

test('objects that no row names go when they are a day old, others stay', async (t) => {
  const { clock, retention, upload, objects, count } = await setStage(t, 'sqlite');
  retention.took([0]);
  await upload('one', 'a');
  const orphan = Buffer.from('left by a crash');
  await objects.put('tenant/orphan', orphan, describeBytes(orphan));
  clock.pass(Date.now() - clock.nowMs());
  await retention.sweep();
  assert.equal(await count(), 2);
  clock.pass(DAY_MS + 5000);
  assert.equal((await retention.sweep()).orphans, 1);
  assert.equal(await count(), 1, 'that of a row stays, though its time is over: its shard is not here');
});

test('it sweeps by itself, and what is over for ever is not', async (t) => {
  const { clock, retention, finish, store } = await setStage(t, 'sqlite', { resultTtlMs: 0 });
  retention.took([shardOf('one')]);
  const id = await finish('one');
  const swept = Promise.withResolvers<void>();
  const sweep = retention.sweep.bind(retention);
  retention.sweep = () => sweep().finally(() => swept.resolve());
  retention.start();
  clock.pass(1000 * DAY_MS);
  await swept.promise;
  await retention.stop();
  assert.notEqual(await store.executions.get('one', id), null);
});

test('a finished execution that is purged is gone with its output, its files and its key', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join({ understands: ['order.collect'] });
  const request = { environment: { base: 'debian-13' }, run: { script: 'true', collect: ['*'] } };
  const key = { 'idempotency-key': 'once' };
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request, key)).json();
  const { lease, fence, order } = await agent.heard('lease.offer');
  const headers = { 'content-type': 'application/octet-stream' };
  const put = await fetch(`${order.collect?.url}?path=a`, { method: 'PUT', headers, body: 'left' });
  const { file } = (await put.json()) as { file: `file_${string}` };
  const files = [{ path: 'a', file, bytes: 4 }];
  agent.say({ type: 'lease.completed', lease, fence, result: { ...makeResult(), files } });
  await agent.heard('lease.acknowledged');
  assert.equal((await coordinator.ask('GET', `/v1/files/${file}`)).status, 200);
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${id}?purge=yes`)).status, 400);
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${id}`)).status, 200, 'without the word it stays');
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${id}?purge=true`)).status, 204);
  for (const path of [`/v1/executions/${id}`, `/v1/executions/${id}/events`, `/v1/files/${file}`]) {
    assert.equal((await coordinator.ask('GET', path)).status, 404, path);
  }
  assert.deepEqual((await (await coordinator.ask('GET', '/v1/executions')).json()).items, []);
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${id}?purge=true`)).status, 404);
  const again = await coordinator.ask('POST', '/v1/executions', request, key);
  assert.notEqual((await again.json()).id, id, 'the key is free');
});

test('a running execution that is purged is cancelled first, and one that was only waited for is forgotten', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join();
  const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  const { id } = await (await coordinator.ask('POST', '/v1/executions', request)).json();
  const { lease } = await agent.heard('lease.offer');
  agent.say({ type: 'lease.accepted', lease });
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${id}?purge=true`)).status, 204);
  await agent.heard('lease.cancel');
  assert.equal((await coordinator.ask('GET', `/v1/executions/${id}`)).status, 404);
  const waiting = coordinator.ask('POST', '/v1/executions?wait=10', request);
  const next = await agent.heard('lease.offer', (offer) => offer.lease !== lease);
  agent.say({ type: 'lease.completed', lease: next.lease, fence: next.fence, result: makeResult() });
  const waited = await (await waiting).json();
  assert.equal((await coordinator.ask('GET', `/v1/executions/${waited.id}`)).status, 200);
  assert.equal((await coordinator.ask('DELETE', `/v1/executions/${waited.id}?purge=true`)).status, 204);
  assert.equal((await coordinator.ask('GET', `/v1/executions/${waited.id}`)).status, 404);
});
