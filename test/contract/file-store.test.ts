/**
 * Owns what every state store must do about files and about executions that are to go, against each implementation in turn. Nothing here knows an
 * engine.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { FileRow } from '../../coordinator/executions/file-store.ts';
import { SHARDS } from '../../coordinator/executions/shard-store.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId, FileId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { stateEngines, takeLeases } from '../support/state-engines.ts';

const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const row = (name: string, changes: Partial<FileRow> = {}): FileRow => ({
  tenantId: 'one',
  id: `file_${name}` as FileId,
  sha256: digestOf(name),
  bytes: 10,
  objectKey: `o/${name}`,
  executionId: null,
  createdAtMs: 5,
  expiresAtMs: 100,
  ...changes,
});
const isMoved = (error: unknown) => error instanceof SystemError && error.code === 'shard-moved';
const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

for (const [name, createEngine] of Object.entries(stateEngines)) {
  describe(name, async () => {
    const engine = await createEngine();
    const store = await engine.open();
    const { files, executions } = store;
    const leaseOf = await takeLeases(store, 'first');
    after(async () => {
      await store.close();
      await engine.end();
    });
    const save = (saved: FileRow) => files.save(saved, leaseOf(saved.tenantId));

    test('a file has one row, and a second saving lets its time end later, never sooner', async () => {
      assert.deepEqual(await save(row('a')), row('a'));
      const again = row('a', { objectKey: 'o/other', createdAtMs: 50, expiresAtMs: 200 });
      assert.deepEqual(await save(again), row('a', { expiresAtMs: 200 }), 'the first object stays');
      assert.equal((await save(row('a', { objectKey: 'o/third' }))).expiresAtMs, 200);
      assert.deepEqual(await files.get('one', 'file_a'), row('a', { expiresAtMs: 200 }));
      assert.equal(await files.get('two', 'file_a'), null, "another tenant's is not there");
      const [extended] = await files.extend('one', ['file_a', 'file_none'], 300, leaseOf('one'));
      assert.equal(extended?.expiresAtMs, 300);
    });

    test('files are listed newest first until their time is over, page by page, to their tenant', async () => {
      await save(row('b', { expiresAtMs: 150 }));
      await save(row('c', { expiresAtMs: 400 }));
      await save(row('d', { tenantId: 'two', objectKey: 'o/two' }));
      const first = await files.list('one', null, 1, 150);
      const second = await files.list('one', first.next, 5, 150);
      assert.deepEqual([idsOf(first.items), idsOf(second.items), second.next], [['file_c'], ['file_a'], null]);
      assert.equal(await files.storedBytes('one'), 30);
      assert.equal(await files.storedBytes('nobody'), 0);
      assert.deepEqual([...(await files.known(['o/a', 'o/none']))], ['o/a']);
    });

    test('what is over is found by shard and removed, and nothing else is', async () => {
      assert.deepEqual(idsOf(await files.expired(everyShard, 150, 10)), ['file_d', 'file_b']);
      assert.deepEqual(idsOf(await files.expired(everyShard, 150, 1)), ['file_d']);
      assert.deepEqual(await files.expired([leaseOf('one').shard + 1], 150, 10), []);
      assert.equal(await files.remove(row('a'), 150, leaseOf('one')), false, 'its time is not over');
      assert.equal(await files.remove(row('b'), 150, leaseOf('one')), true);
      assert.equal(await files.remove(row('b'), 150, leaseOf('one')), false);
      await files.expire('one', ['file_a'], 160, leaseOf('one'));
      await files.expire('one', ['file_a'], 170, leaseOf('one'));
      assert.equal((await files.get('one', 'file_a'))?.expiresAtMs, 160);
    });

    test('an execution that is removed takes its key along, and the time of what was collected from it is over', async () => {
      const lease = leaseOf('one');
      const id = 'exec_gone' as ExecutionId;
      const execution = (stage: Execution['stage'], finishedAt: string | null) =>
        ({ id, stage, finishedAt }) as Execution;
      const request = { environment: 'env_00000000', run: { script: 'true' } };
      const idempotency = { key: 'k', bodyDigest: digestOf('body'), ttlMs: 1e6 };
      await executions.accept({ tenantId: 'one', answer: execution('queued', null), request, idempotency }, lease);
      assert.equal(await executions.remove({ tenantId: 'one', id }, lease), false, 'it has not ended');
      await executions.finish(execution('finished', '1970-01-01T00:00:01.000Z'), lease);
      await save(row('x', { executionId: id, expiresAtMs: 9e9 }));
      assert.deepEqual(idsOf(await files.ofExecution('one', id)), ['file_x']);
      assert.deepEqual(await files.ofExecution('two', id), []);
      assert.deepEqual(await executions.outdated(everyShard, 999, 5), []);
      assert.deepEqual(await executions.outdated(everyShard, 1000, 5), [{ tenantId: 'one', id }]);
      assert.equal(await executions.remove({ tenantId: 'two', id }, leaseOf('two')), false, 'it is not theirs');
      assert.equal(await executions.remove({ tenantId: 'one', id }, lease), true);
      assert.equal(await executions.get('one', id), null);
      assert.equal((await files.get('one', 'file_x'))?.expiresAtMs, 0);
      const again = { tenantId: 'one', answer: execution('queued', null), request, idempotency };
      assert.equal(await executions.accept(again, lease), null, 'the key is free');
    });

    test('under a lease that is over nothing is saved, extended, expired or removed', async () => {
      const old = leaseOf('one');
      await store.shards.leave('first');
      await takeLeases(store, 'second');
      await assert.rejects(files.save(row('late'), old), isMoved);
      await assert.rejects(files.extend('one', ['file_c'], 1e9, old), isMoved);
      await assert.rejects(files.expire('one', ['file_c'], 0, old), isMoved);
      await assert.rejects(files.remove(row('a'), 1e9, old), isMoved);
      await assert.rejects(executions.remove({ tenantId: 'one', id: 'exec_gone' as ExecutionId }, old), isMoved);
      assert.equal(await files.get('one', 'file_late'), null);
      assert.equal((await files.get('one', 'file_c'))?.expiresAtMs, 400);
    });
  });
}
