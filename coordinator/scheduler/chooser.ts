/**
 * Owns who takes a demand, and why nobody does: its tenant's own pools first, those of others when these have no room, within their owners' hours
 * and shares; never who has refused it. Never grants anything: the scheduler does.
 * Invariant: where no pool has an owner or a policy, this is placement over the whole fleet.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Obstacle } from '../../shared/model/placement.ts';
import { sharedSlots } from '../../shared/model/site-policy.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import { everywhere, isHad } from '../pools/pool-access.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { AgentGroup } from './fleet-index.ts';
import { type Hindered, listObstacles } from './obstacles.ts';
import { type Considered, type Placement, type PlacementTerms, place, placeAmong } from './placement.ts';
import type { PoolLoads } from './pool-loads.ts';
import type { Refusals } from './refusals.ts';
import type { Demand } from './scheduler.ts';

/** Who takes a demand, and whom placement looked at. */
export interface Choice {
  readonly agent: FleetAgent;
  readonly considered: readonly Considered[];
}

/** A demand that waits, as far as choosing goes. */
export interface Chooseable {
  readonly demand: Demand;
  readonly excluded: ReadonlySet<AgentId>;
  /** Agents that are not to have it at all. */
  readonly barred: ReadonlySet<AgentId>;
  /** When it began to wait. */
  readonly sinceMs: number;
  /** Until then it waits for an agent that it has not failed on. */
  readonly patientUntilMs: number;
}

/** Slots of a pool that tenants other than its owner may have together here, and those that they have not. */
export interface PoolShare {
  readonly slots: number;
  readonly free: number;
}

/** What choosing needs. */
export interface ChooserDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly fleet: Fleet;
  readonly pools: PoolGate;
  readonly loads: PoolLoads;
  readonly refusals: Refusals;
}

/** How long a demand waits for a busy agent that holds more of its layers. */
export const HOLDER_WAIT_MS = 50;

/** See the head of this file. */
export class Chooser {
  readonly #deps: ChooserDeps;

  constructor(deps: ChooserDeps) {
    this.#deps = deps;
  }

  /** An agent; `delayed`: soon; null: when something changes. */
  choose({ demand, excluded, barred, sinceMs, patientUntilMs }: Chooseable, nowMs: number): Choice | 'delayed' | null {
    const { random } = this.#deps;
    const refused = this.#deps.refusals.of(demand.site);
    const considered: Considered[] = [];
    const { agent, outcome } = this.#place(
      demand,
      {
        ...{ random, nowMs, excluded, barred: barred.size === 0 ? refused : new Set([...refused, ...barred]) },
        isPatient: nowMs < patientUntilMs,
        isDelayed: nowMs - sinceMs < HOLDER_WAIT_MS,
      },
      considered,
    );
    if (outcome === 'delayed') return outcome;
    return agent === null ? null : { agent, considered };
  }

  #place(demand: Demand, terms: PlacementTerms, considered: Considered[]): Placement<FleetAgent> {
    const { fleet, pools } = this.#deps;
    const access = pools.accessOf(demand.site);
    if (access === everywhere) return place(demand, fleet.index, terms, considered);
    const { own, others, isLimited } = fleet.index.graded(demand.constraints, access);
    const atHome = placeAmong(own, demand, fleet.index, terms, considered);
    if (atHome.outcome !== 'none') return atHome;
    const given = isLimited ? others.filter((group) => this.#isGiven(group, demand)) : others;
    return placeAmong(given, demand, fleet.index, terms, considered);
  }

  #isGiven({ pool }: AgentGroup<FleetAgent>, { site }: Demand): boolean {
    if (this.#deps.pools.accessOf(site).standingOf(pool) === 'open') return true;
    return this.#deps.pools.isWithinHours(pool) && this.shareOf(pool)?.free !== 0;
  }

  /** Null: others may have all of it. */
  shareOf(pool: string): PoolShare | null {
    const { pools, fleet, loads } = this.#deps;
    const policy = pools.policyOf(pool);
    if (policy?.sharePercentMax === undefined) return null;
    const slots = sharedSlots(policy, fleet.slotsOf(pool));
    return { slots, free: Math.max(0, slots - loads.othersIn(pool, policy.owner)) };
  }

  /** Agents that could ever take it. */
  countFitting({ constraints, site }: Demand): number {
    const { fleet, pools } = this.#deps;
    const { own, others } = fleet.index.graded(constraints, pools.accessOf(site));
    return [...own, ...others].reduce((sum, { all }) => sum + all.size, 0);
  }

  /** Is there another agent than this one that could take it? */
  hasOther({ constraints, site }: Demand, agentId: AgentId): boolean {
    const { fleet, pools, refusals } = this.#deps;
    const refused = refusals.of(site);
    const { own, others } = fleet.index.graded(constraints, pools.accessOf(site));
    for (const { all } of [...own, ...others]) {
      for (const { id, isDraining, isSilent } of all) {
        if (id !== agentId && !isDraining && !isSilent && !refused.has(id)) return true;
      }
    }
    return false;
  }

  /** What is in the way at each agent that its tenant may know of. */
  obstacles({ demand, excluded }: Chooseable): ReturnType<typeof listObstacles> {
    const { fleet, pools, refusals } = this.#deps;
    const { site } = demand;
    const barred = refusals.of(site);
    const seen = [...fleet.all()].filter(({ pool }) => pools.isSeen(pool, site.tenantId));
    return listObstacles(seen, demand, excluded, (agent) => [
      ...this.#atPool(agent, demand),
      ...(barred.has(agent.id) ? (['refused'] as const) : []),
    ]);
  }

  #atPool({ pool }: Hindered, { site }: Demand): Obstacle[] {
    const standing = this.#deps.pools.accessOf(site).standingOf(pool);
    if (!isHad(standing)) return [standing];
    if (standing !== 'limited') return [];
    const isLate = !this.#deps.pools.isWithinHours(pool);
    return [...(isLate ? (['hours'] as const) : []), ...(this.shareOf(pool)?.free === 0 ? (['share'] as const) : [])];
  }
}
