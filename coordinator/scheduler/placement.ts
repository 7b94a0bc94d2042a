/**
 * Owns the choice of an agent for a demand: pure, so that it can be simulated and explained.
 * Never grants anything. Holders of the layers win, then the most free slots, then the order of arrival.
 */
import type { AgentId } from '../../shared/ids.ts';

/** An agent as placement sees it. */
export interface Candidate {
  readonly id: AgentId;
  readonly architecture: string;
  readonly freeSlots: number;
  /** Tar digests of the layers that it holds. */
  readonly layers: ReadonlySet<string>;
}

/** What is to be placed. */
export interface PlacementDemand {
  readonly architecture: string;
  /** Tar digests, lowest first. */
  readonly layers: readonly string[];
}

/**
 * The agent to use, or null when it has to wait. Agents in `excluded` are used only when every fitting agent is in it, and then only
 * when `isPatient` is over, since what failed there a moment ago would fail again.
 */
export function place<Agent extends Candidate>(
  demand: PlacementDemand,
  agents: Iterable<Agent>,
  excluded: ReadonlySet<AgentId>,
  isPatient: boolean,
): Agent | null {
  const fitting = [...agents].filter((agent) => agent.architecture === demand.architecture);
  const others = fitting.filter((agent) => !excluded.has(agent.id));
  if (others.length === 0 && isPatient) return null;
  let best: Agent | null = null;
  let bestHeld = -1;
  for (const agent of others.length > 0 ? others : fitting) {
    if (agent.freeSlots <= 0) continue;
    const held = countHeld(demand.layers, agent.layers);
    const isBetter = held > bestHeld || (held === bestHeld && agent.freeSlots > (best?.freeSlots ?? 0));
    if (!isBetter) continue;
    best = agent;
    bestHeld = held;
  }
  return best;
}

function countHeld(layers: readonly string[], held: ReadonlySet<string>): number {
  let count = 0;
  for (const layer of layers) if (held.has(layer)) count += 1;
  return count;
}
