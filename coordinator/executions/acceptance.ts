/**
 * Owns making an execution durable before it is accepted, and telling a repeated request from a new one by its idempotency key.
 * Never runs anything. Invariant: one key of one tenant stands for one body and one execution.
 */
import { type Digest, digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { toKept } from './environment-wait.ts';
import type { LiveExecution } from './live-execution.ts';
import type { ShardLease } from './shard-store.ts';
import type { ExecutionStore, IdempotencyKey } from './state-store.ts';

/** How a client asks. */
export interface SubmitTerms {
  readonly tenantId: string;
  readonly isWaited: boolean;
  /** The client's Idempotency-Key, or null. */
  readonly key: string | null;
}

/** The client's key and how long it is remembered. */
export interface KeyTerms {
  readonly key: string | null;
  readonly nowMs: number;
  readonly ttlMs: number;
  /** Of its tenant's shard. */
  readonly lease: ShardLease;
}

/**
 * Records the execution, unless its key is taken: then the id of who took it. SystemError `idempotency-key-reused` for another body, `shard-moved`
 * when another coordinator answers for the tenant.
 */
export async function recordAcceptance(
  store: ExecutionStore,
  execution: LiveExecution,
  { key, nowMs, ttlMs, lease }: KeyTerms,
): Promise<ExecutionId | null> {
  const { tenantId, request } = execution.terms;
  const bodyDigest: Digest = digestOf(JSON.stringify(request));
  const idempotency: IdempotencyKey | null = key === null ? null : { key, bodyDigest, expiresAtMs: nowMs + ttlMs };
  const answer = execution.toAnswer();
  const taken = await store.accept({ tenantId, answer, request: toKept(request), idempotency }, lease, nowMs);
  if (taken === null) return null;
  if (taken.bodyDigest === bodyDigest) return taken.id;
  throw new SystemError('idempotency-key-reused', `this key belongs to execution ${taken.id}, whose body was another`);
}
