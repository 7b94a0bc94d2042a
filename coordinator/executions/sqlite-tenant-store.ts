/**
 * Owns the ports of tenant-store over the SQLite file: tenants and keys, usage, audit. Never decides who may do what; the invariants are the ports'.
 * Settings and scopes are kept as JSON: they are read whole or not at all.
 */
import { toPage } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { toDay, toEntry, toKey, toTenant } from './tenant-rows.ts';
import type { AuditStore, TenantStore, UsageStore } from './tenant-store.ts';

const LAST = Number.MAX_SAFE_INTEGER;

/** Tenants and keys, in an open database. */
export function sqliteTenantStore(database: SqliteDatabase): TenantStore {
  const version = () => Number(database.prepare('SELECT version FROM tenants_version').get()?.['version']);
  const changed = () => database.prepare('UPDATE tenants_version SET version = version + 1').run();
  const count = (sql: string, ...values: string[]) => Number(database.prepare(sql).get(...values)?.['count']);
  return {
    version: () => database.read(version),
    read: () =>
      database.read(() => ({
        version: version(),
        tenants: database.prepare('SELECT * FROM tenants ORDER BY id').all().map(toTenant),
        keys: database.prepare('SELECT * FROM tenant_keys ORDER BY created_at, id').all().map(toKey),
      })),
    save: (id, settings, nowMs, tenantsMax) =>
      database.write(() => {
        const known = database.prepare('SELECT 1 FROM tenants WHERE id = ?').get(id);
        if (known === undefined && count('SELECT count(*) AS count FROM tenants') >= tenantsMax) return null;
        database
          .prepare(`INSERT INTO tenants VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET settings = excluded.settings`)
          .run(id, JSON.stringify(settings), nowMs);
        changed();
        const row = database.prepare('SELECT * FROM tenants WHERE id = ?').get(id);
        return row === undefined ? null : toTenant(row);
      }),
    addKey: ({ id, tenantId, name, digest, scopes, createdAtMs, expiresAtMs, lastUsedAtMs }, keysMax) =>
      database.write(() => {
        if (count('SELECT count(*) AS count FROM tenant_keys WHERE tenant = ?', tenantId) >= keysMax) return false;
        database
          .prepare('INSERT INTO tenant_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
          .run(id, tenantId, name, digest, JSON.stringify(scopes), createdAtMs, expiresAtMs, lastUsedAtMs);
        changed();
        return true;
      }),
    removeKey: (tenantId, keyId) =>
      database.write(() => {
        const sql = 'DELETE FROM tenant_keys WHERE tenant = ? AND id = ?';
        const isGone = database.prepare(sql).run(tenantId, keyId).changes > 0;
        if (isGone) changed();
        return isGone;
      }),
    keysUsed: (uses) =>
      database.write(() => {
        const sql = 'UPDATE tenant_keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?';
        for (const [id, atMs] of uses) database.prepare(sql).run(atMs, id);
      }),
  };
}

/** What tenants used, in an open database. */
export function sqliteUsageStore(database: SqliteDatabase): UsageStore {
  return {
    add: (writer, number, batch, nowMs) =>
      database.write(() => {
        const mark = `INSERT INTO usage_writers VALUES (?, ?, ?) ON CONFLICT (writer) DO UPDATE
          SET number = excluded.number, written_at = excluded.written_at WHERE number < excluded.number`;
        if (database.prepare(mark).run(writer, number, nowMs).changes === 0) return;
        const addition = database.prepare(
          `INSERT INTO usage_days VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, day) DO UPDATE SET
             executions = executions + excluded.executions, cpu_ms = cpu_ms + excluded.cpu_ms,
             wall_ms = wall_ms + excluded.wall_ms, stored_bytes = max(stored_bytes, excluded.stored_bytes)`,
        );
        for (const { tenantId, day, executions, cpuMs, wallMs, storedBytes } of batch)
          addition.run(tenantId, day, executions, cpuMs, wallMs, storedBytes);
      }),
    days: (tenantId, fromDay) =>
      database.read(() =>
        database
          .prepare('SELECT * FROM usage_days WHERE tenant = ? AND day >= ? ORDER BY day DESC')
          .all(tenantId, fromDay)
          .map(toDay),
      ),
    storedBytes: (tenantId, scope) =>
      database.read(() => {
        const sum = (sql: string, ...values: string[]) => Number(database.prepare(sql).get(...values)?.['bytes'] ?? 0);
        const size = 'SELECT sum(length(CAST(answer AS BLOB)) + coalesce(length(CAST(request AS BLOB)), 0)) AS bytes';
        const layers = `SELECT sum(json_extract(manifest, '$.blob.bytes')) AS bytes FROM layers
          WHERE object_key > ? AND object_key < ?`;
        return (
          sum(`${size} FROM executions WHERE tenant = ?`, tenantId) +
          sum(`${size} FROM environments WHERE tenant = ?`, tenantId) +
          sum(layers, `manifests/${scope}/`, `manifests/${scope}0`)
        );
      }),
    trim: (beforeDay, beforeMs) =>
      database.write(() => {
        database.prepare('DELETE FROM usage_days WHERE day < ?').run(beforeDay);
        database.prepare('DELETE FROM usage_writers WHERE written_at < ?').run(beforeMs);
      }),
  };
}

/** What operators did, in an open database. */
export function sqliteAuditStore(database: SqliteDatabase): AuditStore {
  return {
    begin: ({ atMs, tenantId, keyId, keyName, address, requestId, action, target, detail }) =>
      database.write(() => {
        const { lastInsertRowid } = database
          .prepare(
            `INSERT INTO audit (at, tenant, key, key_name, address, request_id, action, target, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          )
          .run(atMs, tenantId, keyId, keyName, address, requestId, action, target, detail);
        return Number(lastInsertRowid);
      }),
    end: (sequence, outcome) =>
      database.write(() => {
        database.prepare('UPDATE audit SET outcome = ? WHERE sequence = ?').run(outcome, sequence);
      }),
    list: (cursor, limit) =>
      database.read(() => {
        const sql = 'SELECT * FROM audit WHERE sequence < ? ORDER BY sequence DESC LIMIT ?';
        return toPage(database.prepare(sql).all(cursor ?? LAST, limit + 1), limit, toEntry);
      }),
    trim: (beforeMs, keptMax) =>
      database.write(() => {
        const old = database.prepare('DELETE FROM audit WHERE at < ?').run(beforeMs).changes;
        const beyond = `DELETE FROM audit WHERE sequence <=
          (SELECT sequence FROM audit ORDER BY sequence DESC LIMIT 1 OFFSET ?)`;
        return Number(old) + Number(database.prepare(beyond).run(keptMax).changes);
      }),
  };
}
