/**
 * Owns the FileStore port over the SQLite file. Never touches a file's bytes; the invariants are the port's.
 */
import assert from 'node:assert/strict';
import type { FileStore } from './file-store.ts';
import { toFile, toPage } from './rows.ts';
import { type ShardLease, shardOf } from './shard-store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { assertLease } from './sqlite-shard-store.ts';

const LAST = Number.MAX_SAFE_INTEGER;

function findFile(database: SqliteDatabase, tenantId: string, id: string) {
  return database.prepare('SELECT * FROM files WHERE tenant = ? AND id = ?').get(tenantId, id);
}

type Reading = Pick<FileStore, 'get' | 'list' | 'ofExecution' | 'expired' | 'storedBytes' | 'known'>;

function readFiles(database: SqliteDatabase): Reading {
  return {
    get: (tenantId, id) =>
      database.read(() => {
        const row = findFile(database, tenantId, id);
        return row === undefined ? null : toFile(row);
      }),
    list: (tenantId, cursor, limit, nowMs) =>
      database.read(() => {
        const sql =
          'SELECT * FROM files WHERE tenant = ? AND sequence < ? AND expires_at > ? ORDER BY sequence DESC LIMIT ?';
        return toPage(database.prepare(sql).all(tenantId, cursor ?? LAST, nowMs, limit + 1), limit, toFile);
      }),
    ofExecution: (tenantId, executionId) =>
      database.read(() => {
        const sql = 'SELECT * FROM files WHERE execution = ? AND tenant = ? ORDER BY sequence';
        return database.prepare(sql).all(executionId, tenantId).map(toFile);
      }),
    expired: (shards, nowMs, limit) =>
      database.read(() => {
        const wanted = new Set(shards);
        const rows = database.prepare('SELECT * FROM files WHERE expires_at <= ? ORDER BY expires_at').iterate(nowMs);
        const found: ReturnType<typeof toFile>[] = [];
        for (const row of rows) {
          if (found.length >= limit) break;
          if (wanted.has(shardOf(String(row['tenant'])))) found.push(toFile(row));
        }
        return found;
      }),
    storedBytes: (tenantId) =>
      database.read(() => {
        const sql = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM files WHERE tenant = ?';
        return Number(database.prepare(sql).get(tenantId)?.['bytes']);
      }),
    known: (objectKeys) =>
      database.read(() => {
        const statement = database.prepare('SELECT 1 FROM files WHERE object_key = ?');
        return new Set(objectKeys.filter((key) => statement.get(key) !== undefined));
      }),
  };
}

/** Files, in an open database. */
export function sqliteFileStore(database: SqliteDatabase): FileStore {
  const find = (tenantId: string, id: string) => findFile(database, tenantId, id);
  const extendOne = (tenantId: string, id: string, expiresAtMs: number) =>
    database
      .prepare('UPDATE files SET expires_at = max(expires_at, ?) WHERE tenant = ? AND id = ?')
      .run(Math.floor(expiresAtMs), tenantId, id);
  const write = async <Value>(tenantId: string, lease: ShardLease, run: () => Value): Promise<Value> => {
    assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
    return await database.write(() => {
      assertLease(database, lease);
      return run();
    });
  };
  return {
    ...readFiles(database),
    save: (row, lease) =>
      write(row.tenantId, lease, () => {
        const { tenantId, id, sha256, bytes, objectKey, executionId, createdAtMs, expiresAtMs } = row;
        const sql = `INSERT INTO files (tenant, id, sha256, bytes, object_key, execution, created_at, expires_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO NOTHING`;
        database
          .prepare(sql)
          .run(tenantId, id, sha256, bytes, objectKey, executionId, Math.floor(createdAtMs), Math.floor(expiresAtMs));
        extendOne(tenantId, id, expiresAtMs);
        return toFile(find(tenantId, id) ?? {});
      }),
    extend: (tenantId, ids, expiresAtMs, lease) =>
      write(tenantId, lease, () => {
        for (const id of ids) extendOne(tenantId, id, expiresAtMs);
        const rows = ids.map((id) => find(tenantId, id));
        return rows.filter((row) => row !== undefined).map(toFile);
      }),
    expire: (tenantId, ids, nowMs, lease) =>
      write(tenantId, lease, () => {
        const sql = 'UPDATE files SET expires_at = min(expires_at, ?) WHERE tenant = ? AND id = ?';
        for (const id of ids) database.prepare(sql).run(Math.floor(nowMs), tenantId, id);
      }),
    remove: ({ tenantId, id }, nowMs, lease) =>
      write(tenantId, lease, () => {
        const sql = 'DELETE FROM files WHERE tenant = ? AND id = ? AND expires_at <= ?';
        return database.prepare(sql).run(tenantId, id, nowMs).changes > 0;
      }),
  };
}
