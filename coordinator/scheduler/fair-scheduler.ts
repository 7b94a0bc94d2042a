/**
 * Owns the scheduler: tenants get their shares (fair-queue), and what failed through our fault goes to the front and preferably to another agent.
 * Never looks into an order. Everything happens in the call that makes it possible (submit, a result, a report); one slow timer looks after
 * deadlines, and charges what runs longer than was thought.
 * Invariants: a demand is in the queue, or has one lease that counts, or is gone; a lease of another fence changes nothing; a tenant is charged
 * for what its demands hold, and never for what failed through our fault.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import { type Charged, Charges, constraintsKeyOf, type TenantCharge } from './charges.ts';
import { FairQueue } from './fair-queue.ts';
import { forecastWait } from './forecast.ts';
import { type Lease, LeaseTable } from './leases.ts';
import { listObstacles } from './obstacles.ts';
import { type Considered, place } from './placement.ts';
import { Retries, toRetryCause } from './retries.ts';
import {
  type Demand,
  type Forecast,
  type LeaseEvents,
  type LeaseFetching,
  type LeaseOutput,
  type ResultCheck,
  type Scheduler,
  toRetrySeconds,
} from './scheduler.ts';

/** Numbers of the scheduler; milliseconds. */
export interface SchedulerOptions {
  readonly retriesMax: number;
  readonly leaseTtlMs: number;
  readonly offerTimeoutMs: number;
  readonly reconnectGraceMs: number;
}

/** Who takes a demand, and whom placement looked at. */
interface Choice {
  readonly agent: FleetAgent;
  readonly considered: readonly Considered[];
}

interface Entry extends Charged {
  readonly excluded: Set<AgentId>;
  readonly submittedAtMs: number;
  /** Until then it waits for an agent that it has not failed on. */
  patientUntilMs: number;
  failures: number;
  lease: Lease | null;
}

const SWEEP_MS = 250;
const REST_MS = 250;
/** Doubles with every failure. */
const PATIENCE_MS = 100;
/** How long a demand waits for a busy agent that holds more of its layers. */
const HOLDER_WAIT_MS = 50;

/** See the head of this file. */
export class FairScheduler implements Scheduler, LeaseEvents {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #fleet: Fleet;
  readonly #options: SchedulerOptions;
  readonly #leases: LeaseTable;
  readonly #entries = new Map<ExecutionId, Entry>();
  readonly #queue = new FairQueue<Entry>();
  readonly #charges: Charges<Entry>;
  readonly #retries: Retries;
  readonly #check: ResultCheck;
  #timer: Timer | null = null;
  #delay: Timer | null = null;

  constructor(deps: { clock: Clock; random: Random; fleet: Fleet; check?: ResultCheck }, options: SchedulerOptions) {
    this.#clock = deps.clock;
    this.#check = deps.check ?? (() => null);
    this.#charges = new Charges(deps.clock, this.#queue);
    this.#retries = new Retries(deps.clock, options.retriesMax);
    this.#random = deps.random;
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
    this.#delay?.cancel();
    this.#delay = null;
  }

  get depth(): number {
    return this.#queue.size;
  }

  get running(): number {
    return this.#leases.size;
  }

  explain(executionId: ExecutionId): PlacementAnswer['waiting'] {
    const entry = this.#entries.get(executionId);
    if (entry === undefined || entry.lease !== null) return null;
    const { demand, excluded, tenantId, weight } = entry;
    const obstacles = listObstacles([...this.#fleet.all()], demand, excluded);
    return { forecastMs: this.forecast(tenantId, weight).waitMs, ...obstacles };
  }

  forecast(tenantId: string, weight: number): Forecast {
    const backlogs = this.#queue.backlogs();
    return forecastWait(tenantId, weight, { slots: this.#fleet.slots(), backlogs, meanMs: this.#charges.meanMs });
  }

  /** What waits for an agent, tenants by their turns. */
  *waiting(): IterableIterator<Demand> {
    for (const { demand } of this.#queue.inTurn()) yield demand;
  }

  /** What tenants were charged here since this was last asked. */
  takeCharges(): TenantCharge[] {
    return this.#charges.takeTold();
  }

  /** Tenants had this elsewhere, and have had as much the less to claim here. */
  chargedElsewhere(charges: readonly TenantCharge[]): void {
    for (const { tenantId, cost } of charges) this.#queue.chargeTenant(tenantId, cost);
  }

  submit(demand: Demand): void {
    const now = this.#clock.monotonicMs();
    const { executionId, tenantId, weight } = demand;
    const entry: Entry = {
      ...{ id: executionId, tenantId, weight, demand },
      ...this.#charges.price(demand, this.#fleet.capacity()),
      excluded: new Set<AgentId>(),
      submittedAtMs: now,
      sinceMs: now,
      patientUntilMs: 0,
      ...{ charged: 0, failures: 0, lease: null },
    };
    this.#entries.set(executionId, entry);
    this.#retries.asked();
    this.#queue.push(entry);
    this.#placeAll();
  }

  withdraw(executionId: ExecutionId): void {
    const entry = this.#entries.get(executionId);
    if (entry === undefined) return;
    const { lease } = entry;
    this.#forget(entry);
    if (lease !== null) this.#cancel(lease);
  }

  /** Nothing more comes of it: its tenant has paid for the time that it had. */
  #forget(entry: Entry): void {
    this.#entries.delete(entry.demand.executionId);
    this.#retries.forget(entry.demand.executionId);
    this.#queue.remove(entry);
    if (entry.lease === null) return;
    this.#charges.settle(entry);
    entry.lease = null;
  }

  /** The slot stays taken until the agent says that the lease is over. */
  #cancel(lease: Lease): void {
    lease.state = 'cancelling';
    lease.deadlineMs = this.#clock.monotonicMs() + this.#options.leaseTtlMs;
    this.#fleet.get(lease.agentId)?.send({ type: 'lease.cancel', lease: lease.id });
  }

  #placeAll(): void {
    if (this.#queue.size === 0 || this.#fleet.slots().free === 0) return;
    const nowMs = this.#clock.monotonicMs();
    this.#queue.serve({
      isOpen: (lane) => this.#fleet.index.isOpen(constraintsKeyOf(lane)),
      choose: (entry) => this.#choose(entry, nowMs),
      give: (entry, choice: Choice) => this.#offer(entry, choice),
    });
  }

  #choose({ demand, excluded, patientUntilMs, sinceMs }: Entry, nowMs: number): Choice | null {
    const considered: Considered[] = [];
    const { agent, outcome } = place(
      demand,
      this.#fleet.index,
      {
        ...{ random: this.#random, nowMs, excluded },
        isPatient: nowMs < patientUntilMs,
        isDelayed: nowMs - sinceMs < HOLDER_WAIT_MS,
      },
      considered,
    );
    if (outcome === 'delayed') this.#comeBack();
    return agent === null ? null : { agent, considered };
  }

  /** Looks again when whoever waits for a busy holder has waited long enough. */
  #comeBack(): void {
    this.#delay ??= this.#clock.after(HOLDER_WAIT_MS, () => {
      this.#delay = null;
      this.#placeAll();
    });
  }

  #offer(entry: Entry, { agent, considered }: Choice): void {
    const { demand } = entry;
    const lease = this.#leases.grant(demand.executionId, agent.id, demand, this.#options.offerTimeoutMs);
    entry.lease = lease;
    this.#charges.begin(entry);
    agent.take(lease.memoryBytes);
    lease.order = demand.order();
    agent.send({ type: 'lease.offer', lease: lease.id, fence: lease.fence, order: lease.order });
    demand.listener.placed(demand.executionId, agent.facts, considered);
  }

  #release(lease: Lease): void {
    this.#leases.release(lease);
    const agent = this.#fleet.get(lease.agentId);
    if (agent !== undefined && lease.state !== 'orphaned') agent.giveBack(lease.memoryBytes);
  }

  /** The entry whose current lease this is; undefined when it was withdrawn or went elsewhere. */
  #entryOf(lease: Lease): Entry | undefined {
    const entry = this.#entries.get(lease.executionId);
    return entry?.lease === lease ? entry : undefined;
  }

  /** Puts a demand back to the front, or gives it up when it has failed too often. */
  #retry(lease: Lease, cause: SystemError, isCounted: boolean, isAgentLost = false): void {
    const entry = this.#entryOf(lease);
    this.#release(lease);
    if (entry === undefined) return;
    this.#charges.forgive(entry);
    entry.lease = null;
    entry.excluded.add(lease.agentId);
    if (isCounted) entry.failures += 1;
    const { demand } = entry;
    const end = this.#retries.endOf({ lease, failures: entry.failures, cause, isCounted, isAgentLost });
    if (end !== null) {
      this.#forget(entry);
      demand.listener.gaveUp(demand.executionId, end);
      return;
    }
    entry.sinceMs = this.#clock.monotonicMs();
    if (isCounted) entry.patientUntilMs = entry.sinceMs + PATIENCE_MS * 2 ** entry.failures;
    this.#queue.putBack(entry);
    demand.listener.requeued(demand.executionId, cause);
  }

  joined(agentId: AgentId): void {
    const agent = this.#fleet.get(agentId);
    if (agent === undefined) return;
    for (const lease of this.#leases.of(agentId)) {
      if (lease.state !== 'orphaned') agent.take(lease.memoryBytes);
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
    for (const lease of listed) this.#retries.survived(lease, agentId);
    let agreed = 0;
    const agent = this.#fleet.get(agentId);
    for (const lease of this.#leases.of(agentId)) {
      if (listed.has(lease.id)) {
        this.#renew(lease, agent);
        if (lease.state === 'held') agreed += 1;
      } else if (lease.state === 'cancelling') this.#release(lease);
      // One report may have been on its way before the offer or beside the result; two in a row mean that it is not there.
      else if (lease.state !== 'offered' && ++lease.missedReports >= 2) {
        this.#retry(lease, new SystemError('agent-lost', `agent ${agentId} does not know lease ${lease.id}`), true);
      }
    }
    this.#placeAll();
    return agreed === listed.size ? null : this.#wantedOf(agentId);
  }

  /** Also what it was offered while its report was on its way, or just now: it ends whatever is not named, whenever that began. */
  #wantedOf(agentId: AgentId): string[] {
    return this.#leases.of(agentId).flatMap(({ id, state }) => (state === 'held' || state === 'offered' ? [id] : []));
  }

  #renew(lease: Lease, agent: FleetAgent | undefined): void {
    lease.missedReports = 0;
    if (lease.state === 'cancelling') return;
    if (lease.state === 'orphaned' && agent !== undefined) agent.take(lease.memoryBytes);
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
    const refusal = entry === undefined ? null : this.#check(lease, entry.demand.layers, result);
    const cause = entry === undefined ? null : (refusal ?? toRetryCause(agentId, result));
    if (cause !== null) this.#retry(lease, cause, true);
    else this.#release(lease);
    if (entry === undefined || cause !== null) {
      this.#placeAll();
      return undefined;
    }
    const { demand } = entry;
    this.#charges.learn(entry);
    this.#forget(entry);
    const agent = this.#fleet.get(agentId);
    for (const layer of demand.layers) agent?.hold(layer);
    const kept = demand.listener.completed(demand.executionId, result);
    this.#placeAll();
    return kept;
  }

  /** Ends what is overdue; called by the timer. */
  sweep(): void {
    const now = this.#clock.monotonicMs();
    for (const lease of this.#leases.overdue()) this.#expire(lease);
    for (const agent of this.#fleet.all()) if (agent.isResting && agent.restsUntilMs <= now) agent.isResting = false;
    for (const entry of [...this.#queue.items()]) {
      if (now - entry.submittedAtMs > entry.demand.waitMsMax) this.#giveUpWaiting(entry);
    }
    for (const entry of this.#entries.values()) if (entry.lease !== null) this.#charges.goOn(entry);
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
    this.#retry(lease, cause, true, lease.state !== 'offered');
  }

  #giveUpWaiting(entry: Entry): void {
    this.#forget(entry);
    const { constraints, waitMsMax } = entry.demand;
    const fitting = this.#fleet.index.matching(constraints).reduce((sum, { all }) => sum + all.size, 0);
    const detail = `no agent could take this within ${waitMsMax} ms; ${this.#fleet.size} are connected, ${fitting} of them fit its placement`;
    const cause = new SystemError('no-agent', detail, {
      retryAfterSeconds: toRetrySeconds(this.forecast(entry.tenantId, entry.weight).waitMs),
    });
    entry.demand.listener.gaveUp(entry.demand.executionId, cause);
  }
}
