/**
 * Owns the ports to what is durable about tenants: who they are and their keys, what they used in a day, and what operators did. All of it is
 * global: no shard's. Never decides who may do what (coordinator/tenants), and never sees a key: digests of keys.
 * Invariants: the version grows with every change of tenants and keys, in the same transaction; a batch of usage counts once, however often it
 * is added; an entry of the audit is durable when its promise resolves.
 */
import type { Digest } from '../../shared/digest.ts';
import type { Scope, TenantSettings } from '../../shared/model/tenant.ts';
import type { Page } from './page.ts';

/** A tenant that an operator made. */
export interface StoredTenant {
  readonly id: string;
  readonly settings: TenantSettings;
  readonly createdAtMs: number;
}

/** A key of any tenant, by its digest. */
export interface StoredKey {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly digest: Digest;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

/** All tenants and keys, at least as new as `version`. */
export interface TenantsView {
  readonly version: number;
  readonly tenants: readonly StoredTenant[];
  readonly keys: readonly StoredKey[];
}

/** Durable tenants and keys. */
export interface TenantStore {
  version(): Promise<number>;
  read(): Promise<TenantsView>;
  /** Makes a tenant, or gives it other settings; null, and nothing is changed, when there are so many already. */
  save(id: string, settings: TenantSettings, nowMs: number, tenantsMax: number): Promise<StoredTenant | null>;
  /** False, and nothing is changed, when the tenant has so many already. */
  addKey(key: StoredKey, keysMax: number): Promise<boolean>;
  /** False when the tenant has no such key. */
  removeKey(tenantId: string, keyId: string): Promise<boolean>;
  /** Keys were used at these times; the version stays. */
  keysUsed(uses: ReadonlyMap<string, number>): Promise<void>;
}

/** What a tenant used in a UTC day (`2026-11-28`), and the most that was stored for it on that day. */
export interface DayUsage {
  readonly tenantId: string;
  readonly day: string;
  readonly executions: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly storedBytes: number;
}

/** Durable usage. */
export interface UsageStore {
  /** Adds a batch, at most one of a tenant and day each; once for each writer and number: numbers of a writer grow. */
  add(writer: string, number: number, batch: readonly DayUsage[], nowMs: number): Promise<void>;
  /** Days of a tenant from this one on, newest first. */
  days(tenantId: string, fromDay: string): Promise<readonly DayUsage[]>;
  /** Bytes of the tenant's executions, of its environments and of blobs of its own layers (`scope`). */
  storedBytes(tenantId: string, scope: string): Promise<number>;
  /** Forgets days before this one and writers that have been silent since. */
  trim(beforeDay: string, beforeMs: number): Promise<void>;
}

/** What an operator did: who, what, to whom, how it ended. */
export interface AuditEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly tenantId: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly address: string;
  readonly requestId: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
  /** HTTP status of the answer; null: it is not over, or nobody lived to say. */
  readonly outcome: number | null;
}

/** The durable log of operators' actions. */
export interface AuditStore {
  /** Before the action; resolves with its sequence. */
  begin(entry: Omit<AuditEntry, 'sequence' | 'outcome'>): Promise<number>;
  /** Before its answer. */
  end(sequence: number, outcome: number): Promise<void>;
  /** Newest first. */
  list(cursor: number | null, limit: number): Promise<Page<AuditEntry>>;
  /** Forgets entries before this time, and the oldest beyond so many; resolves with how many went. */
  trim(beforeMs: number, keptMax: number): Promise<number>;
}
