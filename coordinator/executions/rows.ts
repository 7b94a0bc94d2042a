/**
 * Owns what the rows of a state store's tables mean, whichever engine keeps them: columns have the same names in all of them.
 * Never reads or writes a table.
 */
import type { Digest } from '../../shared/digest.ts';
import type { AgentId, EnvironmentId, ExecutionId, FileId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import type { Revocation } from '../../shared/model/trust.ts';
import { countOnPage } from '../../shared/page-count.ts';
import type { Pin, RecordedLayer } from './cache-store.ts';
import type { FileRow } from './file-store.ts';
import type { Page } from './page.ts';
import type { Pool } from './pool-store.ts';
import type {
  BuildUsage,
  EnrolledAgent,
  EnvironmentRow,
  ExecutionName,
  TakenKey,
  UnfinishedExecution,
} from './state-store.ts';

/** A row by its columns' names. */
export type Row = Readonly<Record<string, unknown>>;

/** A number that may be missing. */
export const toNumberOrNull = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);
/** A text that may be missing. */
export const toTextOrNull = (value: unknown): string | null =>
  value === null || value === undefined ? null : String(value);
// One engine has truth values, the other numbers.
const isTrue = (value: unknown) => value === true || value === 1;
const toJson = (value: unknown) => JSON.parse(String(value));

/** A page out of one row more than `limit`; `sequence` is the cursor. */
export function toPage<Item>(rows: readonly Row[], limit: number, toItem: (row: Row) => Item): Page<Item> {
  const shown = rows.slice(0, limit);
  return {
    items: shown.map(toItem),
    next: rows.length > limit ? Number(shown.at(-1)?.['sequence']) : null,
  };
}

/** What one page of answers weighs at most, if it has more than one. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024;

/** Which answers are one page; `last` is the oldest of them, null if there is none. */
export interface ChosenPage {
  readonly last: number | null;
  readonly next: number | null;
}

/**
 * Which answers are one page, out of one row more than `limit` with `sequence` and `bytes`: fewer when they are large, since a tenant's outputs
 * would else be more than this process can hold, but one if there is one.
 */
export function choosePage(sizes: readonly Row[], limit: number): ChosenPage {
  const bytes = sizes.map((row) => Number(row['bytes']));
  const chosen = sizes.slice(0, countOnPage(bytes, limit, PAGE_BYTES_MAX));
  const oldest = chosen.at(-1)?.['sequence'];
  const last = oldest === undefined ? null : Number(oldest);
  return { last, next: sizes.length > chosen.length ? last : null };
}

/** What is answered to a client, as it was recorded. */
export function toAnswer<Answer>(row: Row): Answer {
  return toJson(row['answer']) as Answer;
}

/** An execution that has not ended. */
export function toUnfinished(row: Row): UnfinishedExecution {
  return { tenantId: String(row['tenant']), request: toJson(row['request']), answer: toJson(row['answer']) };
}

/** An idempotency key; `executions` has all ids of a batch and is empty for one execution. */
export function toTakenKey(row: Row): TakenKey {
  const many = row['executions'] ?? null;
  const ids = many === null ? [String(row['execution']) as ExecutionId] : toJson(many);
  return { ids, bodyDigest: String(row['body_digest']) as Digest };
}

/** An execution by its name. */
export function toExecutionName(row: Row): ExecutionName {
  return { tenantId: String(row['tenant']), id: String(row['id']) as ExecutionId };
}

/** When an execution ended; a final answer without a time has ended long ago. Milliseconds. */
export function toEndMs({ finishedAt }: Pick<Execution, 'finishedAt'>): number {
  return finishedAt ? Date.parse(finishedAt) : 0;
}

/** An environment. */
export function toEnvironmentRow(row: Row): EnvironmentRow {
  return {
    tenantId: String(row['tenant']),
    id: String(row['id']) as EnvironmentId,
    request: toJson(row['request']),
    answer: toJson(row['answer']),
    manifests: toJson(row['manifests']),
    specs: toJson(row['specs']),
    fingerprint: String(row['fingerprint']),
  };
}

/** An enrolled agent. */
export function toAgent(row: Row): EnrolledAgent {
  return {
    id: String(row['id']) as AgentId,
    name: String(row['name']),
    publicKey: String(row['public_key']),
    pool: String(row['pool']),
    enrolledAtMs: Number(row['enrolled_at']),
    isDraining: isTrue(row['is_draining']),
  };
}

/** What builds used; of a day without a row nothing. */
export function toBuildUsage(row: Row = {}): BuildUsage {
  return {
    egressBytes: Number(row['egress_bytes'] ?? 0),
    egressRequests: Number(row['egress_requests'] ?? 0),
    buildMs: Number(row['build_ms'] ?? 0),
  };
}

/** A pool; its policy is read whole or not at all. */
export function toPool(row: Row): Pool {
  return {
    name: String(row['name']),
    owner: toTextOrNull(row['owner']),
    policy: row['policy'] === null ? null : toJson(row['policy']),
  };
}

/** A file. */
export function toFile(row: Row): FileRow {
  return {
    tenantId: String(row['tenant']),
    id: String(row['id']) as FileId,
    sha256: String(row['sha256']) as Digest,
    bytes: Number(row['bytes']),
    objectKey: String(row['object_key']),
    executionId: row['execution'] === null ? null : (String(row['execution']) as ExecutionId),
    createdAtMs: Number(row['created_at']),
    expiresAtMs: Number(row['expires_at']),
  };
}

/** A layer that was seen in the store. */
export function toLayer(row: Row): RecordedLayer {
  return {
    objectKey: String(row['object_key']),
    manifest: toJson(row['manifest']) as LayerManifest,
    lastUsedAtMs: Number(row['last_used_at']),
  };
}

/** A revocation that was ordered. */
export function toRevocation(row: Row): Revocation {
  return {
    kind: String(row['kind']) as Revocation['kind'],
    value: String(row['value']),
    isFatal: isTrue(row['is_fatal']),
    reason: String(row['reason']),
    revokedAt: String(row['revoked_at']),
  };
}

/** A pin; an empty agent is all agents. */
export function toPin(row: Row): Pin {
  return { digest: String(row['digest']), agentId: row['agent'] === '' ? null : String(row['agent']) };
}
