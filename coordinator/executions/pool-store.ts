/**
 * Owns the port to durable pools: whose they are and what their owners say. Never decides who may use one (coordinator/pools).
 * Invariants: an owner is named once, and stays; a pool without a row is the operator's. The others are the state store's.
 */
import type { SitePolicy } from '../../shared/model/site-policy.ts';

/** A pool of agents. */
export interface Pool {
  readonly name: string;
  /** The tenant whose machines these are; null: the operator's. */
  readonly owner: string | null;
  /** Null: none was set. Then a tenant's pool is its owner's alone, and the operator's is everybody's. */
  readonly policy: SitePolicy | null;
}

/** Durable pools. */
export interface PoolStore {
  /** By their names. */
  list(): Promise<readonly Pool[]>;
  /** Records a pool, or that it is this now; false, and nothing is changed, when it is another tenant's. */
  save(pool: Pool): Promise<boolean>;
}
