/**
 * Owns pools for tests of what decides: real ones over a list that the test changes. Nothing is durable.
 */
import type { Pool } from '../../coordinator/executions/pool-store.ts';
import { Pools } from '../../coordinator/pools/pools.ts';
import type { Clock } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { SitePolicy } from '../../shared/model/site-policy.ts';

/** Pools that `list` holds after the next `readAgain`. */
export function knownPools(clock: Clock, list: Pool[]): Pools {
  const save = async (pool: Pool) => list.push(pool) > 0;
  return new Pools({ clock, log: silentLogger, store: { list: async () => list, save }, tell: () => undefined });
}

/** A pool of a tenant that lets others in, on these terms. */
export function poolOf(owner: string, tenants: string[] | null, terms: Partial<SitePolicy> = {}): Pool {
  return { name: `${owner}-pool`, owner, policy: tenants === null ? null : { owner, tenants, ...terms } };
}
