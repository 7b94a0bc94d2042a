/**
 * Owns saying why an execution is where it is, from what placement looked at. Never looks at agents itself. Pure.
 */
import { toTimestamp } from '../../shared/clock.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import type { Constraints } from '../scheduler/candidate.ts';
import type { Considered } from '../scheduler/placement.ts';

/** One placement of an execution. */
export interface Attempt {
  readonly agent: AgentFacts;
  readonly placedAtMs: number;
  readonly considered: readonly Considered[];
}

/** The answer about an execution on this many layers; `waiting` is null when it does not wait for an agent. */
export function toPlacementAnswer(
  { architecture, pool, labels, exclusiveCore }: Omit<Constraints, 'key' | 'needs'>,
  layers: number,
  attempts: readonly Attempt[],
  waiting: PlacementAnswer['waiting'],
): PlacementAnswer {
  return {
    constraints: {
      architecture: architecture === 'x86_64' || architecture === 'aarch64' ? architecture : null,
      pool,
      labels: { ...labels },
      exclusiveCore,
    },
    layers,
    attempts: attempts.map(({ agent, placedAtMs, considered }) => ({
      agent: { id: agent.id, name: agent.name, pool: agent.pool },
      placedAt: toTimestamp(placedAtMs),
      considered: considered.map(({ agentId, ...rest }) => ({ agent: agentId, ...rest })),
    })),
    waiting,
  };
}
