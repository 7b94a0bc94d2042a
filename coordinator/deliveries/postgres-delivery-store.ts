/**
 * Owns the DeliveryStore port over PostgreSQL. The row that an execution's end leaves is written by postgres-execution-store. Never sends anything.
 * Invariant: a writing statement reads its shard's epoch from the row that it has locked, as postgres-execution-store says.
 */
import assert from 'node:assert/strict';
import { owned } from '../executions/postgres-batch-acceptance.ts';
import type { PostgresDatabase, PostgresRow } from '../executions/postgres-database.ts';
import { toPage } from '../executions/rows.ts';
import { type ShardLease, shardOf, toShardMoved } from '../executions/shard-store.ts';
import { DELIVERY, toDelivery, toSecretGeneration } from './delivery-rows.ts';
import type { DeliveryStore } from './delivery-store.ts';

const DUE = `SELECT sequence, ${DELIVERY} FROM deliveries
  WHERE next_at <= $1 AND shard = ANY ($2::integer[]) AND NOT tenant = ANY ($3::text[]) AND NOT host = ANY ($4::text[])
    AND NOT tenant || ' ' || host = ANY ($5::text[]) AND NOT id = ANY ($6::text[])
  ORDER BY next_at LIMIT $7`;
const NEXT = `SELECT next_at FROM deliveries WHERE next_at > $1 AND shard = ANY ($2::integer[]) ORDER BY next_at LIMIT 1`;
const UNDER_LEASE = `WITH ${owned('$1')}, valid AS (SELECT shard FROM owned WHERE epoch = $2::bigint)`;
const ATTEMPTED = `${UNDER_LEASE}, written AS (
  UPDATE deliveries SET attempts = attempts + 1, state = $4, next_at = $5, last_at = $6, last_status = $7, last_error = $8
  WHERE id = $3 AND shard = (SELECT shard FROM valid)
) SELECT EXISTS (SELECT FROM valid) AS is_held`;
const REPLAY = `${UNDER_LEASE}, written AS (
  UPDATE deliveries SET state = 'waiting', round = attempts, begun_at = $5::bigint, next_at = $5::bigint
  WHERE id = $3 AND tenant = $4 AND shard = (SELECT shard FROM valid)
) SELECT EXISTS (SELECT FROM valid) AS is_held`;
const LIST = `SELECT sequence, ${DELIVERY} FROM deliveries WHERE tenant = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3`;
const LIST_OF_ONE = `SELECT sequence, ${DELIVERY} FROM deliveries
  WHERE tenant = $1 AND sequence < $2 AND execution = $4 ORDER BY sequence DESC LIMIT $3`;
const FORGET = `DELETE FROM deliveries WHERE ctid = ANY (ARRAY (
  SELECT ctid FROM deliveries WHERE next_at IS NULL AND shard = ANY ($1::integer[]) AND last_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED
)) RETURNING 1`;
const SECRET = 'SELECT generation, rotated_at FROM webhook_secrets WHERE tenant = $1';
const ROTATE = `${UNDER_LEASE}, written AS (
  INSERT INTO webhook_secrets AS known (tenant, generation, rotated_at) SELECT $3::text, 2, $4::bigint FROM valid
  ON CONFLICT (tenant) DO UPDATE SET generation = known.generation + 1, rotated_at = excluded.rotated_at
) SELECT EXISTS (SELECT FROM valid) AS is_held`;

function assertHeld([row]: readonly PostgresRow[], lease: ShardLease): void {
  if (row?.['is_held'] !== true) throw toShardMoved(lease);
}

/** Deliveries in an open database. */
export function postgresDeliveryStore(database: PostgresDatabase): DeliveryStore {
  const get: DeliveryStore['get'] = async (tenantId, id) => {
    const sql = `SELECT ${DELIVERY} FROM deliveries WHERE id = $1 AND tenant = $2`;
    const [row] = await database.read(sql, [id, tenantId]);
    return row === undefined ? null : toDelivery(row);
  };
  const secretOf: DeliveryStore['secretOf'] = async (tenantId) =>
    toSecretGeneration((await database.read(SECRET, [tenantId]))[0]);
  return {
    due: async (shards, nowMs, { ids, tenants, hosts, receivers }, limit) =>
      (await database.read(DUE, [nowMs, shards, tenants, hosts, receivers, ids, limit])).map(toDelivery),
    nextAtMs: async (shards, afterMs) => {
      const [row] = await database.read(NEXT, [afterMs, shards]);
      return row === undefined ? null : Number(row['next_at']);
    },
    attempted: async (id, { state, nextAtMs, lastAtMs, lastStatus, lastError }, lease) => {
      const values = [[lease.shard], lease.epoch, id, state, nextAtMs, lastAtMs, lastStatus, lastError];
      assertHeld(await database.write(ATTEMPTED, values), lease);
    },
    replay: async (tenantId, id, nowMs, lease) => {
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      assertHeld(await database.write(REPLAY, [[lease.shard], lease.epoch, id, tenantId, nowMs]), lease);
      return await get(tenantId, id);
    },
    get,
    list: async (tenantId, executionId, cursor, limit) => {
      const values = [tenantId, cursor ?? Number.MAX_SAFE_INTEGER, limit + 1];
      const sql = executionId === null ? LIST : LIST_OF_ONE;
      const rows = await database.read(sql, executionId === null ? values : [...values, executionId]);
      return toPage(rows, limit, toDelivery);
    },
    forget: async (shards, beforeMs, limit) => (await database.write(FORGET, [shards, beforeMs, limit])).length,
    secretOf,
    rotate: async (tenantId, nowMs, lease) => {
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      assertHeld(await database.write(ROTATE, [[lease.shard], lease.epoch, tenantId, nowMs]), lease);
      return await secretOf(tenantId);
    },
  };
}
