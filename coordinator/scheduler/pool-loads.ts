/**
 * Owns how many slots of each pool tenants have through this coordinator, so that a pool's share for others is held without looking at its agents.
 * Never decides. Invariant: a lease is counted once, in the pool of the agent that has it, and not while its agent is gone.
 */
import type { Lease } from './leases.ts';

/** See the head of this file. */
export class PoolLoads {
  readonly #pools = new Map<string, Map<string, number>>();
  readonly #counted = new Map<Lease, string>();

  /** An agent of this pool has the lease. */
  begin(lease: Lease, pool: string): void {
    if (this.#counted.has(lease)) return;
    this.#counted.set(lease, pool);
    this.#add(pool, lease.tenantId, 1);
  }

  /** It has it no more, or is gone. */
  end(lease: Lease): void {
    const pool = this.#counted.get(lease);
    if (pool === undefined) return;
    this.#counted.delete(lease);
    this.#add(pool, lease.tenantId, -1);
  }

  #add(pool: string, tenantId: string, count: number): void {
    const tenants = this.#pools.get(pool) ?? new Map<string, number>();
    this.#pools.set(pool, tenants);
    const now = (tenants.get(tenantId) ?? 0) + count;
    if (now === 0) tenants.delete(tenantId);
    else tenants.set(tenantId, now);
  }

  /** Slots of the pool that tenants other than this one have. */
  othersIn(pool: string, tenantId: string): number {
    let count = 0;
    for (const [other, slots] of this.#pools.get(pool) ?? []) if (other !== tenantId) count += slots;
    return count;
  }
}
