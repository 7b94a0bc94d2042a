/**
 * Owns the port to who answers for which tenants: tenants belong to shards, a shard has at most one coordinator, and a coordinator is there as
 * long as it says so in time. Never decides who should have what.
 * Invariants: a shard's epoch grows with every change of its holder and never shrinks; a write under an older epoch has no effect; times are the
 * store's own, never a coordinator's.
 */
import { createHash } from 'node:crypto';
import { SystemError } from '../../shared/errors.ts';

/** Into how many shards tenants are divided; never changed once released. */
export const SHARDS = 64;

/** The shard of a tenant, 0 to SHARDS - 1. */
export function shardOf(tenantId: string): number {
  return createHash('sha256').update(tenantId).digest().readUInt32BE(0) % SHARDS;
}

/** A coordinator among those that share a store; the id is that of one process. */
export interface Member {
  readonly id: string;
  /** Where the others reach it. */
  readonly url: string;
}

/** The right to write for the tenants of a shard. */
export interface ShardLease {
  readonly shard: number;
  readonly epoch: number;
}

/** What a write under a lease that is not the present one fails with. */
export function toShardMoved({ shard, epoch }: ShardLease): SystemError {
  return new SystemError(
    'shard-moved',
    `epoch ${epoch} of shard ${shard} is over; ask again, another coordinator answers`,
  );
}

/** Who is there and who has what. */
export interface ClusterView {
  /** All whose time is not over, the longest there first. */
  readonly members: readonly Member[];
  /** Index: shard; null: nobody has it. */
  readonly holders: readonly (string | null)[];
  /** What the asking member has. */
  readonly held: readonly ShardLease[];
}

/** Durable shards. */
export interface ShardStore {
  /** Can there be several members? If not, whoever is there need not say so again and again. */
  readonly isShared: boolean;
  /**
   * Says that this member is there for `ttlMs` from now on, gives up the shards `released`, forgets members whose time is over, and takes
   * what nobody has, up to this member's part: all shards divided by members, rounded up. An embedded store has one member: whoever came
   * last, who takes all.
   */
  beat(member: Member, ttlMs: number, released: readonly number[]): Promise<ClusterView>;
  /** The member is gone and has nothing any more. Idempotent. */
  leave(id: string): Promise<void>;
}
