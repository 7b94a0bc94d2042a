/**
 * Owns the proof that whatever happens to PostgreSQL, what was acknowledged is there and nothing is there twice, and that everything else is told
 * as `state-store-unavailable` in bounded time, without a password, and goes away by itself with its cause.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { PostgresDatabase, postgresMigrations } from '../../coordinator/executions/postgres-database.ts';
import { openPostgresStateStore } from '../../coordinator/executions/postgres-state-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { PostgresStage } from '../support/postgres-stage.ts';
import { takeLeases } from '../support/state-engines.ts';

const isUnavailable = { code: 'state-store-unavailable' };
const execution = (id: string, stage: Execution['stage'] = 'queued') => ({ id: `exec_${id}`, stage }) as Execution;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const entry = (id: string, key: string | null = null) => {
  const idempotency = key === null ? null : { key, bodyDigest: digestOf(key), ttlMs: 600_000 };
  return { tenantId: 'one', answer: execution(id), request, idempotency };
};

let stage: PostgresStage;
before(async () => {
  stage = await PostgresStage.start();
});
after(() => stage.stop());

/** Asks again until it works; fails when it takes too long. */
async function untilAvailable<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (const from = performance.now(); ; ) {
    try {
      return await ask();
    } catch (error) {
      assert.equal((error as { code?: string }).code, isUnavailable.code);
      assert.ok(performance.now() - from < 20_000, 'it recovers');
      await delay(20);
    }
  }
}

test('a server that dies in the middle of many accepts has all that were acknowledged, and none twice', async () => {
  const url = await stage.createDatabase();
  const store = await stage.open(url, 3000);
  const lease = (await takeLeases(store, 'a'))('one');
  const acknowledged: string[] = [];
  const kept = new Map<string, string>();
  let [refused, accepted] = [0, 0];
  let isOver = false;
  const caller = async (caller: number) => {
    for (let count = 0; !isOver; count += 1) {
      const name = `${caller}-${count}`;
      await store.executions.accept(entry(name), lease).then(
        () => acknowledged.push(`exec_${name}`),
        () => (refused += 1),
      );
      // A client that was not told asks again, as a new execution with the same key.
      let attempt = 0;
      await untilAvailable(async () => {
        attempt += 1;
        const id = `${name}-${attempt}`;
        const taken = await store.executions.accept(entry(id, name), lease);
        kept.set(name, taken?.ids[0] ?? `exec_${id}`);
      });
      accepted += 1;
    }
  };
  const callers = Array.from({ length: 64 }, (_, index) => caller(index));
  for (let kill = 1; kill <= 3; kill += 1) {
    const before = accepted;
    while (accepted < before + 1000) await delay(1);
    await stage.server.restart();
  }
  const before = accepted;
  while (accepted < before + 1000) await delay(5);
  isOver = true;
  await Promise.all(callers);
  const client = await stage.connect(url);
  const { rows } = await client.query<{ id: string }>('SELECT id FROM executions');
  const there = new Set(rows.map(({ id }) => id));
  assert.deepEqual(
    acknowledged.filter((id) => !there.has(id)),
    [],
  );
  const keyed = [...there].filter((id) => id.split('-').length === 3);
  assert.deepEqual(keyed.sort(), [...kept.values()].sort(), 'each key has one execution, the one that was told');
  assert.equal(there.size, rows.length);
  assert.ok(refused > 0, 'the kills met somebody');
});

test('a server that does not answer is told in bounded time, and asked again when it does', async () => {
  const store = await stage.open(await stage.createDatabase(), 500);
  const lease = (await takeLeases(store, 'a'))('one');
  await store.executions.accept(entry('x'), lease);
  const asked: Readonly<Record<string, () => Promise<unknown>>> = {
    accept: () => store.executions.accept(entry(`y${randomBytes(4).toString('hex')}`), lease),
    finish: () => store.executions.finish(execution('x', 'finished'), lease),
    get: () => store.executions.get('one', 'exec_x'),
    beat: () => takeLeases(store, 'a'),
    check: () => store.check(),
    open: async () => await (await openPostgresStateStore({ url: stage.server.url, timeoutMs: 500 })).close(),
  };
  const leaving = await stage.open(await stage.createDatabase(), 500);
  const leavingLease = (await takeLeases(leaving, 'a'))('one');
  stage.server.pause();
  try {
    const from = performance.now();
    for (const [what, ask] of Object.entries(asked)) await assert.rejects(ask(), isUnavailable, what);
    await Promise.all(
      Array.from({ length: 50 }, () =>
        Promise.all(Object.values(asked).map((ask) => assert.rejects(ask(), isUnavailable))),
      ),
    );
    const last = leaving.executions.accept(entry('z'), leavingLease);
    await Promise.all([assert.rejects(last, isUnavailable), leaving.close()]);
    assert.ok(performance.now() - from < 30_000);
  } finally {
    stage.server.resume();
  }
  for (const ask of Object.values(asked)) await untilAvailable(ask);
});

test('connections that broke while nobody used them are replaced', async () => {
  const url = await stage.createDatabase();
  const store = await stage.open(url);
  await Promise.all(Array.from({ length: 20 }, () => store.executions.get('one', 'exec_x')));
  await stage.server.restart();
  await untilAvailable(() => store.check());
  const client = await stage.connect(stage.server.url);
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'envicutor'`);
  await untilAvailable(() => store.check());
});

test('a connection that breaks between two statements of a transaction fails the next one, not the process', async () => {
  const database = await PostgresDatabase.open({ url: await stage.createDatabase(), timeoutMs: 500 });
  const slow = database.transaction('membership', async (ask) => {
    await ask('SELECT 1');
    // As after this process stood still: the server has given up on it.
    await delay(1500);
    await ask('SELECT 1');
  });
  await assert.rejects(slow, isUnavailable);
  assert.equal((await untilAvailable(() => database.read('SELECT 1'))).length, 1);
  await database.close();
});

test('a database that can not be written fails the check, and can still be read', async () => {
  const url = await stage.createDatabase();
  const store = await stage.open(url);
  const lease = (await takeLeases(store, 'a'))('one');
  await store.executions.accept(entry('x'), lease);
  await stage.server.psql('ALTER SYSTEM SET default_transaction_read_only = on');
  await stage.server.psql('SELECT pg_reload_conf()');
  for (;;) {
    // The reload is announced, not waited for.
    const isDone = await store.check().then(
      () => false,
      () => true,
    );
    if (isDone) break;
  }
  await assert.rejects(store.check(), { ...isUnavailable, message: /read-only/ });
  await assert.rejects(store.executions.accept(entry('y'), lease), isUnavailable);
  assert.equal((await store.executions.get('one', 'exec_x'))?.stage, 'queued');
  await stage.server.psql('ALTER SYSTEM RESET default_transaction_read_only');
  await stage.server.psql('SELECT pg_reload_conf()');
  await untilAvailable(() => store.check());
});

test('a write that the database refuses for what is in it fails alone', async () => {
  const store = await stage.open(await stage.createDatabase());
  const lease = (await takeLeases(store, 'a'))('one');
  // Longer than a row of an index may be, and nothing that can be made shorter.
  const long = randomBytes(30_000).toString('base64');
  const writes = ['a', 'b', 'c'].map((id) => store.executions.accept(entry(id, id === 'b' ? long : id), lease));
  const [first, second, third] = await Promise.allSettled(writes);
  assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'rejected', 'fulfilled']);
  assert.doesNotMatch(inspect(second, { depth: null }), new RegExp(long.slice(0, 20).replaceAll('+', '.')));
  assert.deepEqual(
    (await store.executions.list('one', null, 9)).items.map(({ id }) => id),
    ['exec_c', 'exec_a'],
  );
});

test('several coordinators may start at once on an empty database', async () => {
  const url = await stage.createDatabase();
  const stores = await Promise.all(Array.from({ length: 6 }, () => stage.open(url)));
  await Promise.all(stores.map((store) => store.check()));
  const client = await stage.connect(url);
  const { rows } = await client.query('SELECT form FROM forms ORDER BY form');
  assert.deepEqual(
    rows,
    postgresMigrations.map((_, index) => ({ form: index + 1 })),
  );
});

test('a database of a newer release is refused and left alone', async () => {
  const url = await stage.createDatabase();
  await (await openPostgresStateStore({ url })).close();
  const client = await stage.connect(url);
  await client.query('INSERT INTO forms VALUES (99)');
  await assert.rejects(openPostgresStateStore({ url }), { ...isUnavailable, message: /form 99.*newer release/ });
});

test('a database that can not hold every character is refused with the remedy', async () => {
  await stage.server.psql(`CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0`);
  const url = stage.server.url.replace(/postgres$/, 'narrow');
  await assert.rejects(openPostgresStateStore({ url }), { ...isUnavailable, message: /LATIN1.*UTF8/ });
});

test('no error tells the password, whatever is wrong with the URL', async () => {
  const secret = 'hunter2hunter2';
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const { host } = new URL(stage.server.url);
  const urls = [
    `postgres://envicutor:${secret}@${host}/postgres`,
    `postgres://envicutor:${secret}@${host}/nowhere`,
    `postgres://envicutor:${secret}@127.0.0.1:1/postgres`,
    `postgres://envicutor:${secret}@127.0.0.1:${port}/postgres`,
    `postgres://envicutor:${secret}@[/postgres`,
    `postgres://envicutor:${secret}@${host}:x/postgres`,
    `mysql://envicutor:${secret}@${host}/postgres`,
    `envicutor:${secret}`,
  ];
  const open = (url: string): Promise<StateStore> => openPostgresStateStore({ url, timeoutMs: 500 });
  for (const url of urls) {
    const error: unknown = await open(url).then(
      () => null,
      (failure: unknown) => failure,
    );
    assert.equal((error as { code?: string }).code, isUnavailable.code, url);
    assert.ok(!inspect(error, { depth: null, showHidden: true }).includes(secret), url);
  }
  silent.close();
});
