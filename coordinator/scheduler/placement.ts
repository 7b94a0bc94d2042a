/**
 * Owns the choice of an agent for a demand: pure but for the chance that it is given, so that it can be simulated and explained.
 * Never grants anything, and looks at a handful of agents however many there are: four holders of the rarest layer, two homes of it while it
 * is rare, two by chance (power of two choices, Mitzenmacher 1996); in a small fleet at all of them.
 * A demand whose layers are on busy agents only waits a moment for one of them (delay scheduling, Zaharia et al. 2010) rather than have
 * them fetched again elsewhere.
 */
import type { Random } from '../../shared/clock.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Consideration } from '../../shared/model/placement.ts';
import type { Candidate, Constraints } from './candidate.ts';
import type { AgentGroup, FleetIndex } from './fleet-index.ts';

/** What is to be placed. */
export interface PlacementDemand {
  readonly constraints: Constraints;
  /** Tar digests, lowest first. */
  readonly layers: readonly string[];
  /** Memory that it is promised; bytes. */
  readonly memoryBytes: number;
  /** What its layers weigh together; bytes. */
  readonly diskBytes: number;
}

/** What placement takes from the moment. */
export interface PlacementTerms {
  readonly random: Pick<Random, 'next'>;
  readonly nowMs: number;
  /** Agents on which it has failed: used only when every fitting one is among them. */
  readonly excluded: ReadonlySet<AgentId>;
  /** Agents that are not to have it at all; absent: none. */
  readonly barred?: ReadonlySet<AgentId>;
  /** Is it to wait rather than to go to one of those? */
  readonly isPatient: boolean;
  /** Is it to wait for a holder that is busy? */
  readonly isDelayed: boolean;
}

/** One agent that was looked at. */
export interface Considered {
  readonly agentId: AgentId;
  readonly layersHeld: number;
  readonly load: number;
  readonly outcome: Consideration;
}

/** What came of it: an agent; `delayed`: soon; `none`: when something changes. */
export type Placement<Agent> =
  | { readonly agent: Agent; readonly outcome: 'chosen' }
  | { readonly agent: null; readonly outcome: 'delayed' | 'none' };

const HOLDER_PROBES = 4;
const CHANCES = 2;
const HOMES = 2;
/** While fewer agents hold a layer, its homes are asked first. */
const HOLDERS_TARGET = 2;
/** A holder of everything with so much room is good enough: no other is looked for. */
const EASY = 0.5;
/** Holders of everything that are busier than this don't end the search for one that is not. */
const BUSY = 0.9;
/** Up to so many agents are all looked at. */
const SMALL_FLEET = 8;
/** How often chance is tried when what it drew has no room. */
const DRAWS_MAX = 64;

const none = { agent: null, outcome: 'none' } as const;
const delayed = { agent: null, outcome: 'delayed' } as const;

/** Chooses an agent; whom it looked at is added to `considered` when that is given. */
export function place<Agent extends Candidate>(
  demand: PlacementDemand,
  fleet: FleetIndex<Agent>,
  terms: PlacementTerms,
  considered: Considered[] | null = null,
): Placement<Agent> {
  return placeAmong(fleet.matching(demand.constraints), demand, fleet, terms, considered);
}

/** The same among the agents of these groups. */
export function placeAmong<Agent extends Candidate>(
  groups: readonly AgentGroup<Agent>[],
  demand: PlacementDemand,
  fleet: FleetIndex<Agent>,
  terms: PlacementTerms,
  considered: Considered[] | null = null,
): Placement<Agent> {
  let agents = 0;
  for (const { all } of groups) agents += all.size;
  if (agents === 0) return none;
  const avoided = whomToAvoid(fleet, groups, agents, terms);
  if (avoided === null) return none;
  const look = new Look<Agent>(demand, avoided);
  const rarest = rarestHeld(demand, fleet);
  if (agents <= SMALL_FLEET) for (const { all } of groups) for (const agent of all) look.at(agent);
  else probe(look, { demand, fleet, groups, rarest }, terms);
  const placement = decide(look, terms.isDelayed);
  if (considered !== null) tell(look, demand, placement.agent, terms.barred ?? nobody, considered);
  return placement;
}

const nobody: ReadonlySet<AgentId> = new Set();

/** Who is passed over; null: the demand is to wait. */
function whomToAvoid<Agent extends Candidate>(
  fleet: FleetIndex<Agent>,
  groups: readonly AgentGroup<Agent>[],
  agents: number,
  { excluded, barred = nobody, isPatient }: PlacementTerms,
): ReadonlySet<AgentId> | null {
  const either = barred.size === 0 ? excluded : new Set([...excluded, ...barred]);
  if (countAvoided(fleet, groups, either) < agents) return either;
  return isPatient || countAvoided(fleet, groups, barred) === agents ? null : barred;
}

function countAvoided<Agent extends Candidate>(
  fleet: FleetIndex<Agent>,
  groups: readonly AgentGroup<Agent>[],
  excluded: ReadonlySet<AgentId>,
): number {
  let count = 0;
  if (excluded.size === 0) return count;
  for (const id of excluded) {
    const agent = fleet.find(id);
    if (agent !== undefined && fleet.isIn(agent, groups)) count += 1;
  }
  return count;
}

/** The layer with the fewest holders of those that have any; the upper one of two. */
function rarestHeld<Agent extends Candidate>({ layers }: PlacementDemand, fleet: FleetIndex<Agent>): string | null {
  let rarest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (let index = layers.length - 1; index >= 0; index -= 1) {
    const layer = layers[index] as string;
    const holders = fleet.holders(layer)?.size ?? 0;
    if (holders === 0 || holders >= least) continue;
    rarest = layer;
    least = holders;
  }
  return rarest;
}

interface Ground<Agent extends Candidate> {
  readonly demand: PlacementDemand;
  readonly fleet: FleetIndex<Agent>;
  readonly groups: readonly AgentGroup<Agent>[];
  readonly rarest: string | null;
}

/** Looks at a few holders, then at homes and chance when none of them will do. */
function probe<Agent extends Candidate>(
  look: Look<Agent>,
  { demand, fleet, groups, rarest }: Ground<Agent>,
  { random, nowMs }: PlacementTerms,
): void {
  const holders = rarest === null ? undefined : fleet.holders(rarest);
  if (holders !== undefined) {
    const isFew = holders.size <= HOLDER_PROBES;
    for (let count = 0; count < Math.min(holders.size, HOLDER_PROBES); count += 1) {
      const agent = isFew ? holders.values()[count] : holders.draw(random);
      if (agent !== undefined && fleet.isIn(agent, groups)) look.at(agent, rarest);
      if (look.isContent(EASY)) return;
    }
  }
  if (look.isContent(BUSY)) return;
  const top = demand.layers.at(-1);
  if (top !== undefined && (fleet.holders(top)?.size ?? 0) < HOLDERS_TARGET) {
    for (const agent of fleet.homes(top, HOMES, nowMs)) if (fleet.isIn(agent, groups)) look.at(agent);
  }
  let found = 0;
  for (let draws = 0; draws < DRAWS_MAX && found < CHANCES; draws += 1) {
    const agent = drawFree(groups, random);
    if (agent === undefined) return;
    if (look.at(agent)) found += 1;
  }
  // Chance found nobody: where only a few have the memory, all are looked at before a demand is left waiting.
  if (look.best === null) for (const { free } of groups) for (const agent of free.values()) look.at(agent);
}

/** One with room by chance, from groups by how many they have. */
function drawFree<Agent extends Candidate>(
  groups: readonly AgentGroup<Agent>[],
  random: Pick<Random, 'next'>,
): Agent | undefined {
  const [only] = groups;
  if (only !== undefined && groups.length === 1) return only.free.draw(random);
  let left = Math.floor(random.next() * groups.reduce((sum, { free }) => sum + free.size, 0));
  for (const { free } of groups) {
    if (left < free.size) return free.values()[left];
    left -= free.size;
  }
  return undefined;
}

/** What has been looked at so far, and the best of it. */
class Look<Agent extends Candidate> {
  readonly seen: Agent[] = [];
  readonly avoided: ReadonlySet<AgentId>;
  best: Agent | null = null;
  bestHeld = -1;
  /** The most layers that one who has no room holds. */
  busyHeld = 0;
  readonly #demand: PlacementDemand;

  constructor(demand: PlacementDemand, avoided: ReadonlySet<AgentId>) {
    this.#demand = demand;
    this.avoided = avoided;
  }

  /** Has one been found that has all the layers, and at most this load? */
  isContent(load: number): boolean {
    return this.best !== null && this.bestHeld === this.#demand.layers.length && this.best.load <= load;
  }

  /** Looks at an agent, which is known to hold this layer already; true when it could be taken. */
  at(agent: Agent, holds: string | null = null): boolean {
    if (this.seen.includes(agent)) return false;
    this.seen.push(agent);
    const held = countHeld(this.#demand, agent, holds);
    if (!isPossible(this.#demand, agent, this.avoided)) {
      if (!this.avoided.has(agent.id)) this.busyHeld = Math.max(this.busyHeld, held);
      return false;
    }
    if (this.best === null || held > this.bestHeld || (held === this.bestHeld && hasMoreRoom(agent, this.best))) {
      this.best = agent;
      this.bestHeld = held;
    }
    return true;
  }
}

function hasMoreRoom(agent: Candidate, other: Candidate): boolean {
  return agent.load !== other.load ? agent.load < other.load : agent.freeSlots > other.freeSlots;
}

function decide<Agent extends Candidate>(
  { best, bestHeld, busyHeld }: Look<Agent>,
  isDelayed: boolean,
): Placement<Agent> {
  if (best === null) return none;
  return isDelayed && busyHeld > bestHeld ? delayed : { agent: best, outcome: 'chosen' };
}

function countHeld({ layers }: PlacementDemand, agent: Candidate, holds: string | null): number {
  let held = 0;
  for (const layer of layers) if (layer === holds || agent.layers.has(layer)) held += 1;
  return held;
}

function isPossible(demand: PlacementDemand, agent: Candidate, avoided: ReadonlySet<AgentId>): boolean {
  return agent.freeSlots > 0 && hasRoom(demand, agent) && !avoided.has(agent.id);
}

/** Has an agent the memory and the disk for a demand? */
function hasRoom({ memoryBytes, diskBytes }: PlacementDemand, agent: Candidate): boolean {
  return agent.freeMemoryBytes >= memoryBytes && agent.diskBytes >= diskBytes;
}

/** Whom placement looked at, and what came of each. */
function tell<Agent extends Candidate>(
  { seen, avoided, bestHeld }: Look<Agent>,
  demand: PlacementDemand,
  chosen: Agent | null,
  barred: ReadonlySet<AgentId>,
  considered: Considered[],
): void {
  for (const agent of seen) {
    const layersHeld = countHeld(demand, agent, null);
    const outcome = judge(agent, chosen, layersHeld < bestHeld, isPossible(demand, agent, avoided), avoided);
    considered.push({
      ...{ agentId: agent.id, layersHeld, load: agent.load },
      outcome: barred.has(agent.id) ? 'refused' : outcome,
    });
  }
}

function judge(
  agent: Candidate,
  chosen: Candidate | null,
  hasFewer: boolean,
  isFree: boolean,
  avoided: ReadonlySet<AgentId>,
): Consideration {
  if (agent === chosen) return 'chosen';
  if (avoided.has(agent.id)) return 'failed-before';
  if (!isFree) return 'full';
  // With nobody chosen it is a busy one that holds more and is waited for.
  return hasFewer || chosen === null ? 'fewer-layers' : 'busier';
}
