/**
 * Owns making executions durable before they are accepted, and telling a repeated request from a new one by its idempotency key.
 * Never runs anything. Invariant: one key of one tenant stands for one body and the executions of one request.
 */
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { toKept } from './environment-wait.ts';
import type { LiveExecution } from './live-execution.ts';
import type { ShardLease } from './shard-store.ts';
import type { AcceptedExecution, ExecutionStore, IdempotencyKey, TakenKey } from './state-store.ts';

/** The client's key with the digest of what it was sent with; null without a key. */
export function toIdempotency(key: string | null, body: unknown, ttlMs: number): IdempotencyKey | null {
  return key === null ? null : { key, bodyDigest: digestOf(JSON.stringify(body)), ttlMs };
}

/** The executions of a key that is taken; SystemError `idempotency-key-reused` when it came with another body. */
export function checkTaken({ ids, bodyDigest }: TakenKey, idempotency: IdempotencyKey | null): readonly ExecutionId[] {
  if (bodyDigest === idempotency?.bodyDigest) return ids;
  const whose = ids.length === 1 ? `execution ${ids[0]}` : `a batch that begins with execution ${ids[0]}`;
  throw new SystemError('idempotency-key-reused', `this key belongs to ${whose}, whose body was another`);
}

function toEntry(execution: LiveExecution): Pick<AcceptedExecution, 'answer' | 'request'> {
  return { answer: execution.toAnswer(), request: toKept(execution.terms.request) };
}

/**
 * Records executions of one tenant, all or none, unless their key is taken: then the ids of who took it. SystemError `idempotency-key-reused` for another
 * body, `shard-moved` when another coordinator answers for the tenant.
 */
export async function recordAcceptance(
  store: Pick<ExecutionStore, 'accept' | 'acceptAll'>,
  executions: readonly LiveExecution[],
  idempotency: IdempotencyKey | null,
  lease: ShardLease,
): Promise<readonly ExecutionId[] | null> {
  const [first, ...others] = executions;
  if (first === undefined) return null;
  const { tenantId } = first.terms;
  const taken =
    others.length === 0
      ? await store.accept({ tenantId, ...toEntry(first), idempotency }, lease)
      : await store.acceptAll({ tenantId, executions: executions.map(toEntry), idempotency }, lease);
  return taken === null ? null : checkTaken(taken, idempotency);
}
