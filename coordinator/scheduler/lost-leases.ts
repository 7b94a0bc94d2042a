/**
 * Owns which demands may have taken agents down: whose agent went silent while it ran them, and did not come back. An agent that does come back
 * with the lease was merely cut off, and its demand is cleared of it.
 * Never ends anything. Invariant: an agent counts once against a demand, and only while it is gone.
 */
import type { AgentId, ExecutionId } from '../../shared/ids.ts';

interface Loss {
  readonly executionId: ExecutionId;
  readonly agentId: AgentId;
}

/** Demands and the agents that were lost with them. */
export class LostLeases {
  readonly #losses = new Map<string, Loss>();
  readonly #agentsOf = new Map<ExecutionId, Set<AgentId>>();

  /** An agent was lost with this lease; how many different ones were lost with the demand by now. */
  lost(leaseId: string, executionId: ExecutionId, agentId: AgentId): number {
    this.#losses.set(leaseId, { executionId, agentId });
    const agents = this.#agentsOf.get(executionId) ?? new Set<AgentId>();
    this.#agentsOf.set(executionId, agents.add(agentId));
    return agents.size;
  }

  /** The agent is there, and knows the lease: it was not taken down. */
  survived(leaseId: string, agentId: AgentId): void {
    const loss = this.#losses.get(leaseId);
    if (loss?.agentId !== agentId) return;
    this.#losses.delete(leaseId);
    this.#agentsOf.get(loss.executionId)?.delete(agentId);
  }

  /** The demand is over. */
  forget(executionId: ExecutionId): void {
    if (!this.#agentsOf.delete(executionId)) return;
    for (const [leaseId, loss] of this.#losses) if (loss.executionId === executionId) this.#losses.delete(leaseId);
  }
}
