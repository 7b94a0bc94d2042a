/**
 * Owns executions in PostgreSQL: SQL that records many at once. Never writes for a tenant whose shard somebody else has by now.
 * Invariants: each writing statement locks the rows of its shards FOR SHARE, in order, before it writes and reads their epochs from the locked
 * rows. A take-over changes these rows, which that lock forbids (FOR KEY SHARE would not): it waits for the writes before it, and those after it see the
 * new epoch, whatever their snapshot says.
 */
import assert from 'node:assert/strict';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { executionLifecycle } from '../../shared/lifecycle/execution.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { NewDelivery } from '../deliveries/delivery-store.ts';
import { listAnswers } from './postgres-answers.ts';
import { acceptAllStatement, NOW_MS, type Owner, owned } from './postgres-batch-acceptance.ts';
import type { PostgresDatabase, PostgresRow } from './postgres-database.ts';
import { type BatchStatement, WriteLane } from './postgres-write-lane.ts';
import { toEndMs, toExecutionName, toTakenKey, toTextOrNull, toUnfinished } from './rows.ts';
import { type ShardLease, shardOf, toShardMoved } from './shard-store.ts';
import type { AcceptedExecution, ExecutionStore, IdempotencyKey, TakenKey } from './state-store.ts';

interface Acceptance extends Owner {
  readonly id: string;
  readonly request: string;
  readonly answer: string;
  readonly idempotency: IdempotencyKey | null;
}

interface Result {
  readonly id: string;
  readonly lease: ShardLease;
  readonly answer: string;
  readonly delivery: NewDelivery | null;
  readonly endMs: number;
}

// A key that is taken is written again as it is: so the statement learns who took it, even after its own snapshot.
const ACCEPT = `
WITH batch AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
    WITH ORDINALITY AS batch (id, tenant, shard, epoch, request, answer, key, body_digest, ttl, position)
), ${owned('$3')}, valid AS (
  SELECT batch.* FROM batch JOIN owned USING (shard, epoch)
), claimed AS (
  INSERT INTO idempotency_keys AS known (tenant, key, body_digest, execution, expires_at)
  SELECT DISTINCT ON (tenant, key) tenant, key, body_digest, id, ${NOW_MS} + ttl
  FROM valid WHERE key IS NOT NULL ORDER BY tenant, key, position
  ON CONFLICT (tenant, key) DO UPDATE SET
    body_digest = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.body_digest ELSE known.body_digest END,
    execution = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.execution ELSE known.execution END,
    executions = CASE WHEN known.expires_at <= ${NOW_MS} THEN NULL ELSE known.executions END,
    expires_at = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.expires_at ELSE known.expires_at END
  RETURNING tenant, key, body_digest, execution, executions
), inserted AS (
  INSERT INTO executions (id, tenant, shard, request, answer)
  SELECT valid.id, valid.tenant, valid.shard, valid.request, valid.answer
  FROM valid LEFT JOIN claimed USING (tenant, key)
  WHERE valid.key IS NULL OR claimed.execution = valid.id
  ORDER BY valid.position
  ON CONFLICT (id) DO NOTHING
  RETURNING id
)
SELECT owned.shard IS NOT NULL AS is_held, inserted.id IS NOT NULL AS is_inserted, claimed.execution, claimed.executions, claimed.body_digest
FROM batch LEFT JOIN owned USING (shard, epoch) LEFT JOIN claimed USING (tenant, key) LEFT JOIN inserted USING (id)
ORDER BY batch.position`;

const FINISH = `
WITH batch AS (
  SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[])
    WITH ORDINALITY AS batch (id, shard, epoch, answer, delivery, event, url, host, created_at, finished_at, position)
), ${owned('$2')}, first AS (
  SELECT DISTINCT ON (id) batch.* FROM batch JOIN owned USING (shard, epoch) ORDER BY id, position
), finished AS (
  UPDATE executions SET is_finished = true, request = NULL, answer = first.answer, finished_at = first.finished_at
  FROM first WHERE executions.id = ANY ($1::text[]) AND executions.id = first.id AND executions.shard = first.shard AND NOT is_finished
  RETURNING executions.id, executions.tenant
), promised AS (
  INSERT INTO deliveries (id, tenant, shard, execution, event, url, host, state, attempts, round, created_at, begun_at, next_at)
  SELECT delivery, tenant, shard, id, event, url, host, 'waiting', 0, 0, created_at, created_at, created_at
  FROM finished JOIN first USING (id) WHERE delivery IS NOT NULL
)
SELECT owned.shard IS NOT NULL AS is_held, known.shard AS shard
FROM batch LEFT JOIN owned USING (shard, epoch)
LEFT JOIN (SELECT id, shard FROM executions WHERE id = ANY ($1::text[])) AS known USING (id)
ORDER BY batch.position`;

const FORGET_KEYS = `
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY (
  SELECT ctid FROM idempotency_keys WHERE expires_at <= ${NOW_MS} ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING 1`;

const RECORD = `
WITH ${owned('$3')}, valid AS (
  SELECT shard FROM owned WHERE epoch = $4::bigint
), inserted AS (
  INSERT INTO executions (id, tenant, shard, request, answer, finished_at)
  SELECT $1::text, $2::text, shard, NULL, $5::text, $6::bigint FROM valid
  ON CONFLICT (id) DO NOTHING
  RETURNING id
)
SELECT EXISTS (SELECT FROM valid) AS is_held, EXISTS (SELECT FROM inserted) AS is_inserted`;

const REMOVE = `
WITH ${owned('$3')}, valid AS (
  SELECT shard FROM owned WHERE epoch = $4::bigint
), removed AS (
  DELETE FROM executions USING valid
  WHERE executions.id = $2::text AND tenant = $1::text AND executions.shard = valid.shard AND request IS NULL RETURNING id
), forgotten AS (
  DELETE FROM idempotency_keys USING removed WHERE tenant = $1::text AND execution = removed.id
), expired AS (
  UPDATE files SET expires_at = 0 FROM removed WHERE files.execution = removed.id AND tenant = $1::text
)
SELECT EXISTS (SELECT FROM valid) AS is_held, EXISTS (SELECT FROM removed) AS is_removed`;

const FORGET_PERIOD_MS = 10_000;
const FORGOTTEN_AT_ONCE_MAX = 5000;

function toTaken(row: PostgresRow | undefined, { id, lease, idempotency }: Acceptance): TakenKey | null | SystemError {
  if (row?.['is_held'] !== true) return toShardMoved(lease);
  if (row['is_inserted'] === true) return null;
  if (idempotency === null) return new SystemError('state-store-unavailable', `there is an execution ${id} already`);
  return toTakenKey(row);
}

function acceptStatement(database: PostgresDatabase): BatchStatement<Acceptance, TakenKey | null> {
  return async (batch) => {
    const column = <Value>(of: (write: Acceptance) => Value): Value[] => batch.map(of);
    const rows = await database.write(ACCEPT, [
      column(({ id }) => id),
      column(({ tenantId }) => tenantId),
      column(({ lease }) => lease.shard),
      column(({ lease }) => lease.epoch),
      column(({ request }) => request),
      column(({ answer }) => answer),
      column(({ idempotency }) => idempotency?.key ?? null),
      column(({ idempotency }) => idempotency?.bodyDigest ?? null),
      column(({ idempotency }) => idempotency?.ttlMs ?? null),
    ]);
    return batch.map((write, index) => toTaken(rows[index], write));
  };
}

function finishStatement(database: PostgresDatabase): BatchStatement<Result, undefined> {
  return async (batch) => {
    const rows = await database.write(FINISH, [
      batch.map(({ id }) => id),
      batch.map(({ lease }) => lease.shard),
      batch.map(({ lease }) => lease.epoch),
      batch.map(({ answer }) => answer),
      batch.map(({ delivery }) => delivery?.id ?? null),
      batch.map(({ delivery }) => delivery?.event ?? null),
      batch.map(({ delivery }) => delivery?.url ?? null),
      batch.map(({ delivery }) => delivery?.host ?? null),
      batch.map(({ delivery }) => delivery?.createdAtMs ?? null),
      batch.map(({ endMs }) => endMs),
    ]);
    return batch.map(({ lease }, index) => {
      const row = rows[index];
      if (row?.['is_held'] !== true) return toShardMoved(lease);
      const isOther = row['shard'] !== null && row['shard'] !== lease.shard;
      return isOther ? new assert.AssertionError({ message: 'a lease of another shard' }) : undefined;
    });
  };
}

/** Forgets keys whose time is over, now and then; they mean nothing before that. */
function keyForgetter(database: PostgresDatabase): () => void {
  let nextMs = 0;
  const forget = async (): Promise<void> => {
    const gone = await database.write(FORGET_KEYS, [FORGOTTEN_AT_ONCE_MAX]);
    if (gone.length === FORGOTTEN_AT_ONCE_MAX) await forget();
  };
  return () => {
    if (systemClock.monotonicMs() < nextMs) return;
    nextMs = systemClock.monotonicMs() + FORGET_PERIOD_MS;
    // Another time will do.
    forget().catch(() => undefined);
  };
}

/** What is only looked at. */
function reading(database: PostgresDatabase): Pick<ExecutionStore, 'get' | 'tenantOf' | 'list' | 'unfinished'> {
  return {
    get: async (tenantId, id) => {
      const [row] = await database.read('SELECT answer FROM executions WHERE id = $1 AND tenant = $2', [id, tenantId]);
      return row === undefined ? null : (JSON.parse(String(row['answer'])) as Execution);
    },
    tenantOf: async (id) =>
      toTextOrNull((await database.read('SELECT tenant FROM executions WHERE id = $1', [id]))[0]?.['tenant']),
    list: async (tenantId, cursor, limit) => {
      const before = cursor ?? Number.MAX_SAFE_INTEGER;
      return await listAnswers<Execution>(database, 'executions', { tenantId, before, limit });
    },
    unfinished: async (shards) => {
      const sql = `SELECT tenant, request, answer FROM executions WHERE shard = ANY ($1::integer[]) AND request IS NOT NULL
        ORDER BY sequence`;
      return (await database.read(sql, [shards])).map(toUnfinished);
    },
  };
}

/** Executions in an open database; `drain` resolves when no write waits. */
export function postgresExecutionStore(database: PostgresDatabase): ExecutionStore & { drain(): Promise<void> } {
  const [accepting, acceptingAll] = [acceptStatement(database), acceptAllStatement(database)];
  const finishing = finishStatement(database);
  const lane = new WriteLane([accepting, acceptingAll, finishing]);
  const forgetKeys = keyForgetter(database);
  return {
    accept: async (entry: AcceptedExecution, lease) => {
      const { tenantId, idempotency } = entry;
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      const [request, answer] = [JSON.stringify(entry.request), JSON.stringify(entry.answer)];
      const write = { id: entry.answer.id, tenantId, lease, request, answer, idempotency };
      if (idempotency !== null) forgetKeys();
      return await lane.add(accepting, write, request.length + answer.length);
    },
    acceptAll: async (batch, lease) => {
      const { tenantId, idempotency } = batch;
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      const requests = batch.executions.map(({ request }) => JSON.stringify(request));
      const answers = batch.executions.map(({ answer }) => JSON.stringify(answer));
      const ids = batch.executions.map(({ answer }) => answer.id);
      if (idempotency !== null) forgetKeys();
      const bytes = [...requests, ...answers].reduce((sum, text) => sum + text.length, 0);
      return await lane.add(acceptingAll, { ids, tenantId, lease, requests, answers, idempotency }, bytes);
    },
    findKey: async (tenantId, key) => {
      const sql = `SELECT execution, executions, body_digest FROM idempotency_keys
        WHERE tenant = $1 AND key = $2 AND expires_at > ${NOW_MS}`;
      const [row] = await database.read(sql, [tenantId, key]);
      return row === undefined ? null : toTakenKey(row);
    },
    finish: async (execution, lease, delivery = null) => {
      assert(executionLifecycle.isFinal(execution.stage), `${execution.stage} is no final stage`);
      const answer = JSON.stringify(execution);
      await lane.add(
        finishing,
        { id: execution.id, lease, answer, delivery, endMs: toEndMs(execution) },
        answer.length,
      );
    },
    record: async (tenantId, execution, lease) => {
      assert(executionLifecycle.isFinal(execution.stage), `${execution.stage} is no final stage`);
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      const { id } = execution;
      const values = [id, tenantId, [lease.shard], lease.epoch, JSON.stringify(execution), toEndMs(execution)];
      const [row] = await database.write(RECORD, values);
      if (row?.['is_held'] !== true) throw toShardMoved(lease);
      if (row['is_inserted'] === true) return true;
      const sql = 'SELECT 1 FROM executions WHERE id = $1 AND tenant = $2 AND request IS NULL';
      return (await database.read(sql, [id, tenantId])).length === 1;
    },
    outdated: async (shards, endedAtMs, limit) => {
      const sql = `SELECT tenant, id FROM executions WHERE finished_at <= $1 AND shard = ANY ($2::integer[])
        ORDER BY finished_at LIMIT $3`;
      return (await database.read(sql, [Math.floor(endedAtMs), shards, limit])).map(toExecutionName);
    },
    remove: async ({ tenantId, id }, lease) => {
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      const [row] = await database.write(REMOVE, [tenantId, id, [lease.shard], lease.epoch]);
      if (row?.['is_held'] !== true) throw toShardMoved(lease);
      return row['is_removed'] === true;
    },
    ...reading(database),
    drain: () => lane.drain(),
  };
}
