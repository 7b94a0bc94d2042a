/**
 * Owns the table of leases: which agent may run what until when. Never sends anything and never moves an execution.
 * Invariants: an execution has at most one lease that counts; a fence is larger than every fence given out before, across restarts
 * as long as the clock does not go back by the length of one.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import { type AgentId, createId, type ExecutionId, type LeaseId } from '../../shared/ids.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';

/** offered: not answered yet · held: the agent has it · cancelling: to be ended, its slot is still taken · orphaned: its agent is gone. */
export type LeaseState = 'offered' | 'held' | 'cancelling' | 'orphaned';

/** One claim of one execution by one agent. */
export interface Lease {
  readonly id: LeaseId;
  readonly fence: number;
  readonly executionId: ExecutionId;
  readonly agentId: AgentId;
  readonly tenantId: string;
  /** Memory that it is promised. */
  readonly memoryBytes: number;
  /** What its agent was told to run; null until it is told. */
  order: LeaseOrderMessage | null;
  state: LeaseState;
  /** Monotonic time at which it is over unless something moves it. */
  deadlineMs: number;
  /** Monotonic time at which it is over whatever its agent says. */
  readonly endsByMs: number;
  /** Reports of its agent in a row that did not list it. */
  missedReports: number;
}

/** What a lease is granted for. */
export type Granted = Pick<Lease, 'executionId' | 'tenantId' | 'memoryBytes'> & { readonly durationMsMax: number };

/** What fetching layers and making sandboxes may take beside the work itself. */
const OVERTIME_MS = 1_800_000;

/** All leases that are out. */
export class LeaseTable {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #leases = new Map<string, Lease>();
  readonly #ofAgents = new Map<AgentId, Set<Lease>>();
  #fence: number;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#fence = clock.nowMs();
  }

  /** A new lease that waits `answerMs` for the agent's answer and is for at most `durationMsMax` of work. */
  grant({ executionId, tenantId, memoryBytes, durationMsMax }: Granted, agentId: AgentId, answerMs: number): Lease {
    const nowMs = this.#clock.monotonicMs();
    const lease: Lease = {
      id: createId('lease', this.#random),
      fence: ++this.#fence,
      ...{ executionId, agentId, tenantId, memoryBytes, order: null },
      state: 'offered',
      deadlineMs: nowMs + answerMs,
      endsByMs: nowMs + durationMsMax + OVERTIME_MS,
      missedReports: 0,
    };
    this.#leases.set(lease.id, lease);
    const ofAgent = this.#ofAgents.get(agentId) ?? new Set();
    this.#ofAgents.set(agentId, ofAgent.add(lease));
    return lease;
  }

  get(id: string, agentId: AgentId): Lease | undefined {
    const lease = this.#leases.get(id);
    return lease?.agentId === agentId ? lease : undefined;
  }

  release(lease: Lease): void {
    this.#leases.delete(lease.id);
    const ofAgent = this.#ofAgents.get(lease.agentId);
    if (ofAgent?.delete(lease) && ofAgent.size === 0) this.#ofAgents.delete(lease.agentId);
  }

  of(agentId: AgentId): Lease[] {
    return [...(this.#ofAgents.get(agentId) ?? [])];
  }

  /** Leases whose deadline has passed, or that their agents have held for longer than anything takes. */
  overdue(): Lease[] {
    const now = this.#clock.monotonicMs();
    return [...this.#leases.values()].filter((lease) => lease.deadlineMs <= now || lease.endsByMs <= now);
  }

  get size(): number {
    return this.#leases.size;
  }
}
