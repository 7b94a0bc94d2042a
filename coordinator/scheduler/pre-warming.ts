/**
 * Owns bringing layers to agents before a demand has to wait for them there: an environment that is asked for often gets as many copies as its
 * use needs, on its homes in their order.
 * Never places a demand and never holds one up; what it asks for is a prefetch like an operator's.
 * Invariants: at most `copiesAtOnceMax` agents fetch the same environment because of this at the same time; nothing is copied for what was asked
 * for a few times only.
 */
import type { Clock } from '../../shared/clock.ts';
import type { AgentId } from '../../shared/ids.ts';
import { everywhere, type PoolAccess } from '../pools/pool-access.ts';
import type { Candidate, Constraints } from './candidate.ts';
import type { AgentGroup, FleetIndex } from './fleet-index.ts';

/** An environment as far as it is brought to agents. */
export interface Wanted {
  readonly id: string;
  /** Tar digests, lowest first. */
  readonly digests: readonly string[];
}

/** What pre-warming talks to. */
export interface PreWarmingDeps<Environment extends Wanted> {
  readonly clock: Clock;
  readonly index: FleetIndex<Candidate & { readonly slots: number }>;
  /** Asks these agents to get an environment's layers. */
  readonly prefetch: (environment: Environment, agentIds: readonly AgentId[]) => void;
}

/** Bounds. */
export interface PreWarmingOptions {
  /** 0: nothing is brought anywhere. */
  readonly copiesAtOnceMax: number;
}

type Groups = readonly AgentGroup<Candidate & { readonly slots: number }>[];

interface Use {
  /** Demands of the last minute or so, older ones counting less. */
  recent: number;
  atMs: number;
  meanMs: number;
  lookedAtMs: number;
  /** Agents that were asked, until they have it or have had time to. */
  readonly asked: Map<AgentId, number>;
}

/** An old demand counts e times less after it. */
const MEMORY_MS = 30_000;
const LOOK_MS = 1000;
const ASKED_MS = 60_000;
const DEMANDS_MIN = 3;
/** Part of its slots that an agent's copies are meant for. */
const SHARE = 0.7;
const FIRST_MEAN_MS = 1000;
const REMEMBERED_MAX = 4096;
/** Of so many agents the slots are looked at while none holds the layers yet. */
const SAMPLE = 32;

/** See the head of this file. */
export class PreWarming<Environment extends Wanted> {
  readonly #deps: PreWarmingDeps<Environment>;
  readonly #options: PreWarmingOptions;
  readonly #uses = new Map<string, Use>();

  constructor(deps: PreWarmingDeps<Environment>, options: PreWarmingOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** A demand for this environment was placed. */
  placed(environment: Environment, constraints: Constraints, access: PoolAccess = everywhere): void {
    if (this.#options.copiesAtOnceMax === 0) return;
    const nowMs = this.#deps.clock.monotonicMs();
    const use = this.#useOf(environment.id, nowMs);
    use.recent = use.recent * Math.exp((use.atMs - nowMs) / MEMORY_MS) + 1;
    use.atMs = nowMs;
    if (use.recent < DEMANDS_MIN || nowMs - use.lookedAtMs < LOOK_MS) return;
    use.lookedAtMs = nowMs;
    this.#bring(environment, this.#groups(constraints, access), use, nowMs);
  }

  /** One took this long; milliseconds. */
  took(environmentId: string, durationMs: number): void {
    const use = this.#uses.get(environmentId);
    if (use !== undefined) use.meanMs += (durationMs - use.meanMs) / 8;
  }

  #useOf(id: string, nowMs: number): Use {
    const known = this.#uses.get(id);
    const fresh = { recent: 0, atMs: nowMs, meanMs: FIRST_MEAN_MS, lookedAtMs: -LOOK_MS, asked: new Map() };
    const use: Use = known ?? fresh;
    // The least recently used one goes first.
    this.#uses.delete(id);
    this.#uses.set(id, use);
    const [oldest] = this.#uses.keys();
    if (this.#uses.size > REMEMBERED_MAX && oldest !== undefined) this.#uses.delete(oldest);
    return use;
  }

  /** Agents that its tenant could use: nobody else is given its layers. */
  #groups(constraints: Constraints, access: PoolAccess): Groups {
    const { index } = this.#deps;
    if (access === everywhere) return index.matching(constraints);
    const { own, others } = index.graded(constraints, access);
    return [...own, ...others];
  }

  #bring(environment: Environment, groups: Groups, use: Use, nowMs: number): void {
    const { index, prefetch } = this.#deps;
    const top = environment.digests.at(-1);
    if (top === undefined) return;
    const agents = groups.reduce((sum, { all }) => sum + all.size, 0);
    for (const [id, askedAtMs] of use.asked) if (nowMs - askedAtMs > ASKED_MS) use.asked.delete(id);
    const holders = index.holders(top);
    const held = holders?.values().filter((agent) => index.isIn(agent, groups)) ?? [];
    for (const { id } of held) use.asked.delete(id);
    const slots = meanSlots(held.length > 0 ? held : firstOf(groups));
    const perSecond = use.recent / (MEMORY_MS / 1000);
    const target = Math.min(agents, Math.ceil((perSecond * (use.meanMs / 1000)) / (SHARE * slots)) + 1);
    const missing = Math.min(target - held.length, this.#options.copiesAtOnceMax) - use.asked.size;
    if (missing <= 0) return;
    const chosen = index
      .homes(top, target + use.asked.size + missing, nowMs)
      .filter((agent) => index.isIn(agent, groups) && !agent.layers.has(top) && !use.asked.has(agent.id))
      .slice(0, missing)
      .map(({ id }) => id);
    if (chosen.length === 0) return;
    for (const id of chosen) use.asked.set(id, nowMs);
    prefetch(environment, chosen);
  }
}

function firstOf<Agent>(groups: readonly AgentGroup<Agent>[]): Agent[] {
  const found: Agent[] = [];
  for (const { all } of groups) {
    for (const agent of all) {
      if (found.length === SAMPLE) return found;
      found.push(agent);
    }
  }
  return found;
}

function meanSlots(agents: readonly { readonly slots: number }[]): number {
  if (agents.length === 0) return 1;
  return Math.max(1, agents.reduce((sum, { slots }) => sum + slots, 0) / agents.length);
}
