/**
 * Owns the port between executions and agents: a demand goes in, a listener hears what becomes of it.
 * Never knows HTTP, sockets or verdicts. Implementations: first-come-scheduler.
 * Invariant: every demand that was submitted and not withdrawn ends with exactly one `completed` or `gaveUp`.
 */
import type { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import type { PlacementDemand } from './placement.ts';

/** Output of a script while it runs; `data` is base64. */
export interface LeaseOutput {
  readonly script: 'compile' | 'run';
  readonly stream: 'stdout' | 'stderr';
  readonly data: string;
}

/** How far an agent is with fetching the layers of a lease; bytes of compressed blobs. */
export interface LeaseFetching {
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** Who wants to know what becomes of a demand. */
export interface DemandListener {
  placed(executionId: ExecutionId, agent: AgentFacts): void;
  started(executionId: ExecutionId): void;
  fetching(executionId: ExecutionId, fetching: LeaseFetching): void;
  output(executionId: ExecutionId, output: LeaseOutput): void;
  requeued(executionId: ExecutionId, cause: SystemError): void;
  /** The result is the listener's now; the agent forgets it only after the promise has resolved. */
  completed(executionId: ExecutionId, result: LeaseResultMessage): Promise<void> | undefined;
  gaveUp(executionId: ExecutionId, cause: SystemError): void;
}

/** One execution that wants an agent. */
export interface Demand extends PlacementDemand {
  readonly executionId: ExecutionId;
  readonly tenantId: string;
  /** Made when an agent has been chosen, so that URLs are fresh. */
  order(): LeaseOrderMessage;
  readonly listener: DemandListener;
}

/** Chooses agents for demands. */
export interface Scheduler {
  submit(demand: Demand): void;
  /** Ends a demand wherever it is; nothing is heard of it afterwards. Idempotent. */
  withdraw(executionId: ExecutionId): void;
  /** Demands that wait for an agent. */
  readonly depth: number;
  /** Leases that are out. */
  readonly running: number;
  /** Whole seconds after which a refused client may try again. */
  retryAfterSeconds(): number;
}

/** What agents' sessions tell the scheduler. */
export interface LeaseEvents {
  joined(agentId: AgentId): void;
  left(agentId: AgentId): void;
  /** The agent's current leases; answers the ones that it is to end, or null when both agree. */
  reported(agentId: AgentId, leases: readonly { lease: string; fence: number }[]): readonly string[] | null;
  accepted(agentId: AgentId, lease: string): void;
  refused(agentId: AgentId, lease: string, reason: string): void;
  started(agentId: AgentId, lease: string): void;
  fetching(agentId: AgentId, lease: string, fetching: LeaseFetching): void;
  output(agentId: AgentId, lease: string, output: LeaseOutput): void;
  /** Resolves when the agent may forget the result. */
  completed(agentId: AgentId, lease: string, fence: number, result: LeaseResultMessage): Promise<void> | undefined;
}
