/**
 * Owns the ports of tenant-store over PostgreSQL: tenants and keys, usage, audit. Never decides who may do what; the invariants are the ports'.
 * Each change is one statement that also raises the version; its row is locked until the commit, so that versions are seen in their order.
 */
import type { PostgresDatabase, PostgresRow } from './postgres-database.ts';
import { toPage } from './rows.ts';
import { toDay, toEntry, toKey, toTenant } from './tenant-rows.ts';
import type { AuditStore, TenantStore, UsageStore } from './tenant-store.ts';

const toVersion = ([row]: readonly PostgresRow[]) => Number(row?.['version']);
const VERSION = 'SELECT version FROM tenants_version';

/** Tenants and keys, in an open database. */
export function postgresTenantStore(database: PostgresDatabase): TenantStore {
  return {
    version: async () => toVersion(await database.read(VERSION)),
    read: async () => {
      // First of all: what is read afterwards is at least as new.
      const version = toVersion(await database.read(VERSION));
      const [tenants, keys] = await Promise.all([
        database.read('SELECT id, settings, created_at FROM tenants ORDER BY id'),
        database.read('SELECT * FROM tenant_keys ORDER BY created_at, id'),
      ]);
      return { version, tenants: tenants.map(toTenant), keys: keys.map(toKey) };
    },
    save: async (id, settings, nowMs, tenantsMax) => {
      const [row] = await database.write(
        `WITH bumped AS (UPDATE tenants_version SET version = version + 1 RETURNING version)
         INSERT INTO tenants (id, settings, created_at)
         SELECT $1, $2, $3::bigint FROM bumped
         WHERE EXISTS (SELECT FROM tenants WHERE id = $1) OR (SELECT count(*) FROM tenants) < $4::bigint
         ON CONFLICT (id) DO UPDATE SET settings = excluded.settings RETURNING id, settings, created_at`,
        [id, JSON.stringify(settings), nowMs, tenantsMax],
      );
      return row === undefined ? null : toTenant(row);
    },
    addKey: async ({ id, tenantId, name, digest, scopes, createdAtMs, expiresAtMs, lastUsedAtMs }, keysMax) => {
      const rows = await database.write(
        `WITH bumped AS (UPDATE tenants_version SET version = version + 1 RETURNING version)
         INSERT INTO tenant_keys (id, tenant, name, digest, scopes, created_at, expires_at, last_used_at)
         SELECT $1, $2, $3, $4, $5, $6::bigint, $7::bigint, $8::bigint FROM bumped
         WHERE (SELECT count(*) FROM tenant_keys WHERE tenant = $2) < $9::bigint RETURNING id`,
        [id, tenantId, name, digest, JSON.stringify(scopes), createdAtMs, expiresAtMs, lastUsedAtMs, keysMax],
      );
      return rows.length > 0;
    },
    removeKey: async (tenantId, keyId) => {
      const rows = await database.write(
        `WITH gone AS (DELETE FROM tenant_keys WHERE tenant = $1 AND id = $2 RETURNING id),
         bumped AS (UPDATE tenants_version SET version = version + 1 WHERE EXISTS (SELECT FROM gone))
         SELECT id FROM gone`,
        [tenantId, keyId],
      );
      return rows.length > 0;
    },
    keysUsed: async (uses) => {
      await database.write(
        `UPDATE tenant_keys SET last_used_at = greatest(last_used_at, used.at)
         FROM unnest($1::text[], $2::bigint[]) AS used (id, at) WHERE tenant_keys.id = used.id`,
        [[...uses.keys()], [...uses.values()]],
      );
    },
  };
}

/** What tenants used, in an open database. */
export function postgresUsageStore(database: PostgresDatabase): UsageStore {
  return {
    add: async (writer, number, batch, nowMs) => {
      const column = <Value>(of: (day: (typeof batch)[number]) => Value) => batch.map(of);
      await database.write(
        `WITH fresh AS (
           INSERT INTO usage_writers AS known (writer, number, written_at) VALUES ($1, $2, $3)
           ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_at = excluded.written_at
           WHERE known.number < excluded.number RETURNING writer)
         INSERT INTO usage_days AS known (tenant, day, executions, cpu_ms, wall_ms, stored_bytes)
         SELECT added.* FROM fresh, unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
           AS added (tenant, day, executions, cpu_ms, wall_ms, stored_bytes) ORDER BY added.tenant, added.day
         ON CONFLICT (tenant, day) DO UPDATE SET executions = known.executions + excluded.executions,
           cpu_ms = known.cpu_ms + excluded.cpu_ms, wall_ms = known.wall_ms + excluded.wall_ms,
           stored_bytes = greatest(known.stored_bytes, excluded.stored_bytes)`,
        [
          ...[writer, number, nowMs],
          ...[column(({ tenantId }) => tenantId), column(({ day }) => day), column(({ executions }) => executions)],
          ...[column(({ cpuMs }) => cpuMs), column(({ wallMs }) => wallMs), column(({ storedBytes }) => storedBytes)],
        ],
      );
    },
    days: async (tenantId, fromDay) => {
      const sql = 'SELECT * FROM usage_days WHERE tenant = $1 AND day >= $2 ORDER BY day DESC';
      return (await database.read(sql, [tenantId, fromDay])).map(toDay);
    },
    storedBytes: async (tenantId, scope) => {
      const size = 'coalesce(sum(octet_length(answer) + coalesce(octet_length(request), 0)), 0)';
      const [row] = await database.read(
        `SELECT (SELECT ${size} FROM executions WHERE tenant = $1) + (SELECT ${size} FROM environments WHERE tenant = $1)
           + (SELECT coalesce(sum((manifest::json -> 'blob' ->> 'bytes')::bigint), 0) FROM layers
              WHERE object_key > $2 AND object_key < $3) AS bytes`,
        [tenantId, `manifests/${scope}/`, `manifests/${scope}0`],
      );
      return Number(row?.['bytes'] ?? 0);
    },
    trim: async (beforeDay, beforeMs) => {
      await database.write('DELETE FROM usage_days WHERE day < $1', [beforeDay]);
      await database.write('DELETE FROM usage_writers WHERE written_at < $1', [beforeMs]);
    },
  };
}

/** What operators did, in an open database. */
export function postgresAuditStore(database: PostgresDatabase): AuditStore {
  return {
    begin: async ({ atMs, tenantId, keyId, keyName, address, requestId, action, target, detail }) => {
      const [row] = await database.write(
        `INSERT INTO audit (at, tenant, key, key_name, address, request_id, action, target, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING sequence`,
        [atMs, tenantId, keyId, keyName, address, requestId, action, target, detail],
      );
      return Number(row?.['sequence']);
    },
    end: async (sequence, outcome) => {
      await database.write('UPDATE audit SET outcome = $2 WHERE sequence = $1', [sequence, outcome]);
    },
    list: async (cursor, limit) => {
      const sql = 'SELECT * FROM audit WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2';
      return toPage(await database.read(sql, [cursor ?? Number.MAX_SAFE_INTEGER, limit + 1]), limit, toEntry);
    },
    trim: async (beforeMs, keptMax) => {
      const rows = await database.write(
        `DELETE FROM audit WHERE at < $1 OR sequence <=
           coalesce((SELECT sequence FROM audit ORDER BY sequence DESC LIMIT 1 OFFSET $2), 0) RETURNING sequence`,
        [beforeMs, keptMax],
      );
      return rows.length;
    },
  };
}
