/**
 * Owns the scheduler: tenants get their shares (fair-queue), and what failed through our fault goes to the front and preferably to another agent.
 * Never looks into an order. Everything happens in the call that makes it possible (submit, a result, a report); one slow timer looks after
 * deadlines, and charges what runs longer than was thought.
 * Invariants: a demand is in the queue, or has one lease that counts, or is gone; a lease of another fence changes nothing; a tenant is charged
 * for what its demands hold, and never for what failed through our fault.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { TerminalCommand } from '../../shared/protocol/terminal-flow.ts';
import type { Fleet } from '../agents/fleet.ts';
import { openGate, type PoolGate } from '../pools/pool-gate.ts';
import { AgentLeases } from './agent-leases.ts';
import { Charges, constraintsKeyOf, type TenantCharge } from './charges.ts';
import { type Choice, Chooser, HOLDER_WAIT_MS, type PoolShare } from './chooser.ts';
import { Concurrency } from './concurrency.ts';
import { type Entry, toEntry } from './entry.ts';
import { FairQueue } from './fair-queue.ts';
import { forecastWait } from './forecast.ts';
import { toGaveUp } from './gave-up.ts';
import type { Lease, LeaseTable } from './leases.ts';
import { PoolLoads } from './pool-loads.ts';
import { type PolicyObjection, Refusals } from './refusals.ts';
import { RERUN_WAIT_MS_MAX, Reruns } from './reruns.ts';
import { Retries, toRetryCause } from './retries.ts';
import type { Demand, Forecast, LeaseEvents, LeaseNews, ResultCheck, Scheduler } from './scheduler.ts';
import type { SchedulerDeps, SchedulerOptions } from './scheduler-deps.ts';

const SWEEP_MS = 250;
const REST_MS = 250;
/** Doubles with every failure. */
const PATIENCE_MS = 100;

/** See the head of this file. */
export class FairScheduler implements Scheduler, LeaseEvents {
  readonly #clock: Clock;
  readonly #fleet: Fleet;
  readonly #pools: PoolGate;
  readonly #options: SchedulerOptions;
  readonly #held: AgentLeases;
  readonly #leases: LeaseTable;
  readonly #entries = new Map<ExecutionId, Entry>();
  readonly #queue: FairQueue<Entry>;
  readonly #concurrency: Concurrency;
  readonly #charges: Charges<Entry>;
  readonly #retries: Retries;
  readonly #reruns: Reruns;
  readonly #check: ResultCheck;
  readonly #refusals: Refusals;
  readonly #chooser: Chooser;
  #timer: Timer | null = null;
  #delay: Timer | null = null;

  constructor(deps: SchedulerDeps, options: SchedulerOptions) {
    const { clock, random, fleet, pools = openGate, check = () => null } = deps;
    this.#concurrency = deps.concurrency ?? new Concurrency(() => 0);
    this.#concurrency.listen((tenantIds) => {
      for (const tenantId of tenantIds) this.#queue.boundChanged(tenantId);
      this.#placeAll();
    });
    this.#queue = new FairQueue(this.#concurrency, ({ excluded, barred }) =>
      [...[...excluded].sort(), '', ...barred].join(' '),
    );
    this.#clock = clock;
    this.#check = check;
    this.#charges = new Charges(clock, this.#queue);
    this.#retries = new Retries(clock, options.retriesMax);
    this.#reruns = new Reruns(options.rerunNearLimitPercent ?? 0);
    this.#fleet = fleet;
    this.#pools = pools;
    this.#options = options;
    const loads = new PoolLoads();
    this.#held = new AgentLeases({ clock, random, fleet, loads }, options);
    this.#leases = this.#held.table;
    this.#refusals = new Refusals(clock);
    this.#chooser = new Chooser({ clock, random, fleet, pools, loads, refusals: this.#refusals });
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

  get retriesLeft(): number {
    return this.#retries.left;
  }

  /** What holds leases: whose it is, and how many slots' worth of the dominant resource. */
  *held(): IterableIterator<Pick<Entry, 'tenantId' | 'slots'>> {
    for (const entry of this.#entries.values()) if (entry.lease !== null) yield entry;
  }

  explain(executionId: ExecutionId): PlacementAnswer['waiting'] {
    const entry = this.#entries.get(executionId);
    if (entry === undefined || entry.lease !== null) return null;
    return { forecastMs: this.forecast(entry.tenantId, entry.weight).waitMs, ...this.#chooser.obstacles(entry) };
  }

  /** Slots of a pool that others than its owner may have here; null: all. */
  shareOf(pool: string): PoolShare | null {
    return this.#chooser.shareOf(pool);
  }

  /** Pools have other owners or policies now. */
  poolsChanged(): void {
    for (const entry of [...this.#queue.inTurn()]) {
      this.#queue.remove(entry);
      entry.lane = this.#price(entry.demand).lane;
      if (entry.excluded.size > 0) this.#queue.putBack(entry);
      else this.#queue.push(entry);
    }
    this.#placeAll();
  }

  #price(demand: Demand) {
    return this.#charges.price(demand, this.#fleet.capacity(), this.#pools.accessOf(demand.site).number);
  }

  forecast(tenantId: string, weight: number): Forecast {
    const backlogs = this.#queue.backlogs(tenantId);
    return forecastWait(tenantId, weight, { slots: this.#fleet.slots(), backlogs, meanMs: this.#charges.meanMs });
  }

  /** What waits for an agent and may as well wait elsewhere, tenants by their turns: the first result of what is run again is here. */
  *waiting(): IterableIterator<Demand> {
    for (const { demand } of this.#queue.inTurn()) if (!this.#reruns.has(demand.executionId)) yield demand;
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
    const entry = toEntry(demand, this.#price(demand), this.#clock.monotonicMs());
    this.#entries.set(demand.executionId, entry);
    this.#retries.asked();
    this.#queue.push(entry);
    this.#placeAll();
  }

  withdraw(executionId: ExecutionId): void {
    const entry = this.#entries.get(executionId);
    if (entry === undefined) return;
    const { lease } = entry;
    this.#forget(entry);
    if (lease !== null) this.#held.cancel(lease);
  }

  /** Nothing more comes of it: its tenant has paid for the time that it had. */
  #forget(entry: Entry): void {
    this.#entries.delete(entry.demand.executionId);
    this.#retries.forget(entry.demand.executionId);
    this.#reruns.forget(entry.demand.executionId);
    this.#queue.remove(entry);
    if (entry.lease === null) return;
    this.#charges.settle(entry);
    entry.lease = null;
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

  #choose(entry: Entry, nowMs: number): Choice | null {
    const choice = this.#chooser.choose(entry, nowMs);
    if (choice !== 'delayed') return choice;
    this.#comeBack();
    return null;
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
    const lease = this.#held.grant(demand, agent);
    entry.lease = lease;
    this.#charges.begin(entry);
    lease.order = demand.order();
    agent.send({ type: 'lease.offer', lease: lease.id, fence: lease.fence, order: lease.order });
    demand.listener.placed(demand.executionId, agent.facts, considered);
  }

  /** The entry whose current lease this is; undefined when it was withdrawn or went elsewhere. */
  #entryOf(lease: Lease): Entry | undefined {
    const entry = this.#entries.get(lease.executionId);
    return entry?.lease === lease ? entry : undefined;
  }

  #demandOf(agentId: AgentId, id: string): Demand | undefined {
    const lease = this.#leases.get(id, agentId);
    return lease === undefined ? undefined : this.#entryOf(lease)?.demand;
  }

  /** Puts a demand back to the front, or gives it up when it has failed too often. */
  #retry(lease: Lease, cause: SystemError, isCounted: boolean, isAgentLost = false): void {
    const entry = this.#entryOf(lease);
    this.#held.release(lease);
    if (entry === undefined) return;
    this.#charges.forgive(entry);
    entry.lease = null;
    entry.excluded.add(lease.agentId);
    if (isCounted) entry.failures += 1;
    const { demand } = entry;
    const end = this.#retries.endOf({ lease, failures: entry.failures, cause, isCounted, isAgentLost });
    if (end !== null) {
      this.#giveUp(entry, end);
      return;
    }
    entry.sinceMs = this.#clock.monotonicMs();
    if (isCounted) entry.patientUntilMs = entry.sinceMs + PATIENCE_MS * 2 ** entry.failures;
    this.#queue.putBack(entry);
    demand.listener.requeued(demand.executionId, cause);
  }

  /** Nobody gives a result, or another one. */
  #giveUp(entry: Entry, cause: SystemError): void {
    const { executionId, listener } = entry.demand;
    const standing = this.#reruns.standing(executionId);
    this.#forget(entry);
    if (standing === null) listener.gaveUp(executionId, cause);
    else listener.completed(executionId, standing)?.catch(() => undefined);
  }

  joined(agentId: AgentId): void {
    this.#refusals.forget(agentId);
    this.#held.joined(agentId);
  }

  left(agentId: AgentId): void {
    this.#held.left(agentId);
    if (this.#options.reconnectGraceMs === 0) this.sweep();
  }

  reported(agentId: AgentId, reported: readonly { lease: string; fence: number }[]): readonly string[] | null {
    const listed = new Set(reported.map(({ lease }) => lease));
    for (const lease of listed) this.#retries.survived(lease, agentId);
    let agreed = 0;
    const agent = this.#fleet.get(agentId);
    for (const lease of this.#leases.of(agentId)) {
      if (listed.has(lease.id)) {
        this.#held.renew(lease, agent);
        if (lease.state === 'held') agreed += 1;
      } else if (lease.state === 'cancelling') this.#held.release(lease);
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

  accepted(agentId: AgentId, id: string): void {
    const lease = this.#leases.get(id, agentId);
    if (lease?.state === 'offered') this.#held.renew(lease, undefined);
  }

  refused(agentId: AgentId, id: string, reason: string, objection: PolicyObjection | null = null): void {
    const lease = this.#leases.get(id, agentId);
    if (lease === undefined) return;
    const agent = this.#fleet.get(agentId);
    const entry = this.#entryOf(lease);
    if (objection === null && agent !== undefined) {
      // What it refuses now it would refuse again at once.
      agent.rest(this.#clock.monotonicMs() + REST_MS);
    }
    this.#retry(lease, new SystemError('agent-refused', `agent ${agentId} refused the lease: ${reason}`), false);
    if (objection !== null && entry !== undefined) {
      // It has room for whom its owner lets in, and has failed at nothing.
      this.#refusals.add(entry.demand.site, agentId, objection);
      entry.excluded.delete(agentId);
    }
    this.#placeAll();
  }

  started(agentId: AgentId, id: string): void {
    this.heard(agentId, id, (listener, executionId) => listener.started(executionId));
  }

  heard(agentId: AgentId, id: string, tell: LeaseNews): void {
    const demand = this.#demandOf(agentId, id);
    if (demand !== undefined) tell(demand.listener, demand.executionId);
  }

  command(executionId: ExecutionId, command: TerminalCommand): void {
    const lease = this.#entries.get(executionId)?.lease;
    if (lease) this.#fleet.get(lease.agentId)?.send({ type: 'lease.command', lease: lease.id, command });
  }

  completed(agentId: AgentId, id: string, fence: number, result: LeaseResultMessage): Promise<void> | undefined {
    const lease = this.#leases.get(id, agentId);
    if (lease === undefined || lease.fence !== fence) return undefined;
    const entry = this.#entryOf(lease);
    const refusal = entry === undefined ? null : this.#check(lease, entry.demand.layers, result);
    const failure = entry === undefined ? null : (refusal ?? toRetryCause(agentId, result));
    const hasOther = () => entry !== undefined && this.#chooser.hasOther(entry.demand, agentId);
    const considered = failure === null ? this.#reruns.consider(lease, result, hasOther) : null;
    const cause = failure ?? considered?.cause ?? null;
    if (failure === null && cause !== null) entry?.barred.add(agentId);
    if (cause !== null) this.#retry(lease, cause, failure !== null);
    else this.#held.release(lease);
    if (entry === undefined || cause !== null) {
      this.#placeAll();
      return undefined;
    }
    const { demand } = entry;
    this.#charges.learn(entry, result.timing);
    this.#forget(entry);
    const agent = this.#fleet.get(agentId);
    for (const layer of demand.layers) agent?.hold(layer);
    const kept = demand.listener.completed(demand.executionId, considered?.result ?? result);
    this.#placeAll();
    return kept;
  }

  /** Ends what is overdue; called by the timer. */
  sweep(): void {
    const now = this.#clock.monotonicMs();
    this.#refusals.sweep();
    for (const lease of this.#leases.overdue()) this.#expire(lease);
    for (const agent of this.#fleet.all()) if (agent.isResting && agent.restsUntilMs <= now) agent.isResting = false;
    for (const entry of [...this.#queue.items()]) {
      const isRerun = this.#reruns.has(entry.demand.executionId);
      const waitedMs = now - (isRerun ? entry.sinceMs : entry.submittedAtMs);
      if (waitedMs > (isRerun ? RERUN_WAIT_MS_MAX : entry.demand.waitMsMax)) this.#giveUpWaiting(entry);
    }
    for (const entry of this.#entries.values()) if (entry.lease !== null) this.#charges.goOn(entry);
    this.#placeAll();
  }

  #expire(lease: Lease): void {
    if (lease.state === 'cancelling') {
      this.#held.release(lease);
      return;
    }
    const isUnanswered = lease.state === 'offered';
    const said = isUnanswered ? 'did not answer an offer' : 'was lost while it ran this, or held it for too long';
    const cause = new SystemError('agent-lost', `agent ${lease.agentId} ${said}`);
    const agent = this.#fleet.get(lease.agentId);
    agent?.send({ type: 'lease.cancel', lease: lease.id });
    // It may be cut off and not know it: until it says something it is asked for nothing more.
    if (isUnanswered) agent?.rest(Number.POSITIVE_INFINITY);
    this.#retry(lease, cause, true, lease.state !== 'offered');
  }

  #giveUpWaiting(entry: Entry): void {
    const { tenantId, demand, weight } = entry;
    const counts = { agents: this.#fleet.size, fitting: this.#chooser.countFitting(demand) };
    const isHeldBack = this.#concurrency.isFull(tenantId);
    const wait = { tenantId, waitMsMax: demand.waitMsMax, ...counts, isHeldBack };
    this.#giveUp(entry, toGaveUp({ ...wait, forecastMs: this.forecast(tenantId, weight).waitMs }));
  }
}
