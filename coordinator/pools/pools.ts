/**
 * Owns what this coordinator knows of pools: read from the store at start and after every change, and the decisions that follow from it, remembered
 * until the next change. Never places anything.
 * Invariants: while no pool has an owner or a policy, all pools are everybody's and nothing is computed; what was decided before a change is
 * forgotten with it; what others are told is in the store.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { findPassingObjection, type SitePolicy } from '../../shared/model/site-policy.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { Pool, PoolStore } from '../executions/pool-store.ts';
import type { Tenant } from '../tenants/keys.ts';
import { everywhere, isHad, judge, PoolAccess, type Standing } from './pool-access.ts';
import type { PoolGate } from './pool-gate.ts';
import { type SiteCase, textOf, toLayersCase } from './site-case.ts';

/** What pools need. */
export interface PoolsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: PoolStore;
  /** Something changed here, which others are to read. */
  readonly tell: () => void;
}

/** What is asked of a pool; what is not named stays as it is. */
export interface PoolChange {
  readonly owner?: string | null;
  readonly policy?: SitePolicy | null;
}

const MINUTE_MS = 60_000;
/** Decisions that are remembered between two changes. */
const KNOWN_MAX = 10_000;

/** See the head of this file. */
export class Pools implements PoolGate {
  readonly #deps: PoolsDeps;
  #pools: ReadonlyMap<string, Pool> = new Map();
  #isOpen = true;
  #known = new Map<string, PoolAccess>();
  #bySite = new WeakMap<SiteCase, PoolAccess>();
  #accesses = new Map<string, PoolAccess>();
  #hours = new Map<string, { readonly minute: number; readonly isWithin: boolean }>();
  #numbers = 0;
  #reading: Promise<void> = Promise.resolve();
  #changed: () => void = () => undefined;

  constructor(deps: PoolsDeps) {
    this.#deps = deps;
  }

  /** Tells the listener, the only one, of every change. */
  listen(changed: () => void): void {
    this.#changed = changed;
  }

  /** Reads the store, after whoever reads it now; SystemError `state-store-unavailable`. */
  readAgain(): Promise<void> {
    this.#reading = this.#reading.catch(() => undefined).then(() => this.#read());
    return this.#reading;
  }

  async #read(): Promise<void> {
    const pools = await this.#deps.store.list();
    this.#pools = new Map(pools.map((pool) => [pool.name, pool]));
    this.#isOpen = pools.every(({ owner, policy }) => owner === null && policy === null);
    this.#known = new Map();
    this.#bySite = new WeakMap();
    this.#accesses = new Map();
    this.#hours = new Map();
    this.#changed();
  }

  accessOf(site: SiteCase): PoolAccess {
    if (this.#isOpen) return everywhere;
    const known = this.#bySite.get(site);
    if (known !== undefined) return known;
    const text = textOf(site);
    const access = this.#known.get(text) ?? this.#decide(site);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, access);
    this.#bySite.set(site, access);
    return access;
  }

  #decide(site: SiteCase): PoolAccess {
    const hasOwn = this.ownedBy(site.tenantId).length > 0;
    const standings = new Map<string, Standing>();
    for (const pool of this.#pools.values()) standings.set(pool.name, judge(pool, site, hasOwn).standing);
    // A pool that nobody has named is the operator's.
    const unlisted = (name: string) => judge({ name, owner: null, policy: null }, site, hasOwn).standing;
    const isBound = site.isPrivate && hasOwn;
    const text = JSON.stringify([[...standings.values()], isBound ? site.privatePools : isBound]);
    const access = this.#accesses.get(text) ?? new PoolAccess(++this.#numbers, standings, unlisted);
    this.#accesses.set(text, access);
    return access;
  }

  policyOf(pool: string): SitePolicy | null {
    return this.#pools.get(pool)?.policy ?? null;
  }

  isWithinHours(pool: string): boolean {
    const policy = this.policyOf(pool);
    if (policy?.hours === undefined) return true;
    const nowMs = this.#deps.clock.nowMs();
    const minute = Math.floor(nowMs / MINUTE_MS);
    const known = this.#hours.get(pool);
    if (known?.minute === minute) return known.isWithin;
    const isWithin = findPassingObjection(policy, { tenantId: '', nowMs }) === null;
    this.#hours.set(pool, { minute, isWithin });
    return isWithin;
  }

  ownedBy(tenantId: string): readonly string[] {
    return [...this.#pools.values()].flatMap(({ name, owner }) => (owner === tenantId ? [name] : []));
  }

  isSeen(pool: string, tenantId: string): boolean {
    const { owner, policy } = this.#pools.get(pool) ?? { owner: null, policy: null };
    if (owner === tenantId) return true;
    if (policy === null) return owner === null;
    return policy.owner === tenantId || policy.tenants.includes(tenantId) || policy.tenants.includes('*');
  }

  /** The pools that a tenant may know of, by their names; of others' policies what concerns it. */
  seenBy({ id, isOperator }: Tenant): Pool[] {
    const seen = [...this.#pools.values()].filter(({ name }) => isOperator || this.isSeen(name, id));
    return seen.map((pool) => {
      const { owner, policy } = pool;
      if (isOperator || owner === id || policy === null) return pool;
      return { ...pool, policy: { ...policy, tenants: policy.tenants.filter((one) => one === id || one === '*') } };
    });
  }

  /** Where layers of a tenant may lie, before anything runs on them. */
  accessOfLayers(tenant: Tenant, environment: Pick<ReadyEnvironment, 'layers' | 'isPrivate'>): PoolAccess {
    return this.#isOpen ? everywhere : this.accessOf(toLayersCase(tenant, environment));
  }

  /**
   * SystemError `forbidden` when this work may never have the pool that its request names, or null: also for one that its tenant may not know of, which
   * is for it as one that has no agents.
   */
  objectionTo(site: SiteCase, name: string | null): SystemError | null {
    if (name === null || isHad(this.accessOf(site).standingOf(name))) return null;
    const seen = this.isSeen(name, site.tenantId) ? this.#pools.get(name) : undefined;
    const pool = seen ?? { name, owner: null, policy: null };
    const { standing, sentence } = judge(pool, site, this.ownedBy(site.tenantId).length > 0);
    if (isHad(standing)) return null;
    return new SystemError('forbidden', `/placement/pool: ${sentence}`, {
      errors: [{ pointer: '/placement/pool', detail: sentence }],
    });
  }

  /** Throws SystemError `forbidden` unless this tenant may let agents into the pool; `not-found` when it may not know of it. */
  checkEnrolment({ id, isOperator }: Tenant, name: string | null): void {
    if (isOperator) {
      const owner = name === null ? null : (this.#pools.get(name)?.owner ?? null);
      if (owner === null || owner === id) return;
      // Its owner answers for what runs there: nobody else puts machines into it.
      throw new SystemError('forbidden', `pool ${name} is tenant ${owner}'s, which alone lets agents into it`);
    }
    if (name === null) {
      throw new SystemError('forbidden', `tenant '${id}' does not operate this instance: name a pool of its own`);
    }
    this.#checkOwner(id, name);
  }

  #checkOwner(tenantId: string, name: string): Pool {
    const pool = this.#pools.get(name);
    if (pool === undefined || !this.isSeen(name, tenantId))
      throw new SystemError('not-found', `there is no pool ${name}`);
    if (pool.owner === tenantId) return pool;
    throw new SystemError('forbidden', `pool ${name} is not tenant ${tenantId}'s`);
  }

  /**
   * Changes a pool, or makes it when an operator asks; resolves when it is durable and holds here. SystemError `not-found`, `forbidden`,
   * `conflict` or `request-invalid`.
   */
  async change(asker: Tenant, name: string, change: PoolChange): Promise<Pool> {
    await this.readAgain();
    const before = this.#pools.get(name) ?? { name, owner: null, policy: null };
    if (!asker.isOperator) this.#checkOwner(asker.id, name);
    const { owner = before.owner } = change;
    checkOwnerChange(asker, before, owner);
    const isUnowned = before.owner !== owner;
    const policy = change.policy === undefined ? (isUnowned ? null : before.policy) : change.policy;
    if (change.policy !== undefined && owner !== null && owner !== asker.id)
      throw new SystemError('forbidden', `the policy of pool ${name} is set by its owner, tenant ${owner}`);
    const speaker = owner ?? asker.id;
    if (change.policy && change.policy.owner !== speaker) {
      const detail = `is ${change.policy.owner}; of pool ${name} it is ${speaker}`;
      throw new SystemError('request-invalid', `/policy/owner ${detail}`, {
        errors: [{ pointer: '/policy/owner', detail }],
      });
    }
    const pool: Pool = { name, owner, policy };
    if (!(await this.#deps.store.save(pool)))
      throw new SystemError('conflict', `pool ${name} has just become another tenant's`);
    this.#deps.log.info({ pool: name, owner, tenantId: asker.id, hasPolicy: policy !== null }, 'pool changed');
    await this.readAgain();
    this.#deps.tell();
    return pool;
  }
}

function checkOwnerChange(asker: Tenant, before: Pool, owner: string | null): void {
  if (owner === before.owner) return;
  const { name } = before;
  if (!asker.isOperator) throw new SystemError('forbidden', `the owner of pool ${name} is named by the operator, once`);
  if (before.owner !== null) {
    const detail = `pool ${name} is tenant ${before.owner}'s, and stays so: agents of its site are in it; make another one`;
    throw new SystemError('conflict', detail);
  }
  if (name === 'default') throw new SystemError('conflict', "pool default is the operator's; make another one");
}
