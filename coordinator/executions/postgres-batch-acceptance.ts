/**
 * Owns the statement that accepts many executions of one tenant in PostgreSQL, all or none: one statement is one transaction, and one that fails for
 * any of its rows has recorded nothing. Never writes for a tenant whose shard somebody else has by now (postgres-execution-store says how that is known).
 */
import type { PostgresDatabase } from './postgres-database.ts';
import type { BatchStatement } from './postgres-write-lane.ts';
import { toTakenKey } from './rows.ts';
import { type ShardLease, toShardMoved } from './shard-store.ts';
import type { IdempotencyKey, TakenKey } from './state-store.ts';

/** Whose write it is, and under which lease. */
export interface Owner {
  readonly tenantId: string;
  readonly lease: ShardLease;
}

/** Executions of one request; the lists have their order. */
export interface BatchAcceptance extends Owner {
  readonly ids: readonly string[];
  readonly requests: readonly string[];
  readonly answers: readonly string[];
  readonly idempotency: IdempotencyKey | null;
}

/** The server's time in milliseconds, the same throughout a statement. */
export const NOW_MS = '(extract(epoch FROM statement_timestamp()) * 1000)::bigint';

/** The rows of these shards that somebody holds, locked; see the head of postgres-execution-store. */
export const owned = (shards: string) => `owned AS MATERIALIZED (
  SELECT shard, epoch FROM shards WHERE shard = ANY (${shards}::integer[]) AND holder IS NOT NULL ORDER BY shard FOR SHARE
)`;

const ACCEPT_ALL = `
WITH batch AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS batch (id, request, answer, position)
), ${owned('$4')}, valid AS (
  SELECT shard FROM owned WHERE epoch = $5::bigint
), claimed AS (
  INSERT INTO idempotency_keys AS known (tenant, key, body_digest, execution, executions, expires_at)
  SELECT $6::text, $7::text, $8::text, $9::text, $10::text, ${NOW_MS} + $11::bigint FROM valid WHERE $7::text IS NOT NULL
  ON CONFLICT (tenant, key) DO UPDATE SET
    body_digest = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.body_digest ELSE known.body_digest END,
    execution = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.execution ELSE known.execution END,
    executions = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.executions ELSE known.executions END,
    expires_at = CASE WHEN known.expires_at <= ${NOW_MS} THEN excluded.expires_at ELSE known.expires_at END
  RETURNING body_digest, execution, executions
), free AS (
  SELECT shard FROM valid WHERE $7::text IS NULL OR EXISTS (SELECT FROM claimed WHERE execution = $9::text)
), inserted AS (
  INSERT INTO executions (id, tenant, shard, request, answer)
  SELECT id, $6::text, (SELECT shard FROM free), request, answer FROM batch WHERE EXISTS (SELECT FROM free)
  ORDER BY position
  RETURNING id
)
SELECT EXISTS (SELECT FROM valid) AS is_held, (SELECT count(*) FROM inserted) AS count, claimed.body_digest, claimed.execution, claimed.executions
FROM (VALUES (1)) AS one (number) LEFT JOIN claimed ON true`;

/** Many executions at once: a transaction for each batch, so that one that is refused is refused alone. */
export function acceptAllStatement(database: PostgresDatabase): BatchStatement<BatchAcceptance, TakenKey | null> {
  const acceptOne = async ({
    ids,
    tenantId,
    lease,
    requests,
    answers,
    idempotency,
  }: BatchAcceptance): Promise<TakenKey | null | Error> => {
    const values = [ids, requests, answers, [lease.shard], lease.epoch, tenantId];
    const { key = null, bodyDigest = null, ttlMs = null } = idempotency ?? {};
    const many = ids.length > 1 ? JSON.stringify(ids) : null;
    const [row] = await database.write(ACCEPT_ALL, [...values, key, bodyDigest, ids[0], many, ttlMs]);
    if (row?.['is_held'] !== true) return toShardMoved(lease);
    return Number(row['count']) === ids.length ? null : toTakenKey(row);
  };
  return async (batches) => {
    const answers: (TakenKey | null | Error)[] = [];
    for (const batch of batches) {
      answers.push(await acceptOne(batch).catch((error: unknown) => error as Error));
    }
    return answers;
  };
}
