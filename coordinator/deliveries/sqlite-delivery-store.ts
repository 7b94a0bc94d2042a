/**
 * Owns the DeliveryStore port over the SQLite file, and the row that an execution's end leaves for its webhook. Never sends anything.
 */
import assert from 'node:assert/strict';
import { toPage } from '../executions/rows.ts';
import { shardOf } from '../executions/shard-store.ts';
import type { SqliteDatabase } from '../executions/sqlite-database.ts';
import { assertLease } from '../executions/sqlite-shard-store.ts';
import { DELIVERY, toDelivery, toSecretGeneration } from './delivery-rows.ts';
import type { DeliveryStore, NewDelivery } from './delivery-store.ts';

/** Within the write of an execution's final answer. */
export function insertDelivery(
  database: SqliteDatabase,
  tenantId: string,
  executionId: string,
  { id, event, url, host, createdAtMs }: NewDelivery,
): void {
  const sql = `INSERT INTO deliveries (id, tenant, shard, execution, event, url, host, state, attempts, round, created_at, begun_at, next_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, 0, ?, ?, ?)`;
  const times = [createdAtMs, createdAtMs, createdAtMs];
  database.prepare(sql).run(id, tenantId, shardOf(tenantId), executionId, event, url, host, ...times);
}

const DUE = `SELECT sequence, ${DELIVERY} FROM deliveries INDEXED BY deliveries_waiting
  WHERE next_at <= ? AND shard IN (SELECT value FROM json_each(?)) AND tenant NOT IN (SELECT value FROM json_each(?))
    AND host NOT IN (SELECT value FROM json_each(?)) AND tenant || ' ' || host NOT IN (SELECT value FROM json_each(?)) AND id NOT IN (SELECT value FROM json_each(?))
  ORDER BY next_at LIMIT ?`;
const NEXT = `SELECT next_at FROM deliveries INDEXED BY deliveries_waiting
  WHERE next_at > ? AND shard IN (SELECT value FROM json_each(?)) ORDER BY next_at LIMIT 1`;
const ATTEMPTED = `UPDATE deliveries SET attempts = attempts + 1, state = ?, next_at = ?, last_at = ?, last_status = ?, last_error = ?
  WHERE id = ? AND shard = ?`;
const REPLAY = `UPDATE deliveries SET state = 'waiting', round = attempts, begun_at = ?, next_at = ? WHERE id = ? AND tenant = ?`;
const LIST = `SELECT sequence, ${DELIVERY} FROM deliveries WHERE tenant = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`;
const LIST_OF_ONE = `SELECT sequence, ${DELIVERY} FROM deliveries INDEXED BY deliveries_by_execution
  WHERE tenant = ? AND sequence < ? AND execution = ? ORDER BY sequence DESC LIMIT ?`;
const FORGET = `DELETE FROM deliveries WHERE sequence IN (SELECT sequence FROM deliveries INDEXED BY deliveries_over
  WHERE next_at IS NULL AND shard IN (SELECT value FROM json_each(?)) AND last_at < ? LIMIT ?)`;
const ROTATE = `INSERT INTO webhook_secrets VALUES (?, 2, ?)
  ON CONFLICT (tenant) DO UPDATE SET generation = generation + 1, rotated_at = excluded.rotated_at`;

/** Deliveries in an open database. */
export function sqliteDeliveryStore(database: SqliteDatabase): DeliveryStore {
  const find = (tenantId: string, id: string) => {
    const row = database.prepare(`SELECT ${DELIVERY} FROM deliveries WHERE id = ? AND tenant = ?`).get(id, tenantId);
    return row === undefined ? null : toDelivery(row);
  };
  const secretOf = (tenantId: string) =>
    toSecretGeneration(database.prepare('SELECT * FROM webhook_secrets WHERE tenant = ?').get(tenantId));
  return {
    due: (shards, nowMs, { ids, tenants, hosts, receivers }, limit) =>
      database.read(() => {
        const lists = [shards, tenants, hosts, receivers, ids].map((list) => JSON.stringify(list));
        return database
          .prepare(DUE)
          .all(nowMs, ...lists, limit)
          .map(toDelivery);
      }),
    nextAtMs: (shards, afterMs) =>
      database.read(() => {
        const row = database.prepare(NEXT).get(afterMs, JSON.stringify(shards));
        return row === undefined ? null : Number(row['next_at']);
      }),
    attempted: (id, { state, nextAtMs, lastAtMs, lastStatus, lastError }, lease) =>
      database.write(() => {
        assertLease(database, lease);
        database.prepare(ATTEMPTED).run(state, nextAtMs, lastAtMs, lastStatus, lastError, id, lease.shard);
      }),
    replay: (tenantId, id, nowMs, lease) =>
      database.write(() => {
        assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
        assertLease(database, lease);
        database.prepare(REPLAY).run(nowMs, nowMs, id, tenantId);
        return find(tenantId, id);
      }),
    get: (tenantId, id) => database.read(() => find(tenantId, id)),
    list: (tenantId, executionId, cursor, limit) =>
      database.read(() => {
        const [from, of] = [cursor ?? Number.MAX_SAFE_INTEGER, executionId === null ? [] : [executionId]];
        const sql = executionId === null ? LIST : LIST_OF_ONE;
        const rows = database.prepare(sql).all(tenantId, from, ...of, limit + 1);
        return toPage(rows, limit, toDelivery);
      }),
    forget: (shards, beforeMs, limit) =>
      database.write(() => Number(database.prepare(FORGET).run(JSON.stringify(shards), beforeMs, limit).changes)),
    secretOf: (tenantId) => database.read(() => secretOf(tenantId)),
    rotate: (tenantId, nowMs, lease) =>
      database.write(() => {
        assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
        assertLease(database, lease);
        database.prepare(ROTATE).run(tenantId, nowMs);
        return secretOf(tenantId);
      }),
  };
}
