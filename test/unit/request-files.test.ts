/**
 * Owns the proof of what an execution holds: its files until it is over, and what it left as it was answered. Stores are fakes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileRow } from '../../coordinator/executions/file-store.ts';
import { FileHolds } from '../../coordinator/files/file-holds.ts';
import { noFiles, RequestFiles } from '../../coordinator/files/request-files.ts';
import type { CollectedFile } from '../../shared/model/collection.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const file = { tenantId: 'one', id: 'file_00000000', sha256: 'sha256:0', bytes: 5, objectKey: 'o/1' } as const;
const kept: CollectedFile = { path: 'a', file: 'file_11111111', bytes: 1 };

function prepare(row: Partial<FileRow> | null = {}) {
  const clock = new VirtualClock();
  const extended: number[] = [];
  const ended: unknown[] = [];
  let came = [kept];
  const nowMs = clock.nowMs();
  const known = row && ({ ...file, executionId: null, createdAtMs: 0, expiresAtMs: nowMs + 1000, ...row } as FileRow);
  const holds = new FileHolds();
  const files = new RequestFiles(
    {
      ...{
        clock,
        holds,
        urls: { urlOf: (key) => `http://${key}` },
        shards: { leaseFor: () => ({ shard: 0, epoch: 1 }) },
      },
      rows: {
        get: async () => known,
        extend: async (_tenantId, _ids, expiresAtMs) => {
          extended.push(expiresAtMs);
          return [];
        },
      },
      collections: {
        begin: () => undefined,
        cameOf: () => came,
        end: (_tenantId, _id, answered) => {
          ended.push(answered);
          came = [];
        },
      },
    },
    { fileTtlMs: 1500 },
  );
  const hold = (request: Partial<ExecutionRequest>) =>
    files.hold({
      id: 'exec_00000000',
      terms: { tenantId: 'one', request: { environment: 'env_1', run: { script: '' }, ...request } },
    });
  return { clock, files, holds, extended, ended, hold, nowMs };
}

const named = {
  files: [
    { path: 'x', file: file.id },
    { path: 'y', file: file.id },
  ],
};

test('a request that names nothing holds nothing', async () => {
  assert.equal(await prepare().hold({}), noFiles);
});

test('a file is told to agents once, held until the end, and used anew when half of its time is over', async () => {
  const fresh = prepare();
  const held = await fresh.hold(named);
  assert.deepEqual(held.toOrder().inputs, [{ file: file.id, sha256: file.sha256, bytes: 5, url: 'http://o/1' }]);
  assert.deepEqual([fresh.holds.has(file), fresh.extended], [true, []]);
  held.release(null);
  held.release(null);
  assert.equal(fresh.holds.size, 0);
  const old = prepare({ expiresAtMs: 1_000_000 + 700 });
  await old.hold(named);
  assert.deepEqual(old.extended, [old.nowMs + 1500]);
});

test('a refusal names each place and holds nothing', async () => {
  for (const row of [null, { expiresAtMs: 0 }]) {
    const { hold, holds } = prepare(row);
    await assert.rejects(hold(named), (error: { code: string; errors: { pointer: string }[] }) => {
      assert.deepEqual(
        [error.code, ...error.errors.map(({ pointer }) => pointer)],
        ['file-not-found', '/files/0/file', '/files/1/file'],
      );
      return true;
    });
    assert.equal(holds.size, 0);
  }
});

test('what was left is answered the same before and after the end', async () => {
  const { hold, ended } = prepare();
  const held = await hold({ run: { script: '', collect: ['*'] } });
  const answer = held.toAnswer({ files: [kept], uncollected: [] } as never);
  assert.deepEqual(answer, { files: [kept], uncollected: [] });
  held.release(answer);
  held.release(null);
  assert.deepEqual(held.toAnswer({ files: [kept] } as never).files, [kept]);
  assert.deepEqual(ended, [[kept]], 'it ends once');
});
