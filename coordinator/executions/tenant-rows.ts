/**
 * Owns what the rows of the tables about tenants mean, whichever engine keeps them: columns have the same names in both.
 * Never reads or writes a table, and never knows a key.
 */
import type { Digest } from '../../shared/digest.ts';
import { type Row, toNumberOrNull } from './rows.ts';
import type { AuditEntry, DayUsage, StoredKey, StoredTenant } from './tenant-store.ts';

/** A tenant. */
export function toTenant(row: Row): StoredTenant {
  return {
    id: String(row['id']),
    settings: JSON.parse(String(row['settings'])),
    createdAtMs: Number(row['created_at']),
  };
}

/** A key. */
export function toKey(row: Row): StoredKey {
  return {
    id: String(row['id']),
    tenantId: String(row['tenant']),
    name: String(row['name']),
    digest: String(row['digest']) as Digest,
    scopes: JSON.parse(String(row['scopes'])),
    createdAtMs: Number(row['created_at']),
    expiresAtMs: toNumberOrNull(row['expires_at']),
    lastUsedAtMs: toNumberOrNull(row['last_used_at']),
  };
}

/** A day of a tenant. */
export function toDay(row: Row): DayUsage {
  return {
    tenantId: String(row['tenant']),
    day: String(row['day']),
    executions: Number(row['executions']),
    cpuMs: Number(row['cpu_ms']),
    wallMs: Number(row['wall_ms']),
    storedBytes: Number(row['stored_bytes']),
  };
}

/** An entry of the audit. */
export function toEntry(row: Row): AuditEntry {
  return {
    sequence: Number(row['sequence']),
    atMs: Number(row['at']),
    tenantId: String(row['tenant']),
    keyId: String(row['key']),
    keyName: String(row['key_name']),
    address: String(row['address']),
    requestId: String(row['request_id']),
    action: String(row['action']),
    target: String(row['target']),
    detail: String(row['detail']),
    outcome: toNumberOrNull(row['outcome']),
  };
}
