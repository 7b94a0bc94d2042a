/**
 * Owns finding agents without looking at all of them: by layer held, by what they are (architecture, pool, labels), and by having room.
 * Never decides (placement). What changes at an agent is told to it; nothing is polled.
 * Invariants: a group's `free` are exactly its agents with a free slot that take offers; holders of a layer are exactly those that say so.
 */
import type { AgentId } from '../../shared/ids.ts';
import type { PoolAccess, Standing } from '../pools/pool-access.ts';
import { AgentRing } from './agent-ring.ts';
import type { Candidate, Constraints } from './candidate.ts';
import { SampledSet } from './sampled-set.ts';

/** Agents that are the same to every constraint. */
export interface AgentGroup<Agent> {
  readonly architecture: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exclusiveCores: boolean;
  readonly understands: readonly string[];
  readonly all: Set<Agent>;
  readonly free: SampledSet<Agent>;
}

/** Groups that fit, by how they stand to whoever asks; what his own pools can't take others may. */
export interface GradedGroups<Agent> {
  readonly own: readonly AgentGroup<Agent>[];
  readonly others: readonly AgentGroup<Agent>[];
  /** Has one of the others hours or a share, to be looked at whenever it is asked? */
  readonly isLimited: boolean;
}

const none: readonly string[] = [];
/** A ring is made anew at most so often; who has left since is skipped. */
const RING_AGE_MS = 1000;
/** Constraints are clients' own words: answers to so many are remembered, and none to longer ones. */
const REMEMBERED_MAX = 4096;
const REMEMBERED_CHARACTERS_MAX = 4096;

/** See the head of this file. */
export class FleetIndex<Agent extends Candidate> {
  readonly #agents = new Map<AgentId, Agent>();
  readonly #groups = new Map<string, AgentGroup<Agent>>();
  readonly #groupOf = new Map<Agent, AgentGroup<Agent>>();
  readonly #holders = new Map<string, SampledSet<Agent>>();
  readonly #matching = new Map<string, readonly AgentGroup<Agent>[]>();
  #graded = new WeakMap<PoolAccess, Map<string, GradedGroups<Agent>>>();
  #gradings = 0;
  #ring: { readonly ring: AgentRing<Agent>; readonly madeAtMs: number } | null = null;
  #isRingStale = true;

  add(agent: Agent): void {
    const { architecture, pool, labels, exclusiveCores, understands = none } = agent;
    const key = JSON.stringify([
      architecture,
      pool,
      exclusiveCores,
      understands,
      Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { architecture, pool, labels, exclusiveCores, understands, all: new Set(), free: new SampledSet() };
      this.#groups.set(key, group);
      this.#forgetMatches();
    }
    group.all.add(agent);
    this.#agents.set(agent.id, agent);
    this.#groupOf.set(agent, group);
    this.#isRingStale = true;
    for (const layer of agent.layers) this.held(agent, layer);
    this.changed(agent);
  }

  remove(agent: Agent): void {
    const group = this.#groupOf.get(agent);
    if (group === undefined) return;
    group.all.delete(agent);
    this.#agents.delete(agent.id);
    group.free.delete(agent);
    this.#groupOf.delete(agent);
    this.#isRingStale = true;
    for (const layer of agent.layers) this.dropped(agent, layer);
    if (group.all.size > 0) return;
    for (const [key, each] of this.#groups) if (each === group) this.#groups.delete(key);
    this.#forgetMatches();
  }

  #forgetMatches(): void {
    this.#matching.clear();
    this.#graded = new WeakMap();
    this.#gradings = 0;
  }

  /** Makes room for an answer under this key; false: it is not to be remembered. */
  #isRemembered(key: string, count: number): boolean {
    if (count >= REMEMBERED_MAX) this.#forgetMatches();
    return key.length <= REMEMBERED_CHARACTERS_MAX;
  }

  /** The agent's room may be another one now. */
  changed(agent: Agent): void {
    const group = this.#groupOf.get(agent);
    if (agent.freeSlots > 0) group?.free.add(agent);
    else group?.free.delete(agent);
  }

  held(agent: Agent, layer: string): void {
    if (!this.#groupOf.has(agent)) return;
    const holders = this.#holders.get(layer) ?? new SampledSet<Agent>();
    holders.add(agent);
    this.#holders.set(layer, holders);
  }

  dropped(agent: Agent, layer: string): void {
    const holders = this.#holders.get(layer);
    if (holders?.delete(agent) && holders.size === 0) this.#holders.delete(layer);
  }

  /** Who holds this layer; undefined when nobody does. */
  holders(layer: string): SampledSet<Agent> | undefined {
    return this.#holders.get(layer);
  }

  find(id: AgentId): Agent | undefined {
    return this.#agents.get(id);
  }

  /** Is this agent, which is known here, one of these groups'? */
  isIn(agent: Agent, groups: readonly AgentGroup<Agent>[]): boolean {
    // Most fleets are of one kind, and finding an agent's group among thousands is what placing would cost most.
    if (groups.length === this.#groups.size) return true;
    const group = this.#groupOf.get(agent);
    return group !== undefined && groups.includes(group);
  }

  /** All groups. */
  groups(): IterableIterator<AgentGroup<Agent>> {
    return this.#groups.values();
  }

  /** The groups that fit; `key` is the constraints' own text. */
  matching(constraints: Constraints): readonly AgentGroup<Agent>[] {
    const { key } = constraints;
    const known = this.#matching.get(key);
    if (known !== undefined) return known;
    const found = [...this.#groups.values()].filter((group) => fits(group, constraints));
    if (this.#isRemembered(key, this.#matching.size)) this.#matching.set(key, found);
    return found;
  }

  /** The groups that fit and may be had. */
  graded(constraints: Constraints, access: PoolAccess): GradedGroups<Agent> {
    const known = this.#graded.get(access)?.get(constraints.key);
    if (known !== undefined) return known;
    const standings = this.matching(constraints).map((group) => [group, access.standingOf(group.pool)] as const);
    const all = (isWanted: (standing: Standing) => boolean) =>
      standings.flatMap(([group, standing]) => (isWanted(standing) ? [group] : []));
    const found: GradedGroups<Agent> = {
      own: all((standing) => standing === 'own'),
      others: all((standing) => standing === 'open' || standing === 'limited'),
      isLimited: standings.some(([, standing]) => standing === 'limited'),
    };
    if (!this.#isRemembered(constraints.key, this.#gradings)) return found;
    this.#gradings += 1;
    const ofAccess = this.#graded.get(access) ?? new Map<string, GradedGroups<Agent>>();
    this.#graded.set(access, ofAccess.set(constraints.key, found));
    return found;
  }

  /** Has any agent under the constraints of this key a free slot? Keys that were never matched may have. */
  isOpen(constraintsKey: string): boolean {
    return this.#matching.get(constraintsKey)?.some(({ free }) => free.size > 0) ?? true;
  }

  /** Agents that are at home for a layer, in its own order; for whoever is to fetch it first. */
  homes(layer: string, count: number, nowMs: number): Agent[] {
    const isDue = this.#ring === null || (this.#isRingStale && nowMs - this.#ring.madeAtMs >= RING_AGE_MS);
    if (isDue) {
      this.#ring = { ring: new AgentRing([...this.#groupOf.keys()]), madeAtMs: nowMs };
      this.#isRingStale = false;
    }
    return this.#ring?.ring.homes(layer, count).filter((agent) => this.#groupOf.has(agent)) ?? [];
  }
}

/** Do agents of this kind fit? */
export function fits(
  { architecture, pool, labels, exclusiveCores, understands }: Omit<AgentGroup<unknown>, 'all' | 'free'>,
  wanted: Omit<Constraints, 'key'>,
): boolean {
  return (
    architecture === wanted.architecture &&
    (wanted.pool === null || pool === wanted.pool) &&
    (exclusiveCores || !wanted.exclusiveCore) &&
    (wanted.needs ?? none).every((needed) => understands.includes(needed)) &&
    Object.entries(wanted.labels).every(([name, value]) => labels[name] === value)
  );
}
