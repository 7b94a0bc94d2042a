/**
 * Owns what agents hold by their leases: slot, memory, and the tenant's part of their pool, from the offer to the end or until the agent is gone.
 * Never decides what runs where, or what becomes of a demand.
 * Invariant: what a lease takes of an agent is taken once, and given back once, whichever connection the agent has by then.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import { type Lease, LeaseTable } from './leases.ts';
import type { PoolLoads } from './pool-loads.ts';
import type { Demand } from './scheduler.ts';

/** Milliseconds. */
export interface LeaseTimes {
  readonly leaseTtlMs: number;
  readonly offerTimeoutMs: number;
  readonly reconnectGraceMs: number;
}

/** See the head of this file. */
export class AgentLeases {
  readonly table: LeaseTable;
  readonly #clock: Clock;
  readonly #fleet: Fleet;
  readonly #loads: PoolLoads;
  readonly #times: LeaseTimes;

  constructor(deps: { clock: Clock; random: Random; fleet: Fleet; loads: PoolLoads }, times: LeaseTimes) {
    this.#clock = deps.clock;
    this.#fleet = deps.fleet;
    this.#loads = deps.loads;
    this.#times = times;
    this.table = new LeaseTable(deps.clock, deps.random);
  }

  /** A lease that waits for this agent's answer. */
  grant(demand: Demand, agent: FleetAgent): Lease {
    const lease = this.table.grant(demand, agent.id, this.#times.offerTimeoutMs);
    this.#take(agent, lease);
    return lease;
  }

  #take(agent: FleetAgent, lease: Lease): void {
    agent.take(lease.memoryBytes);
    this.#loads.begin(lease, agent.pool);
  }

  /** The slot stays taken until the agent says that the lease is over; who has come back and not named it has said so. */
  cancel(lease: Lease): void {
    const agent = this.#fleet.get(lease.agentId);
    agent?.send({ type: 'lease.cancel', lease: lease.id });
    if (lease.state === 'orphaned' && agent !== undefined) {
      if (lease.missedReports > 0) {
        this.release(lease);
        return;
      }
      this.#take(agent, lease);
    }
    lease.state = 'cancelling';
    lease.deadlineMs = this.#clock.monotonicMs() + this.#times.leaseTtlMs;
  }

  release(lease: Lease): void {
    this.table.release(lease);
    this.#loads.end(lease);
    const agent = this.#fleet.get(lease.agentId);
    if (agent !== undefined && lease.state !== 'orphaned') agent.giveBack(lease.memoryBytes);
  }

  /** The agent has it, and goes on. */
  renew(lease: Lease, agent: FleetAgent | undefined): void {
    lease.missedReports = 0;
    if (lease.state === 'cancelling') return;
    if (lease.state === 'orphaned' && agent !== undefined) this.#take(agent, lease);
    lease.state = 'held';
    lease.deadlineMs = this.#clock.monotonicMs() + this.#times.leaseTtlMs;
  }

  /** The agent has a new connection. */
  joined(agentId: AgentId): void {
    const agent = this.#fleet.get(agentId);
    if (agent === undefined) return;
    for (const lease of this.table.of(agentId)) if (lease.state !== 'orphaned') this.#take(agent, lease);
  }

  /** The agent has none. */
  left(agentId: AgentId): void {
    const deadlineMs = this.#clock.monotonicMs() + this.#times.reconnectGraceMs;
    for (const lease of this.table.of(agentId)) {
      this.#loads.end(lease);
      if (lease.state === 'cancelling') this.table.release(lease);
      else {
        lease.state = 'orphaned';
        lease.deadlineMs = deadlineMs;
      }
    }
  }
}
