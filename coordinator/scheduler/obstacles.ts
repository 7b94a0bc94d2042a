/**
 * Owns saying what keeps agents from taking a demand that waits. Looks at every agent, so it is for whoever asks, not for placing. Pure.
 */
import type { AgentId } from '../../shared/ids.ts';
import type { Obstacle, PlacementAnswer } from '../../shared/model/placement.ts';
import type { Candidate } from './candidate.ts';
import type { PlacementDemand } from './placement.ts';

/** An agent as far as it can be in the way of itself. */
export interface Hindered extends Candidate {
  readonly isDraining: boolean;
  readonly isResting: boolean;
  readonly isSilent: boolean;
}

/** What is in the way beyond the agent itself: at its pool, or because it has refused this. */
export type ForeignObstacles = (agent: Hindered) => readonly Obstacle[];

/** How many agents an explanation lists. */
const LISTED_MAX = 100;

/** What is in the way, agent by agent. */
export function listObstacles(
  agents: readonly Hindered[],
  demand: PlacementDemand,
  excluded: ReadonlySet<AgentId>,
  foreign: ForeignObstacles = () => [],
): Omit<NonNullable<PlacementAnswer['waiting']>, 'forecastMs'> {
  return {
    agents: agents.slice(0, LISTED_MAX).map((agent) => ({
      agent: agent.id,
      obstacles: [...findObstacles(agent, demand, excluded), ...foreign(agent)],
    })),
    agentsNotShown: Math.max(0, agents.length - LISTED_MAX),
  };
}

/** Everything that keeps an agent from taking a demand now; nothing when it could. */
function findObstacles(
  agent: Hindered,
  { constraints, memoryBytes, diskBytes }: PlacementDemand,
  excluded: ReadonlySet<AgentId>,
): Obstacle[] {
  const { architecture, pool, labels, exclusiveCore, needs = [] } = constraints;
  const found: readonly (readonly [Obstacle, boolean])[] = [
    ['architecture', agent.architecture !== architecture],
    ['pool', pool !== null && agent.pool !== pool],
    ['labels', Object.entries(labels).some(([name, value]) => agent.labels[name] !== value)],
    ['exclusive-core', exclusiveCore && !agent.exclusiveCores],
    ['release', needs.some((needed) => agent.understands?.includes(needed) !== true)],
    ['draining', agent.isDraining],
    ['resting', agent.isResting && !agent.isSilent],
    ['silent', agent.isSilent],
    ['full', !agent.isDraining && !agent.isResting && agent.freeSlots <= 0],
    ['memory', agent.freeMemoryBytes < memoryBytes],
    ['disk', agent.diskBytes < diskBytes],
    ['failed-before', excluded.has(agent.id)],
  ];
  return found.flatMap(([obstacle, isThere]) => (isThere ? [obstacle] : []));
}
