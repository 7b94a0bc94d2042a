/**
 * Owns the port through which the scheduler and other coordinators' rooms ask who may have which pool, and the one for where nobody asks.
 * Never counts slots: shares are held by whoever does. Implementation: pools.
 */
import type { SitePolicy } from '../../shared/model/site-policy.ts';
import { everywhere, type PoolAccess } from './pool-access.ts';
import type { SiteCase } from './site-case.ts';

/** See the head of this file. */
export interface PoolGate {
  /** The pools that this work may have now. */
  accessOf(site: SiteCase): PoolAccess;
  /** What its owner says; null: nothing, or there is no such pool. */
  policyOf(pool: string): SitePolicy | null;
  /** May others use it at this hour? */
  isWithinHours(pool: string): boolean;
  /** May this tenant know of it? */
  isSeen(pool: string, tenantId: string): boolean;
  /** Names of the pools of a tenant. */
  ownedBy(tenantId: string): readonly string[];
}

/** All pools are everybody's. */
export const openGate: PoolGate = {
  accessOf: () => everywhere,
  policyOf: () => null,
  isWithinHours: () => true,
  isSeen: () => true,
  ownedBy: () => [],
};
