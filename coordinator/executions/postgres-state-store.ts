/**
 * Owns state that several coordinators share: the StateStore port over one PostgreSQL database. SQL for environments and builds' usage lives here and
 * nowhere else; that for everything else in the files named after them. Never holds a secret's value, a token or a
 * key in clear.
 */
import type { Environment } from '../../shared/model/environment.ts';
import { postgresDeliveryStore } from '../deliveries/postgres-delivery-store.ts';
import { postgresAgentStore } from './postgres-agent-store.ts';
import { listAnswers } from './postgres-answers.ts';
import { postgresCacheStore } from './postgres-cache-store.ts';
import { PostgresDatabase, type PostgresOptions } from './postgres-database.ts';
import { postgresExecutionStore } from './postgres-execution-store.ts';
import { postgresFileStore } from './postgres-file-store.ts';
import { postgresPoolStore } from './postgres-pool-store.ts';
import { postgresShardStore } from './postgres-shard-store.ts';
import { postgresAuditStore, postgresTenantStore, postgresUsageStore } from './postgres-tenant-store.ts';
import { toBuildUsage, toEnvironmentRow } from './rows.ts';
import { shardOf } from './shard-store.ts';
import type { BuildUsageStore, EnvironmentStore, StateStore } from './state-store.ts';

const ENVIRONMENT = 'SELECT tenant, id, request, answer, manifests, specs, fingerprint FROM environments';

function environmentStore(database: PostgresDatabase): EnvironmentStore {
  return {
    save: async ({ tenantId, id, request, answer, manifests, specs, fingerprint }) => {
      const texts = [request, answer, manifests, specs].map((value) => JSON.stringify(value));
      await database.write(
        `INSERT INTO environments (tenant, id, shard, state, fingerprint, request, answer, manifests, specs)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, answer = excluded.answer,
           manifests = excluded.manifests, specs = excluded.specs, fingerprint = excluded.fingerprint`,
        [tenantId, id, shardOf(tenantId), answer.state, fingerprint, ...texts],
      );
    },
    get: async (tenantId, id) => {
      const [row] = await database.read(`${ENVIRONMENT} WHERE tenant = $1 AND id = $2`, [tenantId, id]);
      return row === undefined ? null : toEnvironmentRow(row);
    },
    list: async (tenantId, cursor, limit) => {
      const before = cursor ?? Number.MAX_SAFE_INTEGER;
      return await listAnswers<Environment>(database, 'environments', { tenantId, before, limit });
    },
    unfinished: async (shards) => {
      const sql = `${ENVIRONMENT} WHERE shard = ANY ($1::integer[]) AND state NOT IN ('ready', 'failed') ORDER BY sequence`;
      return (await database.read(sql, [shards])).map(toEnvironmentRow);
    },
  };
}

function buildUsageStore(database: PostgresDatabase): BuildUsageStore {
  return {
    add: async (tenantId, day, { egressBytes, egressRequests, buildMs }) => {
      await database.write(
        `INSERT INTO build_usage AS known (tenant, day, egress_bytes, egress_requests, build_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, day) DO UPDATE SET egress_bytes = known.egress_bytes + excluded.egress_bytes,
           egress_requests = known.egress_requests + excluded.egress_requests, build_ms = known.build_ms + excluded.build_ms`,
        [tenantId, day, egressBytes, egressRequests, buildMs],
      );
    },
    get: async (tenantId, day) => {
      const sql = 'SELECT egress_bytes, egress_requests, build_ms FROM build_usage WHERE tenant = $1 AND day = $2';
      const [row] = await database.read(sql, [tenantId, day]);
      return toBuildUsage(row);
    },
    days: async (tenantId, fromDay) => {
      const rows = await database.read('SELECT * FROM build_usage WHERE tenant = $1 AND day >= $2', [
        tenantId,
        fromDay,
      ]);
      return rows.map((row) => ({ day: String(row['day']), ...toBuildUsage(row) }));
    },
  };
}

/** Opens the shared state store, after bringing its database to the form of this release; SystemError `state-store-unavailable` when it can't be used. */
export async function openPostgresStateStore(options: PostgresOptions): Promise<StateStore> {
  const database = await PostgresDatabase.open(options);
  const executions = postgresExecutionStore(database);
  const check = `INSERT INTO checks (is_only, checked_at) VALUES (true, clock_timestamp())
    ON CONFLICT (is_only) DO UPDATE SET checked_at = excluded.checked_at`;
  return {
    executions,
    environments: environmentStore(database),
    files: postgresFileStore(database),
    agents: postgresAgentStore(database),
    pools: postgresPoolStore(database),
    buildUsage: buildUsageStore(database),
    cache: postgresCacheStore(database),
    shards: postgresShardStore(database),
    deliveries: postgresDeliveryStore(database),
    tenants: postgresTenantStore(database),
    usage: postgresUsageStore(database),
    audit: postgresAuditStore(database),
    check: async () => void (await database.write(check)),
    close: async () => {
      await executions.drain();
      await database.close();
    },
  };
}
