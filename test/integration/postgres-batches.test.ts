/**
 * Owns the proof that a batch is in PostgreSQL whole or not at all, whatever dies while it is written: the server, or a coordinator; and that its key
 * finds it afterwards, with any coordinator.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { digestOf } from '../../shared/digest.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { Coordinators, simpleRequest } from '../support/coordinators.ts';
import { PostgresStage } from '../support/postgres-stage.ts';
import { takeLeases } from '../support/state-engines.ts';

const SIZE = 1000;
const request = { environment: 'env_00000000', run: { script: `true # ${'x'.repeat(500)}` } };
const toBatch = (name: string) => ({
  tenantId: 'one',
  executions: Array.from({ length: SIZE }, (_, index) => ({
    answer: { id: `exec_${name}-${index}`, stage: 'queued' } as Execution,
    request,
  })),
  idempotency: { key: name.replace(/-\d+$/, ''), bodyDigest: digestOf(name), ttlMs: 600_000 },
});

let stage: PostgresStage;
before(async () => {
  stage = await PostgresStage.start();
});
after(() => stage.stop());

test('a server that dies while batches are written has each of them whole or not at all, and all that were acknowledged', async () => {
  const url = await stage.createDatabase();
  const store = await stage.open(url, 3000);
  const lease = (await takeLeases(store, 'a'))('one');
  const kept = new Map<string, ExecutionId | undefined>();
  let refused = 0;
  let isOver = false;
  const caller = async (caller: number) => {
    for (let count = 0; !isOver; count += 1) {
      const key = `${caller}x${count}`;
      // Who was not told asks again, as a new batch with the same key.
      for (let attempt = 0; !kept.has(key); attempt += 1) {
        await store.executions.acceptAll(toBatch(`${key}-${attempt}`), lease).then(
          (taken) => kept.set(key, taken?.ids[0] ?? `exec_${key}-${attempt}-0`),
          async () => {
            refused += 1;
            await delay(20);
          },
        );
      }
    }
  };
  const callers = Array.from({ length: 4 }, (_, index) => caller(index));
  for (let kill = 1; kill <= 3; kill += 1) {
    const before = kept.size;
    while (kept.size < before + 6) await delay(1);
    await stage.server.restart();
  }
  isOver = true;
  await Promise.all(callers);
  const client = await stage.connect(url);
  const sql = `SELECT regexp_replace(id, '-\\d+$', '-0') AS first, count(*)::integer AS count FROM executions GROUP BY 1`;
  const { rows } = await client.query<{ first: string; count: number }>(sql);
  assert.deepEqual(
    rows.filter(({ count }) => count !== SIZE),
    [],
    'none is there in part',
  );
  assert.deepEqual(
    rows.map(({ first }) => first).sort(),
    [...kept.values()].sort(),
    'each key has one batch, the one told',
  );
  assert.ok(refused > 0, 'the kills met somebody');
});

test('coordinators that are killed while they accept a batch leave all of it or none, and its key finds it with the next', async (t) => {
  const variables = { QUEUE_DEPTH_MAX: '10000' };
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'], postgres: stage.server, variables });
  let coordinator = await coordinators.start();
  const body = { executions: Array.from({ length: 400 }, () => simpleRequest) };
  const post = (key: string) =>
    coordinators.as('one', coordinator).post<{ executions: { id: string }[] }>('/v1/executions/batch', body, {
      'idempotency-key': key,
    });
  const all = new Set<string>();
  for (const [index, afterMs] of [5, 40, 80, 160].entries()) {
    const first = post(`k${index}`).catch(() => null);
    await delay(afterMs);
    await coordinator.end('SIGKILL');
    const told = await first;
    coordinator = await coordinators.start();
    const again = await post(`k${index}`);
    assert.equal(again.status, 202, JSON.stringify(again.body));
    const ids = again.body.executions.map(({ id }) => id);
    assert.equal(new Set(ids).size, 400);
    if (told?.status === 202)
      assert.deepEqual(
        told.body.executions.map(({ id }) => id),
        ids,
      );
    for (const id of ids) all.add(id);
  }
  const recorded: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { body: { items: { id: string }[]; next: string | null } } = await coordinators
      .as('one', coordinator)
      .get(`/v1/executions?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`);
    recorded.push(...page.body.items.map(({ id }) => id));
    cursor = page.body.next;
  }
  assert.deepEqual(recorded.sort(), [...all].sort(), 'nothing else is there: no batch in part, none twice');
});

test('a batch that is sent to a coordinator of other tenants is passed on, and comes once', async (t) => {
  const coordinators = await Coordinators.prepare(t, { tenants: ['one'], postgres: stage.server });
  await coordinators.start();
  await coordinators.start();
  while ((await coordinators.ownerOf('one')) === '') await delay(50);
  const { owner, other } = await coordinators.split('one');
  const body = { executions: [simpleRequest, simpleRequest, simpleRequest] };
  const headers = { 'idempotency-key': 'k' };
  const there = await coordinators.as('one', other).post('/v1/executions/batch', body, headers);
  const here = await coordinators.as('one', owner).post('/v1/executions/batch', body, headers);
  assert.equal(there.status, 202);
  assert.deepEqual(there.body, here.body);
});
