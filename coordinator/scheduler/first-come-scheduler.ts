/**
 * Owns the plain scheduler: first come, first served; what failed through our fault goes to the front and preferably to another agent.
 * Never looks into an order. Everything happens in the call that makes it possible (submit, a result, a report), one slow timer looks after
 * deadlines only.
 * Invariants: a demand is in the queue, or has one lease that counts, or is gone; a lease of another fence changes nothing.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import { type Lease, LeaseTable } from './leases.ts';
import { place } from './placement.ts';
import type { Demand, LeaseEvents, LeaseFetching, LeaseOutput, Scheduler } from './scheduler.ts';

/** Numbers of the scheduler; milliseconds. */
export interface SchedulerOptions {
  readonly retriesMax: number;
  readonly leaseTtlMs: number;
  readonly offerTimeoutMs: number;
  readonly reconnectGraceMs: number;
  readonly queueWaitMsMax: number;
}

interface Entry {
  readonly demand: Demand;
  readonly excluded: Set<AgentId>;
  readonly submittedAtMs: number;
  queuedAtMs: number;
  /** Until then it waits for an agent that it has not failed on. */
  patientUntilMs: number;
  failures: number;
  lease: Lease | null;
}

const SWEEP_MS = 250;
const REST_MS = 250;
/** Doubles with every failure. */
const PATIENCE_MS = 100;
/** How many waiting demands are looked at when the first ones can't be placed. */
const SCAN_MAX = 64;

/** See the head of this file. */
export class FirstComeScheduler implements Scheduler, LeaseEvents {
  readonly #clock: Clock;
  readonly #fleet: Fleet;
  readonly #options: SchedulerOptions;
  readonly #leases: LeaseTable;
  readonly #entries = new Map<ExecutionId, Entry>();
  readonly #returned = new Map<ExecutionId, Entry>();
  readonly #waiting = new Map<ExecutionId, Entry>();
  #meanMs = 1000;
  #timer: Timer | null = null;

  constructor(deps: { clock: Clock; random: Random; fleet: Fleet }, options: SchedulerOptions) {
    this.#clock = deps.clock;
    this.#fleet = deps.fleet;
    this.#options = options;
    this.#leases = new LeaseTable(deps.clock, deps.random);
  }

  /** Starts looking after deadlines. */
  start(): void {
    this.#timer ??= this.#clock.after(SWEEP_MS, () => {
      this.#timer = null;
      this.sweep();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  get depth(): number {
    return this.#waiting.size + this.#returned.size;
  }

  get running(): number {
    return this.#leases.size;
  }

  retryAfterSeconds(): number {
    const slots = Math.max(1, this.#fleet.slots().total);
    return Math.min(60, Math.max(1, Math.ceil((this.depth * this.#meanMs) / slots / 1000)));
  }

  submit(demand: Demand): void {
    const now = this.#clock.monotonicMs();
    const entry = {
      demand,
      excluded: new Set<AgentId>(),
      submittedAtMs: now,
      queuedAtMs: now,
      patientUntilMs: 0,
      failures: 0,
      lease: null,
    };
    this.#entries.set(demand.executionId, entry);
    this.#waiting.set(demand.executionId, entry);
    this.#placeAll();
  }

  withdraw(executionId: ExecutionId): void {
    const entry = this.#entries.get(executionId);
    if (entry === undefined) return;
    this.#forget(entry);
    if (entry.lease !== null) this.#cancel(entry.lease);
  }

  #forget(entry: Entry): void {
    const { executionId } = entry.demand;
    this.#entries.delete(executionId);
    this.#returned.delete(executionId);
    this.#waiting.delete(executionId);
  }

  /** The slot stays taken until the agent says that the lease is over. */
  #cancel(lease: Lease): void {
    lease.state = 'cancelling';
    lease.deadlineMs = this.#clock.monotonicMs() + this.#options.leaseTtlMs;
    this.#fleet.get(lease.agentId)?.send({ type: 'lease.cancel', lease: lease.id });
  }

  #placeAll(): void {
    const nowMs = this.#clock.monotonicMs();
    let scanned = 0;
    for (const queue of [this.#returned, this.#waiting]) {
      for (const entry of queue.values()) {
        if (scanned++ >= SCAN_MAX) return;
        const agent = place(entry.demand, this.#fleet.all(), entry.excluded, nowMs < entry.patientUntilMs);
        if (agent === null) continue;
        scanned -= 1;
        queue.delete(entry.demand.executionId);
        this.#offer(entry, agent);
      }
    }
  }

  #offer(entry: Entry, agent: FleetAgent): void {
    const { demand } = entry;
    const lease = this.#leases.grant(demand.executionId, agent.id, this.#options.offerTimeoutMs);
    entry.lease = lease;
    agent.leases += 1;
    agent.send({ type: 'lease.offer', lease: lease.id, fence: lease.fence, order: demand.order() });
    demand.listener.placed(demand.executionId, agent.facts);
  }

  #release(lease: Lease): void {
    this.#leases.release(lease);
    const agent = this.#fleet.get(lease.agentId);
    if (agent !== undefined && lease.state !== 'orphaned') agent.leases = Math.max(0, agent.leases - 1);
  }

  /** The entry whose current lease this is; undefined when it was withdrawn or went elsewhere. */
  #entryOf(lease: Lease): Entry | undefined {
    const entry = this.#entries.get(lease.executionId);
    return entry?.lease === lease ? entry : undefined;
  }

  /** Puts a demand back to the front, or gives it up when it has failed too often. */
  #retry(lease: Lease, cause: SystemError, isCounted: boolean): void {
    const entry = this.#entryOf(lease);
    this.#release(lease);
    if (entry === undefined) return;
    entry.lease = null;
    entry.excluded.add(lease.agentId);
    if (isCounted) entry.failures += 1;
    const { demand } = entry;
    if (entry.failures > this.#options.retriesMax) {
      this.#forget(entry);
      const detail = `tried ${entry.failures} times; the last time: ${cause.message}`;
      demand.listener.gaveUp(demand.executionId, new SystemError('retries-exhausted', detail, { cause }));
      return;
    }
    entry.queuedAtMs = this.#clock.monotonicMs();
    if (isCounted) entry.patientUntilMs = entry.queuedAtMs + PATIENCE_MS * 2 ** entry.failures;
    this.#returned.set(demand.executionId, entry);
    demand.listener.requeued(demand.executionId, cause);
  }

  joined(agentId: AgentId): void {
    const agent = this.#fleet.get(agentId);
    if (agent === undefined) return;
    for (const lease of this.#leases.of(agentId)) {
      if (lease.state !== 'orphaned') agent.leases += 1;
    }
  }

  left(agentId: AgentId): void {
    const deadlineMs = this.#clock.monotonicMs() + this.#options.reconnectGraceMs;
    for (const lease of this.#leases.of(agentId)) {
      if (lease.state === 'cancelling') this.#leases.release(lease);
      else {
        lease.state = 'orphaned';
        lease.deadlineMs = deadlineMs;
      }
    }
    if (this.#options.reconnectGraceMs === 0) this.sweep();
  }

  reported(agentId: AgentId, reported: readonly { lease: string; fence: number }[]): readonly string[] | null {
    const listed = new Set(reported.map(({ lease }) => lease));
    const wanted: string[] = [];
    const agent = this.#fleet.get(agentId);
    for (const lease of this.#leases.of(agentId)) {
      if (listed.has(lease.id)) {
        this.#renew(lease, agent);
        if (lease.state === 'held') wanted.push(lease.id);
      } else if (lease.state === 'cancelling') this.#release(lease);
      // One report may have been on its way before the offer or beside the result; two in a row mean that it is not there.
      else if (lease.state !== 'offered' && ++lease.missedReports >= 2) {
        this.#retry(lease, new SystemError('agent-lost', `agent ${agentId} does not know lease ${lease.id}`), true);
      }
    }
    this.#placeAll();
    return wanted.length === listed.size ? null : wanted;
  }

  #renew(lease: Lease, agent: FleetAgent | undefined): void {
    lease.missedReports = 0;
    if (lease.state === 'cancelling') return;
    if (lease.state === 'orphaned' && agent !== undefined) agent.leases += 1;
    lease.state = 'held';
    lease.deadlineMs = this.#clock.monotonicMs() + this.#options.leaseTtlMs;
  }

  accepted(agentId: AgentId, id: string): void {
    const lease = this.#leases.get(id, agentId);
    if (lease?.state === 'offered') this.#renew(lease, undefined);
  }

  refused(agentId: AgentId, id: string, reason: string): void {
    const lease = this.#leases.get(id, agentId);
    if (lease === undefined) return;
    const agent = this.#fleet.get(agentId);
    if (agent !== undefined) {
      // What it refuses now it would refuse again at once.
      agent.restsUntilMs = this.#clock.monotonicMs() + REST_MS;
      agent.isResting = true;
    }
    this.#retry(lease, new SystemError('agent-refused', `agent ${agentId} refused the lease: ${reason}`), false);
    this.#placeAll();
  }

  started(agentId: AgentId, id: string): void {
    const lease = this.#leases.get(id, agentId);
    const entry = lease === undefined ? undefined : this.#entryOf(lease);
    entry?.demand.listener.started(entry.demand.executionId);
  }

  fetching(agentId: AgentId, id: string, fetching: LeaseFetching): void {
    const lease = this.#leases.get(id, agentId);
    const entry = lease === undefined ? undefined : this.#entryOf(lease);
    entry?.demand.listener.fetching(entry.demand.executionId, fetching);
  }

  output(agentId: AgentId, id: string, output: LeaseOutput): void {
    const lease = this.#leases.get(id, agentId);
    const entry = lease === undefined ? undefined : this.#entryOf(lease);
    entry?.demand.listener.output(entry.demand.executionId, output);
  }

  completed(agentId: AgentId, id: string, fence: number, result: LeaseResultMessage): Promise<void> | undefined {
    const lease = this.#leases.get(id, agentId);
    if (lease === undefined || lease.fence !== fence) return undefined;
    const entry = this.#entryOf(lease);
    const { failure } = result;
    if (entry !== undefined && failure?.isRetryable === true) {
      const detail = `agent ${agentId}: ${failure.code}: ${failure.detail}`;
      this.#retry(lease, new SystemError('sandbox-failed', detail), true);
      this.#placeAll();
      return undefined;
    }
    this.#release(lease);
    if (entry === undefined) {
      this.#placeAll();
      return undefined;
    }
    this.#forget(entry);
    const agent = this.#fleet.get(agentId);
    for (const layer of entry.demand.layers) agent?.layers.add(layer);
    this.#meanMs += (this.#clock.monotonicMs() - entry.queuedAtMs - this.#meanMs) / 16;
    const kept = entry.demand.listener.completed(entry.demand.executionId, result);
    this.#placeAll();
    return kept;
  }

  /** Ends what is overdue; called by the timer. */
  sweep(): void {
    const now = this.#clock.monotonicMs();
    for (const lease of this.#leases.overdue()) this.#expire(lease);
    for (const agent of this.#fleet.all()) if (agent.isResting && agent.restsUntilMs <= now) agent.isResting = false;
    for (const queue of [this.#returned, this.#waiting]) {
      for (const entry of queue.values()) {
        if (now - entry.submittedAtMs > this.#options.queueWaitMsMax) this.#giveUpWaiting(entry);
      }
    }
    this.#placeAll();
  }

  #expire(lease: Lease): void {
    if (lease.state === 'cancelling') {
      this.#release(lease);
      return;
    }
    const said = lease.state === 'offered' ? 'did not answer an offer' : 'was lost while it ran this';
    const cause = new SystemError('agent-lost', `agent ${lease.agentId} ${said}`);
    this.#fleet.get(lease.agentId)?.send({ type: 'lease.cancel', lease: lease.id });
    this.#retry(lease, cause, true);
  }

  #giveUpWaiting(entry: Entry): void {
    this.#forget(entry);
    const detail = `no agent could take this within ${this.#options.queueWaitMsMax} ms; ${this.#fleet.size} are connected`;
    const cause = new SystemError('no-agent', detail, { retryAfterSeconds: this.retryAfterSeconds() });
    entry.demand.listener.gaveUp(entry.demand.executionId, cause);
  }
}
