/**
 * Owns the port to webhooks that are to be delivered, and to the generations of tenants' secrets. A delivery is recorded with its execution's final
 * answer (ExecutionStore.finish), never here. Never sends and never decides.
 * Invariants: a write is done under the lease of its tenant's shard; what waits is found by whoever answers for its shard, whoever promised it; no
 * secret is ever stored. Times are milliseconds since 1970.
 */
import type { DeliveryId, ExecutionId } from '../../shared/ids.ts';
import type { DeliveryState } from '../../shared/lifecycle/delivery.ts';
import type { Page } from '../executions/page.ts';
import type { ShardLease } from '../executions/shard-store.ts';

/** A delivery that an execution's end promises. */
export interface NewDelivery {
  readonly id: DeliveryId;
  readonly event: 'execution.finished';
  readonly url: string;
  /** Of the URL, without its port. */
  readonly host: string;
  readonly createdAtMs: number;
}

/** A delivery as it is recorded. */
export interface Delivery extends NewDelivery {
  readonly tenantId: string;
  readonly executionId: ExecutionId;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** How many of the attempts were made before it was last begun: at first, or by a replay. */
  readonly round: number;
  readonly begunAtMs: number;
  /** Null when it is over. */
  readonly nextAtMs: number | null;
  readonly lastAtMs: number | null;
  /** HTTP status of the last answer; null without one. */
  readonly lastStatus: number | null;
  /** Why the last attempt failed, in a sentence. */
  readonly lastError: string | null;
}

/** What an attempt changes. */
export type Attempted = Pick<Delivery, 'state' | 'nextAtMs' | 'lastAtMs' | 'lastStatus' | 'lastError'>;

/** What is not to be found now: it is under way, or its tenant or receiver has as much as it may have. */
export interface Except {
  readonly ids: readonly string[];
  readonly tenants: readonly string[];
  readonly hosts: readonly string[];
  /** As `receiverOf` writes them. */
  readonly receivers: readonly string[];
}

/** A tenant's receiver: what one of them does is not the others' matter, on the same host neither. */
export function receiverOf({ tenantId, host }: Pick<Delivery, 'tenantId' | 'host'>): string {
  return `${tenantId} ${host}`;
}

/** Which of a tenant's secrets sign: this generation, and until `rotatedAtMs` and an overlap the one before. */
export interface SecretGeneration {
  readonly generation: number;
  /** Null: never. */
  readonly rotatedAtMs: number | null;
}

/** Durable deliveries. */
export interface DeliveryStore {
  /** What is to be sent by now for tenants of these shards, the longest overdue first. */
  due(shards: readonly number[], nowMs: number, except: Except, limit: number): Promise<readonly Delivery[]>;
  /** When the next one after this time is to be sent; null: none waits. */
  nextAtMs(shards: readonly number[], afterMs: number): Promise<number | null>;
  /** Counts an attempt and records what came of it; nothing when the delivery is not there any more. SystemError `shard-moved`. */
  attempted(id: DeliveryId, outcome: Attempted, lease: ShardLease): Promise<void>;
  /** Begins anew, whatever its state; null when the tenant has none of this id. SystemError `shard-moved`. */
  replay(tenantId: string, id: string, nowMs: number, lease: ShardLease): Promise<Delivery | null>;
  get(tenantId: string, id: string): Promise<Delivery | null>;
  /** Newest first; of one execution, or of all. */
  list(tenantId: string, executionId: string | null, cursor: number | null, limit: number): Promise<Page<Delivery>>;
  /** Forgets what was over before; answers how many, at most `limit`. */
  forget(shards: readonly number[], beforeMs: number, limit: number): Promise<number>;
  secretOf(tenantId: string): Promise<SecretGeneration>;
  /** The next generation, from now on. SystemError `shard-moved`. */
  rotate(tenantId: string, nowMs: number, lease: ShardLease): Promise<SecretGeneration>;
}
