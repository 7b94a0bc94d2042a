/**
 * Owns what every state store must do about shards: who has what, and that a write under a lease which is over has no effect.
 * Nothing here knows an engine; what only a store of several members can show is in test/integration/postgres-shards.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SHARDS, type ShardLease, shardOf } from '../../coordinator/executions/shard-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { EnvironmentId } from '../../shared/ids.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { type StateEngine, stateEngines, TTL_MS, takeLeases } from '../support/state-engines.ts';

const isMoved = { code: 'shard-moved' };
const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const member = (id: string) => ({ id, url: `http://${id}.example` });
const execution = (id: string, stage: Execution['stage'] = 'queued') => ({ id: `exec_${id}`, stage }) as Execution;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const idempotency = { key: 'k', bodyDigest: digestOf('body'), ttlMs: 600_000 };
const entry = (id: string, tenantId = 'one') => ({ tenantId, answer: execution(id), request, idempotency: null });

for (const [name, createEngine] of Object.entries(stateEngines)) {
  describe(name, () => {
    let engine: StateEngine;
    let store: StateStore;
    before(async () => {
      engine = await createEngine();
      store = await engine.open();
    });
    after(async () => {
      await store.close();
      await engine.end();
    });
    const idsOfUnfinished = async (shards: readonly number[]) =>
      (await store.executions.unfinished(shards)).map(({ answer }) => answer.id);

    test('the only member has every shard, and keeps its epochs while it says that it is there', async () => {
      const first = await store.shards.beat(member('one'), TTL_MS, []);
      assert.deepEqual(first.members, [member('one')]);
      assert.deepEqual(first.holders, new Array(SHARDS).fill('one'));
      assert.deepEqual(
        first.held.map(({ shard }) => shard),
        everyShard,
      );
      assert.deepEqual(await store.shards.beat(member('one'), TTL_MS, []), first);
    });

    test('a shard that is given up and taken again has another epoch; the others keep theirs', async () => {
      const { held } = await store.shards.beat(member('one'), TTL_MS, []);
      const later = await store.shards.beat(member('one'), TTL_MS, [7, 9]);
      assert.deepEqual(
        later.held.filter(({ epoch }, index) => epoch !== held[index]?.epoch).map(({ shard }) => shard),
        [7, 9],
      );
      assert.ok(later.held.every(({ epoch }, index) => epoch >= (held[index]?.epoch ?? 0)));
    });

    test('who left has nothing and may not write; who comes next has higher epochs', async () => {
      const leaseOf = await takeLeases(store, 'one');
      const stale = leaseOf('one');
      await store.executions.accept(entry('a'), stale);
      await store.shards.leave('one');
      await store.shards.leave('one');
      await assert.rejects(store.executions.accept(entry('b'), stale), isMoved);
      const fresh = (await takeLeases(store, 'two'))('one');
      assert.ok(fresh.epoch > stale.epoch);
      const keyed = { ...entry('c'), idempotency };
      await assert.rejects(store.executions.accept(keyed, stale), isMoved);
      await assert.rejects(store.executions.finish(execution('a', 'finished'), stale), isMoved);
      assert.deepEqual(await idsOfUnfinished(everyShard), ['exec_a'], 'nothing of it had an effect');
      assert.equal(await store.executions.get('one', 'exec_c'), null);
      assert.equal(await store.executions.accept({ ...entry('d'), idempotency }, fresh), null, 'the key is free');
      await store.executions.finish(execution('a', 'finished'), fresh);
      assert.deepEqual(await idsOfUnfinished(everyShard), ['exec_d']);
    });

    test('a stale write is refused alone: those of the same turn under present leases are done', async () => {
      const leaseOf = await takeLeases(store, 'two');
      const stale: ShardLease = { shard: shardOf('one'), epoch: 1 };
      const writes = await Promise.allSettled([
        store.executions.accept(entry('s1'), leaseOf('one')),
        store.executions.accept({ ...entry('s2'), idempotency: { ...idempotency, key: 's' } }, stale),
        store.executions.accept({ ...entry('s3'), idempotency: { ...idempotency, key: 's' } }, leaseOf('one')),
        store.executions.finish(execution('s1', 'finished'), stale),
        store.executions.finish(execution('s3', 'finished'), leaseOf('one')),
      ]);
      assert.deepEqual(
        writes.map((write) => (write.status === 'rejected' ? write.reason.code : write.value)),
        [null, 'shard-moved', null, 'shard-moved', undefined],
      );
      const stages = ['s1', 's2', 's3'].map(async (id) => (await store.executions.get('one', `exec_${id}`))?.stage);
      assert.deepEqual(await Promise.all(stages), ['queued', undefined, 'finished']);
    });

    test('what is unfinished is told by shard', async () => {
      const tenants = ['t1', 't2', 't3', 't4'];
      const shards = tenants.map(shardOf);
      assert.equal(new Set([...shards, shardOf('one')]).size, 5, 'tenants of different shards');
      const leaseOf = await takeLeases(store, 'two');
      await Promise.all(tenants.map((id) => store.executions.accept(entry(id, id), leaseOf(id))));
      for (const id of tenants) {
        const answer = { id: `env_${id}`, state: 'building' } as Environment;
        const row = { tenantId: id, id: `env_${id}` as EnvironmentId, request: {}, answer };
        await store.environments.save({ ...row, manifests: [], specs: [], fingerprint: 'f' });
      }
      const [first, , third] = shards as [number, number, number, number];
      assert.deepEqual(await idsOfUnfinished([third, first]), ['exec_t1', 'exec_t3']);
      const environments = await store.environments.unfinished([third, first]);
      assert.deepEqual(
        environments.map(({ id }) => id),
        ['env_t1', 'env_t3'],
      );
      assert.deepEqual(await idsOfUnfinished([]), []);
    });

    test('a lease of another shard is a mistake of ours', async () => {
      const leaseOf = await takeLeases(store, 'two');
      await assert.rejects(store.executions.accept(entry('m'), leaseOf('t1')), { name: 'AssertionError' });
      await assert.rejects(store.executions.finish(execution('t2', 'finished'), leaseOf('t1')), {
        name: 'AssertionError',
      });
      assert.equal((await store.executions.get('t2', 'exec_t2'))?.stage, 'queued');
    });
  });
}

describe('sqlite has one member', () => {
  test('a process that was started later has everything, and the earlier one is not let back', async () => {
    const engine = await (stateEngines['sqlite'] as () => Promise<StateEngine>)();
    const [earlier, later] = [await engine.open(), await engine.open()];
    const stale = (await takeLeases(earlier, 'earlier'))('one');
    const fresh = (await takeLeases(later, 'later'))('one');
    assert.ok(fresh.epoch > stale.epoch);
    const view = await earlier.shards.beat(member('earlier'), TTL_MS, []);
    assert.deepEqual([view.held, view.members], [[], [member('later')]]);
    await assert.rejects(earlier.executions.accept(entry('a'), stale), isMoved);
    assert.equal(await later.executions.accept(entry('a'), fresh), null);
    await later.shards.leave('later');
    assert.ok((await takeLeases(earlier, 'earlier'))('one').epoch > fresh.epoch, 'nobody else is there');
    await Promise.all([earlier.close(), later.close()]);
    await engine.end();
  });
});
