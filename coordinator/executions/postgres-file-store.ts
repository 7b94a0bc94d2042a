/**
 * Owns the FileStore port over PostgreSQL. Never touches a file's bytes; the invariants are the port's.
 * Each write locks the row of its shard FOR SHARE and changes nothing under an epoch that is over, as writes of executions do.
 */
import assert from 'node:assert/strict';
import type { FileStore } from './file-store.ts';
import type { PostgresDatabase, PostgresRow } from './postgres-database.ts';
import { toFile, toPage } from './rows.ts';
import { type ShardLease, shardOf, toShardMoved } from './shard-store.ts';

const COLUMNS = 'tenant, id, sequence, sha256, bytes, object_key, execution, created_at, expires_at';

/** One change under a lease, $1 and $2; what it returns, and whether the lease is the present one. */
const underLease = (change: string) => `
WITH owned AS MATERIALIZED (
  SELECT shard, epoch FROM shards WHERE shard = $1::integer AND holder IS NOT NULL FOR SHARE
), held AS (SELECT shard FROM owned WHERE epoch = $2::bigint), changed AS (${change})
SELECT held.shard IS NOT NULL AS is_held, changed.*
FROM (SELECT 1) AS one LEFT JOIN held ON true LEFT JOIN changed ON true`;

const SAVE = underLease(`
  INSERT INTO files AS known (tenant, id, shard, sha256, bytes, object_key, execution, created_at, expires_at)
  SELECT $3, $4, held.shard, $5, $6::bigint, $7, $8, $9::bigint, $10::bigint FROM held
  ON CONFLICT (tenant, id) DO UPDATE SET expires_at = greatest(known.expires_at, excluded.expires_at)
  RETURNING ${COLUMNS}`);
const EXTEND = underLease(`
  UPDATE files SET expires_at = greatest(expires_at, $5::bigint) FROM held
  WHERE tenant = $3 AND id = ANY ($4::text[]) RETURNING ${COLUMNS}`);
const EXPIRE = underLease(`
  UPDATE files SET expires_at = least(expires_at, $5::bigint) FROM held
  WHERE tenant = $3 AND id = ANY ($4::text[]) RETURNING id`);
const REMOVE = underLease(`
  DELETE FROM files USING held WHERE tenant = $3 AND id = $4 AND expires_at <= $5::bigint RETURNING id`);

async function change(
  database: PostgresDatabase,
  sql: string,
  tenantId: string,
  lease: ShardLease,
  values: readonly unknown[],
): Promise<readonly PostgresRow[]> {
  assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
  const rows = await database.write(sql, [lease.shard, lease.epoch, tenantId, ...values]);
  if (rows[0]?.['is_held'] !== true) throw toShardMoved(lease);
  return rows.filter((row) => row['id'] !== null);
}

/** Files, in an open database. */
export function postgresFileStore(database: PostgresDatabase): FileStore {
  const read = async (sql: string, values: readonly unknown[]) => await database.read(sql, values);
  return {
    save: async (row, lease) => {
      const { tenantId, id, sha256, bytes, objectKey, executionId, createdAtMs, expiresAtMs } = row;
      const values = [id, sha256, bytes, objectKey, executionId, Math.floor(createdAtMs), Math.floor(expiresAtMs)];
      const [saved] = await change(database, SAVE, tenantId, lease, values);
      return toFile(saved ?? {});
    },
    get: async (tenantId, id) => {
      const [row] = await read(`SELECT ${COLUMNS} FROM files WHERE tenant = $1 AND id = $2`, [tenantId, id]);
      return row === undefined ? null : toFile(row);
    },
    list: async (tenantId, cursor, limit, nowMs) => {
      const sql = `SELECT ${COLUMNS} FROM files WHERE tenant = $1 AND sequence < $2 AND expires_at > $3
        ORDER BY sequence DESC LIMIT $4`;
      const rows = await read(sql, [tenantId, cursor ?? Number.MAX_SAFE_INTEGER, Math.floor(nowMs), limit + 1]);
      return toPage(rows, limit, toFile);
    },
    extend: async (tenantId, ids, expiresAtMs, lease) =>
      (await change(database, EXTEND, tenantId, lease, [ids, Math.floor(expiresAtMs)])).map(toFile),
    expire: async (tenantId, ids, nowMs, lease) =>
      void (await change(database, EXPIRE, tenantId, lease, [ids, Math.floor(nowMs)])),
    ofExecution: async (tenantId, executionId) => {
      const sql = `SELECT ${COLUMNS} FROM files WHERE execution = $1 AND tenant = $2 ORDER BY sequence`;
      return (await read(sql, [executionId, tenantId])).map(toFile);
    },
    expired: async (shards, nowMs, limit) => {
      const sql = `SELECT ${COLUMNS} FROM files WHERE expires_at <= $1 AND shard = ANY ($2::integer[])
        ORDER BY expires_at LIMIT $3`;
      return (await read(sql, [Math.floor(nowMs), shards, limit])).map(toFile);
    },
    remove: async ({ tenantId, id }, nowMs, lease) =>
      (await change(database, REMOVE, tenantId, lease, [id, Math.floor(nowMs)])).length > 0,
    storedBytes: async (tenantId) => {
      const sql = 'SELECT coalesce(sum(bytes), 0)::text AS bytes FROM files WHERE tenant = $1';
      return Number((await read(sql, [tenantId]))[0]?.['bytes']);
    },
    known: async (objectKeys) => {
      const rows = await read('SELECT object_key FROM files WHERE object_key = ANY ($1::text[])', [objectKeys]);
      return new Set(rows.map((row) => String(row['object_key'])));
    },
  };
}
