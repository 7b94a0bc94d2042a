/**
 * Owns the port between executions and agents: a demand goes in, a listener hears what becomes of it.
 * Never knows HTTP, sockets or verdicts. Implementation: fair-scheduler.
 * Invariant: every demand that was submitted and not withdrawn ends with exactly one `completed` or `gaveUp`.
 */
import type { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { Rerun } from '../../shared/model/timing-certificate.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import type { TerminalCommand, TerminalNews } from '../../shared/protocol/terminal-flow.ts';
import type { AgentFacts } from '../agents/fleet.ts';
import type { SiteCase } from '../pools/site-case.ts';
import type { Lease } from './leases.ts';
import type { Considered, PlacementDemand } from './placement.ts';
import type { PolicyObjection } from './refusals.ts';

/** Output of a script while it runs; `data` is base64. */
export interface LeaseOutput {
  readonly script: 'compile' | 'run';
  readonly stream: 'stdout' | 'stderr';
  readonly data: string;
}

/** A test of a lease that is over. */
export interface LeaseTest {
  readonly index: number;
  readonly test: TestResult;
}

/** How far an agent is with fetching the layers of a lease; bytes of compressed blobs. */
export interface LeaseFetching {
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** A result, and what it took to have it. */
export interface DemandResult extends LeaseResultMessage {
  /** Its first result was dirty and near a limit. */
  readonly rerun?: Rerun;
}

/** Who wants to know what becomes of a demand. */
export interface DemandListener {
  placed(executionId: ExecutionId, agent: AgentFacts, considered: readonly Considered[]): void;
  started(executionId: ExecutionId): void;
  fetching(executionId: ExecutionId, fetching: LeaseFetching): void;
  output(executionId: ExecutionId, output: LeaseOutput): void;
  tested(executionId: ExecutionId, test: LeaseTest): void;
  /** The terminal of its lease has something to say. */
  told(executionId: ExecutionId, news: TerminalNews): void;
  requeued(executionId: ExecutionId, cause: SystemError): void;
  /** The result is the listener's now; the agent forgets it only after the promise has resolved. */
  completed(executionId: ExecutionId, result: DemandResult): Promise<void> | undefined;
  gaveUp(executionId: ExecutionId, cause: SystemError): void;
}

/** One execution that wants an agent. */
export interface Demand extends PlacementDemand {
  readonly executionId: ExecutionId;
  readonly tenantId: string;
  /** The tenant's share of the machines in relation to others. */
  readonly weight: number;
  /** It as pools and their owners see it. */
  readonly site: SiteCase;
  /** What its duration is learnt by: demands of one kind take about as long. */
  readonly kind: string;
  /** No script of it may run longer together, in milliseconds. */
  readonly durationMsMax: number;
  /** How long it may wait for an agent, in milliseconds. */
  readonly waitMsMax: number;
  /** Made when an agent has been chosen, so that URLs are fresh. */
  order(): LeaseOrderMessage;
  readonly listener: DemandListener;
}

/** Chooses agents for demands. */
export interface Scheduler {
  submit(demand: Demand): void;
  /** Ends a demand wherever it is; nothing is heard of it afterwards. Idempotent. */
  withdraw(executionId: ExecutionId): void;
  /** Something for the terminal of its lease; lost when it has none now. */
  command(executionId: ExecutionId, command: TerminalCommand): void;
  /** Demands that wait for an agent. */
  readonly depth: number;
  /** Leases that are out. */
  readonly running: number;
  /** Why a demand still waits; null when it does not. */
  explain(executionId: ExecutionId): PlacementAnswer['waiting'];
  /** What a further demand of this tenant would have to expect. */
  forecast(tenantId: string, weight: number): Forecast;
}

/** How long a demand would wait, by what is known now; milliseconds. */
export interface Forecast {
  /** Slots of all connected agents; with none there is nothing to go by. */
  readonly slots: number;
  readonly waitMs: number;
  /** How much longer for each demand more that waits before it. */
  readonly meanMs: number;
}

const RETRY_SECONDS_MAX = 60;

/** A Retry-After for a time in milliseconds: whole seconds, at least one and at most a minute. */
export function toRetrySeconds(waitMs: number): number {
  return Math.min(RETRY_SECONDS_MAX, Math.max(1, Math.ceil(waitMs / 1000)));
}

/** Looks at the result of a lease on these layers before it counts: why it does not, or null. */
export type ResultCheck = (
  lease: Pick<Lease, 'id' | 'fence' | 'agentId' | 'order'>,
  layers: readonly string[],
  result: LeaseResultMessage,
) => SystemError | null;

/** Tells a demand's listener of something. */
export type LeaseNews = (listener: DemandListener, executionId: ExecutionId) => void;

/** What agents' sessions tell the scheduler. */
export interface LeaseEvents {
  joined(agentId: AgentId): void;
  left(agentId: AgentId): void;
  /** The agent's current leases; answers all that it is to have, offers on their way with them, or null when it lists no other. */
  reported(agentId: AgentId, leases: readonly { lease: string; fence: number }[]): readonly string[] | null;
  accepted(agentId: AgentId, lease: string): void;
  /** `objection`: it was its owner's policy that refused. */
  refused(agentId: AgentId, lease: string, reason: string, objection?: PolicyObjection | null): void;
  started(agentId: AgentId, lease: string): void;
  /** Something that changes nothing for the scheduler: it passes it on to whoever wants to know what becomes of the demand. */
  heard(agentId: AgentId, lease: string, tell: LeaseNews): void;
  /** Resolves when the agent may forget the result. */
  completed(agentId: AgentId, lease: string, fence: number, result: LeaseResultMessage): Promise<void> | undefined;
}
