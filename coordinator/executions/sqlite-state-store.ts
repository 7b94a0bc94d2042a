/**
 * Owns the embedded state: the StateStore port over one SQLite file. SQL for executions, environments, agents and usage lives here and
 * nowhere else; that for the cache's memory in sqlite-cache-store. Never holds a secret's value, a token or a key in clear.
 */
import assert from 'node:assert/strict';
import type { Digest } from '../../shared/digest.ts';
import { buildLifecycle } from '../../shared/lifecycle/build.ts';
import { executionLifecycle } from '../../shared/lifecycle/execution.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { insertDelivery, sqliteDeliveryStore } from '../deliveries/sqlite-delivery-store.ts';
import type { Page, PageWanted } from './page.ts';
import {
  choosePage,
  type Row,
  toAgent,
  toAnswer,
  toBuildUsage,
  toEndMs,
  toEnvironmentRow,
  toExecutionName,
  toTakenKey,
  toTextOrNull,
  toUnfinished,
} from './rows.ts';
import { shardOf } from './shard-store.ts';
import { sqliteCacheStore } from './sqlite-cache-store.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { sqliteFileStore } from './sqlite-file-store.ts';
import { sqlitePoolStore } from './sqlite-pool-store.ts';
import { assertLease, sqliteShardStore } from './sqlite-shard-store.ts';
import { sqliteAuditStore, sqliteTenantStore, sqliteUsageStore } from './sqlite-tenant-store.ts';
import type {
  AcceptedBatch,
  AgentBounds,
  AgentStore,
  BuildUsageStore,
  EnrolledAgent,
  EnvironmentStore,
  ExecutionName,
  ExecutionStore,
  StateStore,
  TakenKey,
  TokenRefusal,
} from './state-store.ts';

const LAST = Number.MAX_SAFE_INTEGER;

/** Is a row's tenant of one of these shards? */
function inShards(shards: readonly number[]): (row: Row) => boolean {
  const wanted = new Set(shards);
  return (row) => wanted.has(shardOf(String(row['tenant'])));
}

/** The file's own time, in milliseconds. */
const NOW_MS = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

function findKey(database: SqliteDatabase, tenantId: string, key: string): TakenKey | null {
  const sql = `SELECT execution, executions, body_digest FROM idempotency_keys WHERE tenant = ? AND key = ? AND expires_at > ${NOW_MS}`;
  const row = database.prepare(sql).get(tenantId, key);
  return row === undefined ? null : toTakenKey(row);
}

/** Within a write: takes the key and records what came with it, or tells who has the key. */
function insertExecutions(
  database: SqliteDatabase,
  { tenantId, executions, idempotency }: AcceptedBatch,
): TakenKey | null {
  if (idempotency !== null) {
    database.prepare(`DELETE FROM idempotency_keys WHERE expires_at <= ${NOW_MS}`).run();
    const taken = findKey(database, tenantId, idempotency.key);
    if (taken !== null) return taken;
    const sql = `INSERT INTO idempotency_keys (tenant, key, body_digest, execution, executions, expires_at) VALUES (?, ?, ?, ?, ?, ${NOW_MS} + ?)`;
    const ids = executions.map(({ answer }) => answer.id);
    const many = ids.length > 1 ? JSON.stringify(ids) : null;
    const { key, bodyDigest, ttlMs } = idempotency;
    database.prepare(sql).run(tenantId, key, bodyDigest, ids[0] ?? '', many, ttlMs);
  }
  const insert = database.prepare(
    'INSERT INTO executions (id, tenant, is_finished, request, answer) VALUES (?, ?, 0, ?, ?)',
  );
  for (const { answer, request } of executions) {
    insert.run(answer.id, tenantId, JSON.stringify(request), JSON.stringify(answer));
  }
  return null;
}

/** Within a write: removes one that has ended, with what refers to it; false: there is none. */
function removeExecution(database: SqliteDatabase, { tenantId, id }: ExecutionName): boolean {
  const sql = 'DELETE FROM executions WHERE id = ? AND tenant = ? AND is_finished = 1';
  if (database.prepare(sql).run(id, tenantId).changes === 0) return false;
  database.prepare('DELETE FROM idempotency_keys WHERE tenant = ? AND execution = ?').run(tenantId, id);
  database.prepare('UPDATE files SET expires_at = 0 WHERE execution = ? AND tenant = ?').run(id, tenantId);
  return true;
}

/** What is to go of what has ended. */
function endedExecutions(database: SqliteDatabase): Pick<ExecutionStore, 'outdated' | 'remove'> {
  return {
    outdated: (shards, endedAtMs, limit) =>
      database.read(() => {
        const isWanted = inShards(shards);
        const sql = 'SELECT tenant, id FROM executions WHERE finished_at <= ? ORDER BY finished_at';
        const found: ExecutionName[] = [];
        for (const row of database.prepare(sql).iterate(endedAtMs)) {
          if (found.length >= limit) break;
          if (isWanted(row)) found.push(toExecutionName(row));
        }
        return found;
      }),
    remove: async (execution, lease) => {
      assert.equal(lease.shard, shardOf(execution.tenantId), 'a lease of another shard');
      return await database.write(() => {
        assertLease(database, lease);
        return removeExecution(database, execution);
      });
    },
  };
}

/** A page of answers, newest first. */
function listAnswers<Answer>(
  database: SqliteDatabase,
  table: 'executions' | 'environments',
  { tenantId, before, limit }: PageWanted,
): Page<Answer> {
  const newest = `FROM ${table} WHERE tenant = ? AND sequence < ?`;
  const sizes = database
    .prepare(`SELECT sequence, octet_length(answer) AS bytes ${newest} ORDER BY sequence DESC LIMIT ?`)
    .all(tenantId, before, limit + 1);
  const { last, next } = choosePage(sizes, limit);
  const rows = database
    .prepare(`SELECT answer ${newest} AND sequence >= ? ORDER BY sequence DESC`)
    .all(tenantId, before, last ?? before);
  return { items: rows.map(toAnswer<Answer>), next };
}

/** What is only looked at. */
function seenExecutions(database: SqliteDatabase): Pick<ExecutionStore, 'get' | 'tenantOf' | 'list' | 'unfinished'> {
  return {
    get: (tenantId, id) =>
      database.read(() => {
        const row = database.prepare('SELECT answer FROM executions WHERE id = ? AND tenant = ?').get(id, tenantId);
        return row === undefined ? null : toAnswer<Execution>(row);
      }),
    tenantOf: (id) =>
      database.read(() =>
        toTextOrNull(database.prepare('SELECT tenant FROM executions WHERE id = ?').get(id)?.['tenant']),
      ),
    list: (tenantId, cursor, limit) =>
      database.read(() => listAnswers<Execution>(database, 'executions', { tenantId, before: cursor ?? LAST, limit })),
    unfinished: (shards) =>
      database.read(() =>
        database
          .prepare('SELECT tenant, request, answer FROM executions WHERE is_finished = 0 ORDER BY sequence')
          .all()
          .filter(inShards(shards))
          .map(toUnfinished),
      ),
  };
}

function executionStore(database: SqliteDatabase): ExecutionStore {
  const acceptAll: ExecutionStore['acceptAll'] = async (batch, lease) => {
    assert.equal(lease.shard, shardOf(batch.tenantId), 'a lease of another shard');
    return await database.write(() => {
      assertLease(database, lease);
      return insertExecutions(database, batch);
    });
  };
  return {
    accept: ({ tenantId, answer, request, idempotency }, lease) =>
      acceptAll({ tenantId, executions: [{ answer, request }], idempotency }, lease),
    acceptAll,
    findKey: (tenantId, key) => database.read(() => findKey(database, tenantId, key)),
    finish: async (answer, lease, delivery = null) => {
      assert(executionLifecycle.isFinal(answer.stage), `${answer.stage} is no final stage`);
      await database.write(() => {
        assertLease(database, lease);
        const row = database.prepare('SELECT tenant FROM executions WHERE id = ? AND is_finished = 0').get(answer.id);
        if (row === undefined) return;
        assert.equal(lease.shard, shardOf(String(row['tenant'])), 'a lease of another shard');
        database
          .prepare('UPDATE executions SET is_finished = 1, request = NULL, answer = ?, finished_at = ? WHERE id = ?')
          .run(JSON.stringify(answer), toEndMs(answer), answer.id);
        if (delivery !== null) insertDelivery(database, String(row['tenant']), answer.id, delivery);
      });
    },
    record: async (tenantId, answer, lease) => {
      assert(executionLifecycle.isFinal(answer.stage), `${answer.stage} is no final stage`);
      assert.equal(lease.shard, shardOf(tenantId), 'a lease of another shard');
      return await database.write(() => {
        assertLease(database, lease);
        const row = database.prepare('SELECT tenant, is_finished FROM executions WHERE id = ?').get(answer.id);
        if (row !== undefined) return row['tenant'] === tenantId && row['is_finished'] === 1;
        database
          .prepare(
            'INSERT INTO executions (id, tenant, is_finished, request, answer, finished_at) VALUES (?, ?, 1, NULL, ?, ?)',
          )
          .run(answer.id, tenantId, JSON.stringify(answer), toEndMs(answer));
        return true;
      });
    },
    ...seenExecutions(database),
    ...endedExecutions(database),
  };
}

function environmentStore(database: SqliteDatabase): EnvironmentStore {
  return {
    save: ({ tenantId, id, request, answer, manifests, specs, fingerprint }) =>
      database.write(() => {
        database
          .prepare(
            `INSERT INTO environments (tenant, id, request, state, answer, manifests, specs, fingerprint)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, answer = excluded.answer,
               manifests = excluded.manifests, specs = excluded.specs, fingerprint = excluded.fingerprint`,
          )
          .run(
            tenantId,
            id,
            JSON.stringify(request),
            answer.state,
            JSON.stringify(answer),
            JSON.stringify(manifests),
            JSON.stringify(specs),
            fingerprint,
          );
      }),
    get: (tenantId, id) =>
      database.read(() => {
        const row = database.prepare('SELECT * FROM environments WHERE tenant = ? AND id = ?').get(tenantId, id);
        return row === undefined ? null : toEnvironmentRow(row);
      }),
    list: (tenantId, cursor, limit) =>
      database.read(() =>
        listAnswers<Environment>(database, 'environments', { tenantId, before: cursor ?? LAST, limit }),
      ),
    unfinished: (shards) =>
      database.read(() =>
        database
          .prepare(`SELECT * FROM environments WHERE state NOT IN ('ready', 'failed') ORDER BY sequence`)
          .all()
          .filter(inShards(shards))
          .map(toEnvironmentRow)
          .filter((row) => !buildLifecycle.isFinal(row.answer.state)),
      ),
  };
}

const unbounded: AgentBounds = { agentsMax: LAST, poolAgentsMax: LAST };

/** Within a write: uses up the token and records the agent. */
function useToken(
  database: SqliteDatabase,
  tokenDigest: Digest,
  agent: EnrolledAgent,
  nowMs: number,
  { agentsMax, poolAgentsMax }: AgentBounds = unbounded,
): EnrolledAgent | TokenRefusal {
  database.prepare('DELETE FROM enrolment_tokens WHERE expires_at <= ?').run(nowMs);
  const token = database.prepare('SELECT pool FROM enrolment_tokens WHERE digest = ?').get(tokenDigest);
  if (token === undefined) return 'token-unknown';
  const owned = database.prepare('SELECT 1 FROM pools WHERE name = ? AND owner IS NOT NULL').get(agent.pool);
  if (token['pool'] === null && owned !== undefined) return 'pool-owned';
  const enrolled = { ...agent, pool: token['pool'] === null ? agent.pool : String(token['pool']) };
  const count = (sql: string, ...values: string[]) => Number(database.prepare(sql).get(...values)?.['count']);
  if (count('SELECT count(*) AS count FROM agents') >= agentsMax) return 'fleet-full';
  const inPool = `SELECT count(*) AS count FROM agents JOIN pools ON pools.name = agents.pool
    WHERE agents.pool = ? AND owner IS NOT NULL`;
  if (count(inPool, enrolled.pool) >= poolAgentsMax) return 'pool-full';
  database.prepare('DELETE FROM enrolment_tokens WHERE digest = ?').run(tokenDigest);
  const { id, name, publicKey, pool, enrolledAtMs, isDraining } = enrolled;
  database
    .prepare('INSERT INTO agents VALUES (?, ?, ?, ?, ?, ?)')
    .run(id, name, publicKey, pool, enrolledAtMs, isDraining ? 1 : 0);
  return enrolled;
}

function agentStore(database: SqliteDatabase): AgentStore {
  const find = (sql: string, value: string) =>
    database.read(() => {
      const row = database.prepare(sql).get(value);
      return row === undefined ? null : toAgent(row);
    });
  return {
    addToken: (tokenDigest, expiresAtMs, pool, bound = { nowMs: 0, tokensMax: LAST }) =>
      database.write(() => {
        const good = `SELECT count(*) AS count, min(expires_at) AS first FROM enrolment_tokens
          WHERE pool IS ? AND expires_at > ?`;
        const known = database.prepare(good).get(pool, bound.nowMs);
        if (Number(known?.['count']) >= bound.tokensMax) return Number(known?.['first']);
        database
          .prepare('INSERT INTO enrolment_tokens (digest, expires_at, pool) VALUES (?, ?, ?)')
          .run(tokenDigest, expiresAtMs, pool);
        return null;
      }),
    enrol: (tokenDigest, agent, nowMs, bounds) =>
      database.write(() => useToken(database, tokenDigest, agent, nowMs, bounds)),
    get: (id) => find('SELECT * FROM agents WHERE id = ?', id),
    findByKey: (publicKey) => find('SELECT * FROM agents WHERE public_key = ?', publicKey),
    list: () => database.read(() => database.prepare('SELECT * FROM agents ORDER BY enrolled_at').all().map(toAgent)),
    setDraining: (id, isDraining) =>
      database.write(
        () =>
          database.prepare('UPDATE agents SET is_draining = ? WHERE id = ?').run(isDraining ? 1 : 0, id).changes > 0,
      ),
  };
}

function buildUsageStore(database: SqliteDatabase): BuildUsageStore {
  return {
    add: (tenantId, day, { egressBytes, egressRequests, buildMs }) =>
      database.write(() => {
        database
          .prepare(
            `INSERT INTO build_usage VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, day) DO UPDATE SET
               egress_bytes = egress_bytes + excluded.egress_bytes,
               egress_requests = egress_requests + excluded.egress_requests,
               build_ms = build_ms + excluded.build_ms`,
          )
          .run(tenantId, day, egressBytes, egressRequests, buildMs);
      }),
    get: (tenantId, day) =>
      database.read(() => {
        const row = database.prepare('SELECT * FROM build_usage WHERE tenant = ? AND day = ?').get(tenantId, day);
        return toBuildUsage(row);
      }),
    days: (tenantId, fromDay) =>
      database.read(() =>
        database
          .prepare('SELECT * FROM build_usage WHERE tenant = ? AND day >= ?')
          .all(tenantId, fromDay)
          .map((row) => ({ day: String(row['day']), ...toBuildUsage(row) })),
      ),
  };
}

/** Opens the embedded state store in a file; SystemError `state-store-unavailable` when it can't be used. */
export function openSqliteStateStore(path: string): StateStore {
  const database = new SqliteDatabase(path);
  return {
    executions: executionStore(database),
    environments: environmentStore(database),
    files: sqliteFileStore(database),
    agents: agentStore(database),
    pools: sqlitePoolStore(database),
    buildUsage: buildUsageStore(database),
    cache: sqliteCacheStore(database),
    shards: sqliteShardStore(database),
    deliveries: sqliteDeliveryStore(database),
    tenants: sqliteTenantStore(database),
    usage: sqliteUsageStore(database),
    audit: sqliteAuditStore(database),
    check: () => database.write(() => undefined),
    close: async () => database.close(),
  };
}
