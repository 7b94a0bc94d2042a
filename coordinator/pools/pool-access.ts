/**
 * Owns which pools a piece of work may have by what does not change with the hour: its own, those of others, none; and the sentence for whoever
 * may not. Pure. Never looks at agents, hours or shares.
 * Invariants: a pool's owner always may; work on a private environment leaves its tenant's pools for those only that the tenant named for it.
 */
import type { Obstacle } from '../../shared/model/placement.ts';
import { findLastingObjection } from '../../shared/model/site-policy.ts';
import type { Pool } from '../executions/pool-store.ts';
import type { SiteCase } from './site-case.ts';

/** How work stands to a pool: its own, one that it may have (within its owner's hours and share, or not), or what is in the way. */
export type Standing = 'own' | 'open' | 'limited' | Extract<Obstacle, 'policy' | 'not-opted-in' | 'private'>;

/** A standing, and the sentence for it when it is an obstacle. */
export interface Judgement {
  readonly standing: Standing;
  readonly sentence: string;
}

const fine = (standing: 'own' | 'open' | 'limited'): Judgement => ({ standing, sentence: '' });

/** How work stands to this pool; `hasOwn`: has its tenant any pool? */
export function judge({ name, owner, policy }: Pool, site: SiteCase, hasOwn: boolean): Judgement {
  const { tenantId, isPrivate, foreignPools, privatePools } = site;
  if (owner === tenantId) return fine('own');
  const isNamedForPrivate = isPrivate && privatePools.includes(name);
  if (owner !== null && !isNamedForPrivate && !foreignPools.includes(name)) {
    const sentence = `pool ${name} is not tenant ${tenantId}'s, which has not opted in to it (foreignPools in the tenants file)`;
    return { standing: 'not-opted-in', sentence };
  }
  if (isPrivate && !isNamedForPrivate && (owner !== null || hasOwn)) {
    const sentence = `private environments of tenant ${tenantId} may not run in pool ${name} (privatePools in the tenants file)`;
    return { standing: 'private', sentence };
  }
  if (policy === null) {
    if (owner === null) return fine('open');
    return { standing: 'policy', sentence: `the owner of pool ${name} has let nobody else use it` };
  }
  const sentence = findLastingObjection(policy, site);
  if (sentence !== null) return { standing: 'policy', sentence };
  const isLimited = policy.hours !== undefined || policy.sharePercentMax !== undefined;
  return fine(isLimited && policy.owner !== tenantId ? 'limited' : 'open');
}

/** What some work may have; the same object for all work to which all pools are the same. */
export class PoolAccess {
  /** Tells it from others; 0 is everywhere. */
  readonly number: number;
  readonly hasOwn: boolean;
  readonly #standings: ReadonlyMap<string, Standing>;
  readonly #unlisted: (pool: string) => Standing;

  constructor(number: number, standings: ReadonlyMap<string, Standing>, unlisted: (pool: string) => Standing) {
    this.number = number;
    this.#standings = standings;
    this.#unlisted = unlisted;
    this.hasOwn = [...standings.values()].includes('own');
  }

  standingOf(pool: string): Standing {
    return this.#standings.get(pool) ?? this.#unlisted(pool);
  }
}

/** Of whoever may have every pool: all work while no pool has an owner or a policy. */
export const everywhere = new PoolAccess(0, new Map(), () => 'open');

/** May it be had, at some hour at least? */
export function isHad(standing: Standing): standing is 'own' | 'open' | 'limited' {
  return standing === 'own' || standing === 'open' || standing === 'limited';
}
