/**
 * Owns the ports to durable state: executions, environments, agents, what builds used, who answers for which shard. One suite
 * (test/contract/state-store.test.ts) holds every implementation to this. Never decides anything.
 * Invariants: when a write's promise resolves it survives kill -9 and power loss; writes of one caller keep their order;
 * SystemError `state-store-unavailable` when the store can't do what was asked.
 */
import type { Digest } from '../../shared/digest.ts';
import type { AgentId, EnvironmentId, ExecutionId } from '../../shared/ids.ts';
import type { Environment, EnvironmentRequest } from '../../shared/model/environment.ts';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { LayerSpec } from '../../shared/model/manifest.ts';
import type { DeliveryStore, NewDelivery } from '../deliveries/delivery-store.ts';
import type { CacheStore } from './cache-store.ts';
import type { FileStore } from './file-store.ts';
import type { Page } from './page.ts';
import type { PoolStore } from './pool-store.ts';
import type { ShardLease, ShardStore } from './shard-store.ts';
import type { AuditStore, TenantStore, UsageStore } from './tenant-store.ts';

/** A key that makes a repeated request the same request; `bodyDigest` tells another body. It is remembered for `ttlMs` of the store's own time. */
export interface IdempotencyKey {
  readonly key: string;
  readonly bodyDigest: Digest;
  readonly ttlMs: number;
}

/** Whose a key is: the executions of the request that came with it first, in its order. */
export interface TakenKey {
  readonly ids: readonly ExecutionId[];
  readonly bodyDigest: Digest;
}

/** An accepted execution; the request holds no secrets any more. */
export interface AcceptedExecution {
  readonly tenantId: string;
  readonly answer: Execution;
  readonly request: ExecutionRequest;
  readonly idempotency: IdempotencyKey | null;
}

/** Executions of one request, at least one, which are accepted together or not at all. */
export interface AcceptedBatch {
  readonly tenantId: string;
  readonly executions: readonly Pick<AcceptedExecution, 'answer' | 'request'>[];
  readonly idempotency: IdempotencyKey | null;
}

/** An execution that was accepted and has no result yet. */
export interface UnfinishedExecution {
  readonly tenantId: string;
  readonly answer: Execution;
  readonly request: ExecutionRequest;
}

/** An execution by its name. */
export interface ExecutionName {
  readonly tenantId: string;
  readonly id: ExecutionId;
}

/**
 * Durable executions. A write is done under the lease of its tenant's shard: SystemError `shard-moved`, and nothing is changed, when that lease is
 * not the present one.
 */
export interface ExecutionStore {
  /** Records an execution, unless its idempotency key is taken: then who took it, and nothing is recorded. */
  accept(entry: AcceptedExecution, lease: ShardLease): Promise<TakenKey | null>;
  /** The same for many at once: all of them are recorded, or none is. */
  acceptAll(batch: AcceptedBatch, lease: ShardLease): Promise<TakenKey | null>;
  /** Whose an idempotency key is; null: nobody's. */
  findKey(tenantId: string, key: string): Promise<TakenKey | null>;
  /**
   * Records the final answer, with the delivery that it promises its client, and forgets the request; an execution that has its final answer keeps it, and
   * promises nothing more.
   */
  finish(answer: Execution, lease: ShardLease, delivery?: NewDelivery | null): Promise<void>;
  /**
   * Records an execution that has ended elsewhere, once: true also when that was done before. False, and nothing is changed, when the id is another
   * tenant's, or that of an execution which has no result yet.
   */
  record(tenantId: string, answer: Execution, lease: ShardLease): Promise<boolean>;
  get(tenantId: string, id: string): Promise<Execution | null>;
  /** Whose it is; null: there is none. */
  tenantOf(id: string): Promise<string | null>;
  list(tenantId: string, cursor: number | null, limit: number): Promise<Page<Execution>>;
  /** Those of tenants of these shards, oldest first. */
  unfinished(shards: readonly number[]): Promise<readonly UnfinishedExecution[]>;
  /** Those of tenants of these shards that ended at that time or before, the longest ago first. */
  outdated(shards: readonly number[], endedAtMs: number, limit: number): Promise<readonly ExecutionName[]>;
  /**
   * Removes one that has its final answer, and the key that it was asked for with; the time of what was collected from it is over. False: there is
   * none that has.
   */
  remove(execution: ExecutionName, lease: ShardLease): Promise<boolean>;
}

/** What is known about an environment of a tenant; `manifests` are the object keys of its current build, lowest layer first. */
export interface EnvironmentRow {
  readonly tenantId: string;
  readonly id: EnvironmentId;
  /** Without the values of secrets. */
  readonly request: EnvironmentRequest;
  readonly answer: Environment;
  readonly manifests: readonly string[];
  /** What each of those layers is to be; empty in rows of a release that did not write it down. */
  readonly specs: readonly LayerSpec[];
  /** What of the operator's settings the build depends on; another value means that it is to be built again. */
  readonly fingerprint: string;
}

/** Durable environments. */
export interface EnvironmentStore {
  save(row: EnvironmentRow): Promise<void>;
  get(tenantId: string, id: string): Promise<EnvironmentRow | null>;
  list(tenantId: string, cursor: number | null, limit: number): Promise<Page<Environment>>;
  /** Those of tenants of these shards, oldest first. */
  unfinished(shards: readonly number[]): Promise<readonly EnvironmentRow[]>;
}

/** An agent that was let in once; `publicKey` is Ed25519, SPKI DER in base64. */
export interface EnrolledAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly publicKey: string;
  readonly pool: string;
  readonly enrolledAtMs: number;
  readonly isDraining: boolean;
}

/** Why a token lets nobody in: it is not known, used or expired; or it is bound to no pool, and the agent's pool is a tenant's; or there are too many. */
export type TokenRefusal = 'token-unknown' | 'pool-owned' | 'pool-full' | 'fleet-full';

/** How many agents there may be, those that were retired among them. */
export interface AgentBounds {
  readonly agentsMax: number;
  /** In one pool that is a tenant's. */
  readonly poolAgentsMax: number;
}

/** How many tokens of one pool, or of none, may be good at a time. */
export interface TokenBound {
  readonly nowMs: number;
  readonly tokensMax: number;
}

/** Durable agents and one-time tokens; tokens are stored as digests. */
export interface AgentStore {
  /** `pool`: what its agent will be in, whatever it says; null: what it says, unless that is a tenant's. */
  /** Null: done; else there are too many, and the first of them is over at this time. */
  addToken(tokenDigest: Digest, expiresAtMs: number, pool: string | null, bound?: TokenBound): Promise<number | null>;
  /** Uses up the token and records the agent, in the token's pool if that has one, both or neither. */
  enrol(
    tokenDigest: Digest,
    agent: EnrolledAgent,
    nowMs: number,
    bounds?: AgentBounds,
  ): Promise<EnrolledAgent | TokenRefusal>;
  get(id: string): Promise<EnrolledAgent | null>;
  findByKey(publicKey: string): Promise<EnrolledAgent | null>;
  list(): Promise<readonly EnrolledAgent[]>;
  setDraining(id: string, isDraining: boolean): Promise<boolean>;
}

/** What builds used: of the build network, and of the builder's time. */
export interface BuildUsage {
  readonly egressBytes: number;
  readonly egressRequests: number;
  readonly buildMs: number;
}

/** Durable amounts per tenant and UTC day (`2026-11-28`). */
export interface BuildUsageStore {
  /** Adds to what the tenant used on that day; sums never get lost between concurrent callers. */
  add(tenantId: string, day: string, used: BuildUsage): Promise<void>;
  /** What the tenant used on that day; nothing is zero. */
  get(tenantId: string, day: string): Promise<BuildUsage>;
  /** Days of a tenant from this one on on which builds used anything. */
  days(tenantId: string, fromDay: string): Promise<readonly (BuildUsage & { readonly day: string })[]>;
}

/** All durable state of a coordinator. */
export interface StateStore {
  readonly executions: ExecutionStore;
  readonly environments: EnvironmentStore;
  readonly files: FileStore;
  readonly agents: AgentStore;
  readonly pools: PoolStore;
  readonly buildUsage: BuildUsageStore;
  readonly cache: CacheStore;
  readonly shards: ShardStore;
  readonly deliveries: DeliveryStore;
  readonly tenants: TenantStore;
  readonly usage: UsageStore;
  readonly audit: AuditStore;
  /** Resolves when the store can write. */
  check(): Promise<void>;
  close(): Promise<void>;
}
