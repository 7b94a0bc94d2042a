/**
 * Owns what every state store must do about batches and webhooks, against each implementation in turn: all or none, once, under the lease. Nothing here
 * knows an engine.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Attempted, Except, NewDelivery } from '../../coordinator/deliveries/delivery-store.ts';
import { SHARDS, shardOf } from '../../coordinator/executions/shard-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { DeliveryId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { stateEngines, takeLeases } from '../support/state-engines.ts';

const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const execution = (id: string, stage: Execution['stage'] = 'queued') => ({ id: `exec_${id}`, stage }) as Execution;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const nothing: Except = { ids: [], tenants: [], hosts: [], receivers: [] };
const delivery = (id: string, createdAtMs: number, host = 'a.example'): NewDelivery => ({
  ...{ id: `delivery_${id}`, event: 'execution.finished', url: `https://${host}/hook?x=${id}`, host, createdAtMs },
});
const failed = (nextAtMs: number | null): Attempted => ({
  ...{ state: nextAtMs === null ? 'exhausted' : 'waiting', nextAtMs, lastAtMs: 50, lastStatus: 503, lastError: 'no' },
});

for (const [name, createEngine] of Object.entries(stateEngines)) {
  describe(name, async () => {
    const engine = await createEngine();
    let store = await engine.open();
    const leaseOf = await takeLeases(store, 'first');
    after(async () => {
      await store.close();
      await engine.end();
    });
    const reopen = async () => {
      await store.close();
      store = await engine.open();
    };
    const batch = (ids: readonly string[], key: string | null = null, body = 'body', tenantId = 'one') => ({
      tenantId,
      executions: ids.map((id) => ({ answer: execution(id), request })),
      idempotency: key === null ? null : { key, bodyDigest: digestOf(body), ttlMs: 600_000 },
    });
    const acceptAll = (...given: Parameters<typeof batch>) =>
      store.executions.acceptAll(batch(...given), leaseOf(given[3] ?? 'one'));
    const listed = async (tenantId = 'one') =>
      (await store.executions.list(tenantId, null, 100)).items.map(({ id }) => id.slice(5));
    /** An execution that has ended and promised a delivery. */
    const promise = async (id: string, createdAtMs: number, tenantId = 'one', host = 'a.example') => {
      const lease = leaseOf(tenantId);
      await store.executions.accept({ tenantId, answer: execution(id), request, idempotency: null }, lease);
      await store.executions.finish(execution(id, 'finished'), lease, delivery(id, createdAtMs, host));
    };
    const dueIds = async (nowMs: number, except = nothing, limit = 100) =>
      (await store.deliveries.due(everyShard, nowMs, except, limit)).map(({ id }) => id.slice(9));

    test('a batch is recorded whole and in its order, and is there after a restart', async () => {
      assert.equal(await acceptAll(['a1', 'a2', 'a3']), null);
      await reopen();
      assert.deepEqual(await listed(), ['a3', 'a2', 'a1']);
      const left = await store.executions.unfinished(everyShard);
      assert.deepEqual(
        left.map(({ answer }) => answer.id),
        ['exec_a1', 'exec_a2', 'exec_a3'],
      );
    });

    test('a batch with one id that is taken records nothing, and its neighbours are recorded', async () => {
      const writes = [acceptAll(['b1', 'b2']), acceptAll(['b3', 'a2', 'b4'], 'spoilt'), acceptAll(['b5'])];
      const outcomes = await Promise.allSettled(writes);
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      assert.deepEqual(await listed(), ['b5', 'b2', 'b1', 'a3', 'a2', 'a1']);
      assert.equal(await store.executions.findKey('one', 'spoilt'), null, 'its key is free');
    });

    test("a batch's key stands for all of it: the same ids again, and nothing more is recorded", async () => {
      const both = [acceptAll(['c1', 'c2'], 'k'), acceptAll(['c3', 'c4'], 'k')];
      const taken = { ids: ['exec_c1', 'exec_c2'], bodyDigest: digestOf('body') };
      assert.deepEqual(await Promise.all(both), [null, taken]);
      await reopen();
      assert.deepEqual(await acceptAll(['c5', 'c6'], 'k', 'another'), taken);
      assert.deepEqual(await store.executions.findKey('one', 'k'), taken);
      const single = { tenantId: 'one', answer: execution('c7'), request, idempotency: batch([], 'k').idempotency };
      assert.deepEqual((await store.executions.accept(single, leaseOf('one')))?.bodyDigest, taken.bodyDigest);
      assert.ok(!(await listed()).some((id) => ['c3', 'c4', 'c5', 'c6', 'c7'].includes(id)));
      assert.equal(await acceptAll(['c8', 'c9'], 'k', 'body', 'two'), null, 'keys are of one tenant');
    });

    test('a batch under a lease that is over is refused whole', async () => {
      const { shard, epoch } = leaseOf('one');
      const late = store.executions.acceptAll(batch(['d1', 'd2'], 'late'), { shard, epoch: epoch - 1 });
      await assert.rejects(late, { code: 'shard-moved' });
      assert.equal(await store.executions.findKey('one', 'late'), null);
      assert.ok(!(await listed()).includes('d1'));
      const other = store.executions.acceptAll(batch(['d3']), { shard: (shard + 1) % SHARDS, epoch });
      await assert.rejects(other, { name: 'AssertionError' });
    });

    test('the end of an execution and what it promises are recorded together, once', async () => {
      await promise('e1', 10);
      // It has its answer: another end promises nothing.
      await store.executions.finish(execution('e1', 'cancelled'), leaseOf('one'), delivery('e1-again', 11));
      await store.executions.finish(execution('unknown', 'failed'), leaseOf('one'), delivery('unknown', 11));
      const { shard, epoch } = leaseOf('one');
      const moved = store.executions.finish(
        execution('a1', 'failed'),
        { shard, epoch: epoch - 1 },
        delivery('late', 11),
      );
      await assert.rejects(moved, { code: 'shard-moved' });
      await reopen();
      assert.deepEqual(await dueIds(9), []);
      const due = await store.deliveries.due(everyShard, 10, nothing, 9);
      const { id, event, url, host, createdAtMs } = delivery('e1', 10);
      const fresh = { state: 'waiting', attempts: 0, round: 0, begunAtMs: 10, nextAtMs: 10 };
      const unsent = { lastAtMs: null, lastStatus: null, lastError: null };
      assert.deepEqual(due, [
        { ...{ id, event, url, host, createdAtMs, tenantId: 'one', executionId: 'exec_e1' }, ...fresh, ...unsent },
      ]);
      assert.deepEqual(await store.deliveries.due([(shardOf('one') + 1) % SHARDS], 10, nothing, 9), []);
    });

    test('what is due comes in order, without what is excepted, and the next one is known', async () => {
      await promise('f1', 40, 'two', 'b.example');
      await promise('f2', 30, 'one', 'b.example');
      await promise('f3', 20, 'two', 'c.example');
      assert.deepEqual(await dueIds(100), ['e1', 'f3', 'f2', 'f1']);
      assert.deepEqual(await dueIds(100, nothing, 2), ['e1', 'f3']);
      assert.deepEqual(await dueIds(100, { ...nothing, ids: ['delivery_e1'] }), ['f3', 'f2', 'f1']);
      assert.deepEqual(await dueIds(100, { ...nothing, tenants: ['one'] }), ['f3', 'f1']);
      assert.deepEqual(await dueIds(100, { ...nothing, hosts: ['b.example', 'z'] }), ['e1', 'f3']);
      assert.deepEqual(await dueIds(100, { ...nothing, receivers: ['one b.example'] }), ['e1', 'f3', 'f1']);
      assert.equal(await store.deliveries.nextAtMs(everyShard, 20), 30);
      assert.equal(await store.deliveries.nextAtMs(everyShard, 40), null);
    });

    test('an attempt is counted with its outcome, under the lease alone, and what is over is not due', async () => {
      const id: DeliveryId = 'delivery_e1';
      await store.deliveries.attempted(id, failed(60), leaseOf('one'));
      const { shard, epoch } = leaseOf('one');
      const late = store.deliveries.attempted(id, failed(null), { shard, epoch: epoch - 1 });
      await assert.rejects(late, { code: 'shard-moved' });
      await store.deliveries.attempted('delivery_gone', failed(null), leaseOf('one'));
      await reopen();
      const first = await store.deliveries.get('one', id);
      assert.deepEqual([first?.attempts, first?.state, first?.nextAtMs, first?.lastStatus], [1, 'waiting', 60, 503]);
      await store.deliveries.attempted(id, failed(null), leaseOf('one'));
      assert.deepEqual(
        [await dueIds(100), await store.deliveries.nextAtMs(everyShard, 40)],
        [['f3', 'f2', 'f1'], null],
      );
      assert.equal(await store.deliveries.get('two', id), null, "another tenant's is not there");
    });

    test('a replay begins anew with what was attempted before still counted', async () => {
      assert.equal(await store.deliveries.replay('two', 'delivery_e1', 200, leaseOf('two')), null);
      const again = await store.deliveries.replay('one', 'delivery_e1', 200, leaseOf('one'));
      assert.deepEqual(
        [again?.state, again?.attempts, again?.round, again?.begunAtMs, again?.nextAtMs],
        ['waiting', 2, 2, 200, 200],
      );
      const { shard, epoch } = leaseOf('one');
      const late = store.deliveries.replay('one', 'delivery_e1', 300, { shard, epoch: epoch - 1 });
      await assert.rejects(late, { code: 'shard-moved' });
      assert.deepEqual(await dueIds(200), ['f3', 'f2', 'f1', 'e1']);
    });

    test('deliveries are listed newest first, page by page, of one execution too, and only to their tenant', async () => {
      const first = await store.deliveries.list('one', null, null, 1);
      assert.deepEqual(
        first.items.map(({ id }) => id),
        ['delivery_f2'],
      );
      const second = await store.deliveries.list('one', null, first.next, 1);
      assert.deepEqual([second.items.map(({ id }) => id), second.next], [['delivery_e1'], null]);
      const ofOne = await store.deliveries.list('two', 'exec_f3', null, 9);
      assert.deepEqual(
        ofOne.items.map(({ id }) => id),
        ['delivery_f3'],
      );
      assert.deepEqual((await store.deliveries.list('one', 'exec_f3', null, 9)).items, []);
    });

    test('what was over long ago is forgotten, so many at once; what waits is not', async () => {
      for (const id of ['f1', 'f3'] as const) {
        const over = { ...failed(null), lastAtMs: 500 };
        await store.deliveries.attempted(`delivery_${id}`, over, leaseOf('two'));
      }
      assert.equal(await store.deliveries.forget(everyShard, 500, 9), 0);
      assert.equal(await store.deliveries.forget([], 501, 9), 0);
      assert.equal(await store.deliveries.forget(everyShard, 501, 1), 1);
      assert.equal(await store.deliveries.forget(everyShard, 501, 9), 1);
      assert.deepEqual((await store.deliveries.list('two', null, null, 9)).items, []);
      assert.equal((await store.deliveries.list('one', null, null, 9)).items.length, 2);
    });

    test("a tenant's secret has a generation, which only grows", async () => {
      assert.deepEqual(await store.deliveries.secretOf('one'), { generation: 1, rotatedAtMs: null });
      assert.deepEqual(await store.deliveries.rotate('one', 70, leaseOf('one')), { generation: 2, rotatedAtMs: 70 });
      const { shard, epoch } = leaseOf('one');
      const late = store.deliveries.rotate('one', 75, { shard, epoch: epoch - 1 });
      await assert.rejects(late, { code: 'shard-moved' });
      await store.deliveries.rotate('one', 80, leaseOf('one'));
      await reopen();
      assert.deepEqual(await store.deliveries.secretOf('one'), { generation: 3, rotatedAtMs: 80 });
      assert.deepEqual(await store.deliveries.secretOf('two'), { generation: 1, rotatedAtMs: null });
    });
  });
}
