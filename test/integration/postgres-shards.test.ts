/**
 * Owns the proof that several coordinators on one PostgreSQL have one holder for each shard at any time, and that who lost a shard can't write
 * for it, however their statements interleave. What every store does is in test/contract/shard-store.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'pg';
import { SHARDS, shardOf } from '../../coordinator/executions/shard-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { PostgresStage } from '../support/postgres-stage.ts';
import { TTL_MS, takeLeases } from '../support/state-engines.ts';

const isMoved = { code: 'shard-moved' };
const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const execution = (id: string, stage: Execution['stage'] = 'queued') => ({ id: `exec_${id}`, stage }) as Execution;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const entry = (id: string, tenantId = 'one') => ({ tenantId, answer: execution(id), request, idempotency: null });
const idempotency = { key: 'k', bodyDigest: digestOf('body'), ttlMs: 600_000 };
const beat = (store: StateStore, id: string, released: readonly number[] = []) =>
  store.shards.beat({ id, url: `http://${id}.example` }, TTL_MS, released);

let stage: PostgresStage;
let observer: Client;
before(async () => {
  stage = await PostgresStage.start();
  observer = await stage.connect(stage.server.url);
});
after(() => stage.stop());

/** Two coordinators, a connection of the test's own, and a way to end a member's time. */
async function createPair() {
  const url = await stage.createDatabase();
  const client = await stage.connect(url);
  const [first, second] = [await stage.open(url), await stage.open(url)];
  const expire = (id: string) => client.query('UPDATE members SET expires_at = clock_timestamp() WHERE id = $1', [id]);
  const idsOfUnfinished = async (store: StateStore) =>
    (await store.executions.unfinished(everyShard)).map(({ answer }) => answer.id);
  return { url, first, second, client, expire, idsOfUnfinished };
}

test('a second member takes what the first gives up, half of everything', async () => {
  const { first, second } = await createPair();
  assert.equal((await beat(first, 'a')).held.length, SHARDS);
  const before = await beat(second, 'b');
  assert.deepEqual([before.held, before.members.map(({ id }) => id)], [[], ['a', 'b']]);
  const kept = await beat(first, 'a', everyShard.slice(32));
  assert.deepEqual(
    kept.held.map(({ shard }) => shard),
    everyShard.slice(0, 32),
    'its part is full, it takes nothing back',
  );
  assert.deepEqual(kept.holders.slice(32), new Array(32).fill(null));
  const taken = await beat(second, 'b');
  assert.deepEqual(
    taken.held.map(({ shard }) => shard),
    everyShard.slice(32),
  );
  assert.ok(taken.held.every(({ epoch }) => epoch === 2));
  assert.deepEqual(taken.holders, [...new Array(32).fill('a'), ...new Array(32).fill('b')]);
  const third = await beat((await createPair()).first, 'c');
  assert.equal(third.held.length, SHARDS, 'another database is another cluster');
});

test('what is not a multiple is divided, rounded up, and nothing is left over', async () => {
  const { first, second } = await createPair();
  for (const id of ['a', 'b', 'c']) await beat(first, id);
  await beat(first, 'a', everyShard.slice(22));
  await beat(second, 'b');
  const { holders } = await beat(second, 'c');
  const counts = ['a', 'b', 'c'].map((id) => holders.filter((holder) => holder === id).length);
  assert.deepEqual(counts, [22, 22, 20]);
});

test("another member takes over when a member's time is over, and it comes back with nothing", async () => {
  const { first, second, expire, idsOfUnfinished } = await createPair();
  const stale = (await takeLeases(first, 'a'))('one');
  await first.executions.accept({ ...entry('x'), idempotency }, stale);
  await expire('a');
  assert.equal(await first.executions.accept(entry('y'), stale), null, 'nobody else has the shard yet');
  const fresh = (await takeLeases(second, 'b'))('one');
  assert.deepEqual(await idsOfUnfinished(second), ['exec_x', 'exec_y']);
  await assert.rejects(first.executions.accept(entry('z'), stale), isMoved);
  await assert.rejects(first.executions.finish(execution('x', 'finished'), stale), isMoved);
  const back = await beat(first, 'a');
  assert.deepEqual([back.held, back.members.map(({ id }) => id)], [[], ['b', 'a']]);
  await assert.rejects(first.executions.finish(execution('x', 'finished'), stale), isMoved);
  await second.executions.finish(execution('x', 'finished'), fresh);
  assert.deepEqual(await idsOfUnfinished(first), ['exec_y']);
  const again = await second.executions.accept({ ...entry('x2'), idempotency }, fresh);
  assert.equal(again?.ids[0], 'exec_x', 'the key that the other coordinator wrote is taken here, too');
});

test('who notices itself that its time was over has other epochs', async () => {
  const { first, expire } = await createPair();
  const stale = (await takeLeases(first, 'a'))('one');
  await expire('a');
  const fresh = (await takeLeases(first, 'a'))('one');
  assert.equal(fresh.epoch, stale.epoch + 1);
  await assert.rejects(first.executions.accept(entry('x'), stale), isMoved);
});

test('a write that waits for a take-over under way is refused when that is committed', async () => {
  const { first, client, idsOfUnfinished } = await createPair();
  const leaseOf = await takeLeases(first, 'a');
  const stale = leaseOf('one');
  await first.executions.accept(entry('x'), stale);
  await client.query('BEGIN');
  await client.query(`UPDATE shards SET holder = 'b', epoch = epoch + 1 WHERE shard = $1`, [shardOf('one')]);
  const finished = first.executions.finish(execution('x', 'finished'), stale);
  await stage.untilBlocked(observer, 1);
  await client.query('COMMIT');
  await assert.rejects(finished, isMoved);
  await client.query('BEGIN');
  await client.query(`UPDATE shards SET holder = 'c', epoch = epoch + 1 WHERE shard = $1`, [shardOf('two')]);
  const accepted = first.executions.accept(entry('y', 'two'), leaseOf('two'));
  await stage.untilBlocked(observer, 1);
  await client.query('COMMIT');
  await assert.rejects(accepted, isMoved);
  assert.deepEqual(await idsOfUnfinished(first), ['exec_x']);
});

test('a take-over waits for the write under way, and its holder sees what that wrote', async () => {
  const { first, second, client, expire, idsOfUnfinished } = await createPair();
  const stale = (await takeLeases(first, 'a'))('one');
  await first.executions.accept(entry('x'), stale);
  await expire('a');
  // Keeps the finish in the middle of its statement: it has its shard, and waits for the execution.
  await client.query('BEGIN');
  await client.query(`SELECT 1 FROM executions WHERE id = 'exec_x' FOR UPDATE`);
  const finished = first.executions.finish(execution('x', 'finished'), stale);
  await stage.untilBlocked(observer, 1);
  const takenOver = takeLeases(second, 'b');
  await stage.untilBlocked(observer, 2);
  await client.query('COMMIT');
  await finished;
  await takenOver;
  assert.deepEqual(await idsOfUnfinished(second), []);
  assert.equal((await second.executions.get('one', 'exec_x'))?.stage, 'finished');
});

test('take-overs and writes lock shards in one order, the lowest first', async () => {
  const { url, first, second, client, expire } = await createPair();
  const leaseOf = await takeLeases(first, 'a');
  const tenants = ['t1', 't2', 't3', 't4'].sort((one, other) => shardOf(one) - shardOf(other));
  const [lowest = 0, , middle = 0, highest = 0] = tenants.map(shardOf);
  // So that nothing finds the rows in that order by chance.
  await client.query('CREATE TEMPORARY TABLE backwards AS SELECT * FROM shards ORDER BY shard DESC');
  await client.query('DELETE FROM shards');
  await client.query('INSERT INTO shards SELECT * FROM backwards');
  const asking = await stage.connect(url);
  const locked = () =>
    Promise.all(
      [lowest, highest].map((shard) =>
        asking.query(`SELECT 1 FROM shards WHERE shard = $1 FOR UPDATE NOWAIT`, [shard]).then(
          () => false,
          () => true,
        ),
      ),
    );
  const underWay = [
    () => Promise.all([...tenants].reverse().map((id) => first.executions.accept(entry(id, id), leaseOf(id)))),
    () => expire('a').then(() => takeLeases(second, 'b')),
  ];
  for (const begin of underWay) {
    const holding = await stage.connect(url);
    await holding.query('BEGIN');
    await holding.query('SELECT 1 FROM shards WHERE shard = $1 FOR UPDATE', [middle]);
    const done = begin();
    await stage.untilBlocked(observer, 1);
    assert.deepEqual(await locked(), [true, false]);
    await holding.query('COMMIT');
    await done;
  }
});

test('a key that is being taken by somebody else is waited for, and belongs to them', async () => {
  const { first, client } = await createPair();
  const lease = (await takeLeases(first, 'a'))('one');
  await client.query('BEGIN');
  await client.query('INSERT INTO idempotency_keys VALUES ($1, $2, $3, $4, $5)', [
    'one',
    'k',
    digestOf('body'),
    'exec_other',
    100,
  ]);
  const accepted = first.executions.accept({ ...entry('x'), idempotency }, lease);
  await stage.untilBlocked(observer, 1);
  await client.query('COMMIT');
  assert.deepEqual(await accepted, { id: 'exec_other', bodyDigest: digestOf('body') });
  assert.equal(await first.executions.get('one', 'exec_x'), null);
});

test('members that beat, give up and write all at once never deadlock, and no epoch has two holders', async () => {
  const { first, second } = await createPair();
  const seen = new Map<string, string>();
  const live = async (store: StateStore, id: string, salt: number) => {
    for (let round = 0; round < 25; round += 1) {
      const { held } = await beat(
        store,
        id,
        everyShard.filter((shard) => (shard * 7 + round + salt) % 5 === 0),
      );
      for (const { shard, epoch } of held) {
        const holder = seen.get(`${shard}/${epoch}`) ?? id;
        assert.equal(holder, id, `shard ${shard} epoch ${epoch}`);
        seen.set(`${shard}/${epoch}`, id);
      }
      const tenants = ['t1', 't2', 't3', 't4', 't5', 't6'];
      const writes = tenants.flatMap((tenantId) => {
        const lease = held.find(({ shard }) => shard === shardOf(tenantId));
        const name = `${id}-${round}-${tenantId}`;
        return lease === undefined ? [] : [store.executions.accept(entry(name, tenantId), lease)];
      });
      assert.ok((await Promise.allSettled(writes)).every((write) => write.status === 'fulfilled'));
    }
  };
  const members = ['a', 'b', 'c', 'd', 'e'];
  await Promise.all(members.map((id, index) => live(index % 2 === 0 ? first : second, id, index)));
});
