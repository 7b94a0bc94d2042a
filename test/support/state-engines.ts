/**
 * Owns the engines that every suite about durable state runs on, and getting leases for tests.
 * Never knows what a store is to do. Invariant: an engine's stores share what is durable and nothing else, like processes do.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPostgresStateStore } from '../../coordinator/executions/postgres-state-store.ts';
import { type ShardLease, shardOf } from '../../coordinator/executions/shard-store.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { startPostgresServer } from '../../ops/postgres/private-postgres.ts';

/** One empty database. */
export interface StateEngine {
  open(): Promise<StateStore>;
  /** Removes it; its stores are closed before. */
  end(): Promise<void>;
}

/** Every engine. */
export const stateEngines: Readonly<Record<string, () => Promise<StateEngine>>> = {
  sqlite: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-state-'));
    return {
      open: async () => openSqliteStateStore(join(folder, 'state.sqlite')),
      end: () => rm(folder, { recursive: true }),
    };
  },
  postgres: async () => {
    const server = await startPostgresServer();
    return { open: () => openPostgresStateStore({ url: server.url }), end: () => server.stop() };
  },
};

/** Long enough for any test. */
export const TTL_MS = 600_000;

/** The leases of a member, by tenant; fails when it has not got the tenant's shard. */
export type Leases = (tenantId: string) => ShardLease;

/** Lets a member beat; `released` goes first. */
export async function takeLeases(store: StateStore, id: string, released: readonly number[] = []): Promise<Leases> {
  const { held } = await store.shards.beat({ id, url: `http://${id}.example` }, TTL_MS, released);
  return (tenantId) => {
    const lease = held.find(({ shard }) => shard === shardOf(tenantId));
    if (lease === undefined) throw new Error(`${id} has not got the shard of ${tenantId}`);
    return lease;
  };
}
