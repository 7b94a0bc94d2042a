/**
 * Owns the proof of what is sent when, to whom at once, and what becomes of it when something dies between. Virtual time, a real store, no sockets.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SystemError } from '../../shared/errors.ts';
import { DeliveryStage } from '../support/delivery-stage.ts';

function setUp(t: TestContext): DeliveryStage {
  const stage = new DeliveryStage();
  t.after(() => stage.end());
  return stage;
}

const hoursMs = (hours: number) => hours * 3_600_000;

test('a dead receiver is tried thirteen times within a day, under one id, and then no more', async (t) => {
  const stage = setUp(t);
  const [id = ''] = await stage.promise(['dead.example']);
  const deliveries = await stage.deliveries();
  deliveries.wake();
  await stage.settle();
  let attempts = 0;
  const signatures = new Set<string>();
  for (let minute = 0; minute < 30 * 60; minute += 1) {
    for (const attempt of [...stage.open]) {
      assert.equal(attempt.id, id);
      signatures.add(attempt.headers['webhook-signature'] ?? '');
      attempts += 1;
      attempt.answer(500);
      await stage.settle();
    }
    // The first ones are seconds apart.
    for (let part = 0; part < (minute < 3 ? 12 : 1); part += 1) {
      stage.clock.pass(minute < 3 ? 5000 : 60_000);
      if (stage.open.length === 0) await stage.settle();
    }
  }
  assert.equal(attempts, 13);
  assert.equal(signatures.size, 13, 'each is signed with its own time');
  const delivery = await stage.store.deliveries.get('one', id);
  assert.deepEqual([delivery?.state, delivery?.attempts, delivery?.lastStatus], ['exhausted', 13, 500]);
  await deliveries.stop();
});

test('receivers that are slow or dead hold up nobody else, and cost one attempt at a time once they have failed', async (t) => {
  const stage = setUp(t);
  await stage.promise(Array.from({ length: 50 }, () => 'dead.example'));
  await stage.promise(Array.from({ length: 50 }, () => 'slow.example'));
  const deliveries = await stage.deliveries();
  deliveries.wake();
  await stage.settle();
  const count = (host: string) => stage.open.filter((attempt) => attempt.host === host).length;
  assert.deepEqual([count('dead.example'), count('slow.example')], [4, 4], 'of a receiver four at once');
  // The tenant has as much as it may have; another's are sent.
  await stage.promise(['slow.example', 'good.example'], 'two');
  deliveries.wake();
  await stage.settle();
  assert.equal(count('slow.example'), 5, "another tenant's receiver on the same host is its own");
  assert.equal(count('good.example'), 1);
  for (const attempt of stage.open.filter(({ host }) => host === 'dead.example')) attempt.answer(503);
  await stage.settle();
  assert.equal(count('dead.example'), 1, 'one is tried');
  await stage.promise(['good.example']);
  deliveries.wake();
  await stage.settle();
  assert.equal(count('good.example'), 2, 'there is room for others of the same tenant now');
  stage.open.find(({ host }) => host === 'dead.example')?.answer(200);
  await stage.settle();
  assert.ok(count('dead.example') > 1, 'it is back');
  assert.ok(stage.open.length <= 20);
  await deliveries.stop();
  assert.deepEqual([deliveries.underWay, deliveries.tenants()], [0, []]);
});

test('all together only so many are under way, and the rest comes as they end', async (t) => {
  const stage = setUp(t);
  for (let tenant = 0; tenant < 10; tenant += 1) {
    await stage.promise(
      Array.from({ length: 10 }, (_, host) => `h${host}.example`),
      `tenant-${tenant}`,
    );
  }
  const deliveries = await stage.deliveries();
  deliveries.wake();
  await stage.settle();
  const seen = new Set<string>();
  while (stage.open.length > 0) {
    assert.ok(stage.open.length <= 20);
    for (const attempt of [...stage.open]) {
      assert.ok(!seen.has(attempt.id), 'each once');
      seen.add(attempt.id);
      attempt.answer(200);
    }
    await stage.settle();
  }
  assert.equal(seen.size, 100);
  await deliveries.stop();
});

test('what was sent and not recorded when the process died is sent again, under the same id, with the same body', async (t) => {
  const stage = setUp(t);
  const [id] = await stage.promise(['a.example']);
  const isKilled = Promise.withResolvers<never>();
  const first = await stage.deliveries({
    store: { ...stage.store.deliveries, attempted: () => isKilled.promise },
  });
  first.wake();
  await stage.settle();
  const [before] = stage.open;
  before?.answer(200);
  await stage.settle();
  stage.takeOver();
  const second = await stage.deliveries();
  second.wake();
  await stage.settle();
  const [again] = stage.open;
  assert.deepEqual(
    [again?.id, Buffer.from(again?.body ?? []).toString()],
    [id, Buffer.from(before?.body ?? []).toString()],
  );
  again?.answer(200);
  await stage.settle();
  assert.equal((await stage.store.deliveries.get('one', id ?? ''))?.state, 'delivered');
  await second.stop();
});

test('while the store is away an answer waits to be recorded, and nothing is sent twice', async (t) => {
  const stage = setUp(t);
  const [id = ''] = await stage.promise(['a.example']);
  let isAway = true;
  const { attempted } = stage.store.deliveries;
  const deliveries = await stage.deliveries({
    store: {
      ...stage.store.deliveries,
      attempted: async (...given) => {
        if (isAway) throw new SystemError('state-store-unavailable', 'it is away');
        await attempted(...given);
      },
    },
  });
  deliveries.wake();
  await stage.settle();
  stage.open[0]?.answer(204);
  for (let index = 0; index < 20; index += 1) {
    stage.clock.pass(5000);
    deliveries.wake();
    await stage.settle();
  }
  assert.deepEqual([stage.open.length, deliveries.underWay], [0, 1]);
  isAway = false;
  stage.clock.pass(5000);
  await stage.settle();
  assert.equal((await stage.store.deliveries.get('one', id))?.state, 'delivered');
  await deliveries.stop();
});

test('a shard that is lost takes its deliveries along: what is under way is given up and not counted', async (t) => {
  const stage = setUp(t);
  const [id = ''] = await stage.promise(['a.example']);
  const first = await stage.deliveries();
  first.wake();
  await stage.settle();
  assert.deepEqual(first.tenants(), ['one'], 'its shard is not idle');
  const all = Array.from({ length: 64 }, (_, shard) => shard);
  const [attempt] = stage.open.splice(0);
  stage.takeOver();
  const second = await stage.deliveries();
  first.letGo(all);
  await stage.settle();
  assert.equal(attempt?.isGone, true);
  assert.equal((await stage.store.deliveries.get('one', id))?.attempts, 0);
  // The first holds old leases now: it begins what it finds, and is refused.
  await first.stop();
  stage.open.splice(0);
  second.wake();
  await stage.settle();
  stage.open[0]?.answer(200);
  await stage.settle();
  const delivery = await stage.store.deliveries.get('one', id);
  assert.deepEqual([delivery?.state, delivery?.attempts], ['delivered', 1]);
  await second.stop();
});

test('a delivery whose execution was deleted is over at once', async (t) => {
  const stage = setUp(t);
  const [id = ''] = await stage.promise(['a.example']);
  const deliveries = await stage.deliveries({ executions: { get: async () => null } });
  deliveries.wake();
  await stage.settle();
  const delivery = await stage.store.deliveries.get('one', id);
  assert.deepEqual(
    [delivery?.state, delivery?.lastError, stage.open.length],
    ['exhausted', 'its execution was deleted', 0],
  );
  await deliveries.stop();
});

test('what was over long ago is forgotten, hour by hour', async (t) => {
  const stage = setUp(t);
  const [id = ''] = await stage.promise(['a.example']);
  const deliveries = await stage.deliveries();
  deliveries.start();
  deliveries.wake();
  await stage.settle();
  stage.open[0]?.answer(200);
  await stage.settle();
  stage.clock.pass(hoursMs(23));
  await stage.settle();
  assert.notEqual(await stage.store.deliveries.get('one', id), null);
  stage.clock.pass(hoursMs(3));
  await stage.settle();
  assert.equal(await stage.store.deliveries.get('one', id), null);
  await deliveries.stop();
});

test('ten thousand deliveries that wait cost no memory, and a dead receiver of theirs no more than one attempt', async (t) => {
  const stage = setUp(t);
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--expose-gc');
  const { runInNewContext } = await import('node:vm');
  const collect = runInNewContext('gc') as () => void;
  const bytes = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const deliveries = await stage.deliveries();
  for (let part = 0; part < 10; part += 1) await stage.promise(Array.from({ length: 1000 }, () => 'dead.example'));
  const before = bytes();
  deliveries.wake();
  await stage.settle();
  const from = performance.now();
  for (let index = 0; index < 200; index += 1) {
    for (const attempt of [...stage.open]) attempt.answer(500);
    await stage.settle();
    assert.ok(deliveries.underWay <= 4);
  }
  const lookMs = (performance.now() - from) / 200;
  assert.ok(lookMs < 100, `${lookMs} ms for each`);
  const growth = bytes() - before;
  assert.ok(growth < 2 * 2 ** 20, `${growth} bytes more`);
  await deliveries.stop();
});
