/**
 * Owns one run of the real scheduler in simulated time: tenants that ask, agents that misbehave, coordinators that die, and books that are looked at
 * after every event. One seed is one run. Never real time, never real sandboxes.
 */
import { Fleet } from '../../coordinator/agents/fleet.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { Demand } from '../../coordinator/scheduler/scheduler.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import { siteOf } from '../support/site-cases.ts';
import { Books, RETRIES_MAX } from './books.ts';
import { SimulatedAgent, type SimulatedOrder, type Weather, type World } from './simulated-agent.ts';
import { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** A tenant that asks for executions at random moments. */
export interface SimulatedTenant {
  readonly id: string;
  readonly weight: number;
  readonly perSecond: number;
  readonly durationMs: number;
  /** Keeps so many waiting at all times instead. */
  readonly backlog?: number;
}

/** Somebody publishes something, and everybody wants it at once. */
export interface FlashCrowd {
  readonly atMs: number;
  readonly tenantId: string;
  readonly demands: number;
  /** Within this time. */
  readonly withinMs: number;
  readonly durationMs: number;
}

/** How often something happens to each agent in a minute, and for how long. */
export interface Trouble {
  readonly cutsPerMinute: number;
  readonly deathsPerMinute: number;
  /** How long it is away after those. */
  readonly awayMs: readonly [number, number];
  readonly partitionsPerMinute: number;
  readonly partitionMs: readonly [number, number];
}

/** What a run is made of. */
export interface Scenario {
  readonly agents: number;
  readonly slots: readonly number[];
  readonly tenants: readonly SimulatedTenant[];
  /** Environments; the first ones are asked for most. */
  readonly keys: number;
  readonly zipf: number;
  readonly weather: Weather;
  readonly trouble: Trouble;
  /** How long tenants ask, in milliseconds. */
  readonly durationMs: number;
  readonly waitMsMax?: number;
  readonly crowd?: FlashCrowd;
  /** When a coordinator dies, and how long it takes until there is another. */
  readonly failOversMs?: readonly number[];
  readonly downMs?: readonly [number, number];
}

const MEMORY = 512;
export const schedulerOptions = {
  retriesMax: RETRIES_MAX,
  leaseTtlMs: 15_000,
  offerTimeoutMs: 5000,
  reconnectGraceMs: 1000,
};
const REPORT_INTERVAL_MS = 3000;
const WAIT_MS_MAX = 600_000;
/** After its last request everything is over within this. */
const SETTLED_MS = 1_800_000;
const LOOK_MS = 500;

/** One run. */
export class Simulation {
  readonly time = new SimulatedTime();
  readonly chance: SimulatedChance;
  readonly books: Books;
  readonly agents: SimulatedAgent[] = [];
  readonly #scenario: Scenario;
  #coordinator: { readonly fleet: Fleet; readonly scheduler: FairScheduler } | null = null;
  #lookedAtPlacements = 0;
  #weather: Weather;
  /** Called at every look. */
  looked: () => void = () => undefined;

  constructor(seed: string, scenario: Scenario) {
    this.chance = new SimulatedChance(seed);
    this.#scenario = scenario;
    this.#weather = scenario.weather;
    const { time, chance } = this;
    const byId = new Map<AgentId, SimulatedAgent>();
    const has = (agentId: AgentId, executionId: ExecutionId) => byId.get(agentId)?.has(executionId) ?? false;
    this.books = new Books(time, chance, has);
    this.#begin();
    const simulation = this;
    const world: World = {
      ...{ time, chance, books: this.books, reportIntervalMs: REPORT_INTERVAL_MS },
      leaseTtlMs: schedulerOptions.leaseTtlMs,
      get weather() {
        return simulation.#weather;
      },
      get coordinator() {
        return simulation.#coordinator;
      },
    };
    for (let number = 0; number < scenario.agents; number += 1) {
      const slots = chance.of(scenario.slots);
      const agent = new SimulatedAgent(world, `agent_${number}`, slots, Math.max(MEMORY, (slots * MEMORY) / 2));
      this.agents.push(agent);
      byId.set(agent.id, agent);
      time.after(chance.between(0, 2000), () => agent.connect());
    }
  }

  get counts(): Books['counts'] {
    return this.books.counts;
  }

  /** Milliseconds that each demand of a tenant waited for its first agent. */
  waitsOf(tenantId: string): number[] {
    return this.books.of(tenantId).flatMap(({ waitMs }) => (waitMs === null ? [] : [waitMs]));
  }

  /** Milliseconds from asking to the result, of each demand of a tenant that had one. */
  latenciesOf(tenantId: string): number[] {
    return this.books.of(tenantId).flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs]));
  }

  /** Lets the whole scenario happen, then heals the world and waits until nothing is left. */
  run(): void {
    const { durationMs, tenants, crowd, failOversMs = [] } = this.#scenario;
    for (const tenant of tenants) this.#askAgain(tenant);
    if (crowd !== undefined) this.#gather(crowd);
    for (const atMs of failOversMs) this.time.after(atMs, () => this.#failOver());
    this.#trouble();
    for (let atMs = 0; atMs <= durationMs; atMs += LOOK_MS) this.#runUntil(atMs);
    this.#weather = { ...this.#weather, refusedPercent: 0, failedPercent: 0, silentPercent: 0 };
    for (const agent of this.agents) agent.connect();
    const { counts } = this.books;
    const endMs = durationMs + SETTLED_MS;
    while (counts.queued + counts.placed + counts.keeping > 0 && this.time.monotonicMs() < endMs) {
      this.#runUntil(this.time.monotonicMs() + LOOK_MS);
    }
    // Cancelled leases are given back by the reports after.
    this.#runUntil(this.time.monotonicMs() + 60_000);
    if (this.#coordinator === null) throw new Error('the coordinator did not come back');
    this.books.checkEnd(this.#coordinator.scheduler, this.#coordinator.fleet);
  }

  #runUntil(atMs: number): void {
    this.time.runUntil(atMs, () => this.#check());
    if (this.#coordinator !== null) this.books.checkWaiting(this.#coordinator.scheduler);
    this.looked();
  }

  #begin(): void {
    const fleet = new Fleet();
    const scheduler = new FairScheduler({ clock: this.time, random: this.chance, fleet }, schedulerOptions);
    this.#coordinator = { fleet, scheduler };
    scheduler.start();
  }

  /** The coordinator dies between two events; the next one takes up what was accepted and has no result that was kept. */
  #failOver(): void {
    const { downMs = [0, 0] } = this.#scenario;
    if (this.#coordinator === null) return;
    this.#coordinator.scheduler.stop();
    this.#coordinator = null;
    const open = this.books.crashed();
    for (const agent of this.agents) if (agent.isConnected) agent.orphan();
    this.time.after(this.chance.between(...downMs), () => {
      this.#begin();
      const listener = this.books.listener();
      for (const demand of open) this.#coordinator?.scheduler.submit({ ...demand, listener });
    });
  }

  #askAgain(tenant: SimulatedTenant): void {
    const { backlog, perSecond, durationMs } = tenant;
    this.time.after(this.chance.gap(1000 / perSecond), () => {
      if (this.time.monotonicMs() > this.#scenario.durationMs) return;
      if (backlog === undefined) this.#submit(tenant.id, tenant.weight, this.chance.gap(durationMs), this.#drawKey());
      else {
        for (let missing = backlog - this.books.waitingOf(tenant.id); missing > 0; missing -= 1) {
          this.#submit(tenant.id, tenant.weight, this.chance.between(0.1, 1.9) * durationMs, this.#drawKey());
        }
      }
      this.#askAgain(tenant);
    });
  }

  #drawKey(): string {
    return `key-${this.chance.zipf(this.#scenario.keys, this.#scenario.zipf)}`;
  }

  #gather({ atMs, tenantId, demands, withinMs, durationMs }: FlashCrowd): void {
    for (let number = 0; number < demands; number += 1) {
      const delayMs = atMs + this.chance.between(0, withinMs);
      this.time.after(delayMs, () => this.#submit(tenantId, 1, this.chance.gap(durationMs), 'key-never-seen'));
    }
  }

  #submit(tenantId: string, weight: number, durationMs: number, key: string): void {
    const { chance, time, books } = this;
    // Nobody listens: nothing is accepted.
    if (this.#coordinator === null) return;
    const executionId: ExecutionId = `exec_${this.counts.submitted}`;
    const order: SimulatedOrder = {
      ...{ executionId, durationMs, layers: ['base', key] },
      memoryBytes: chance.of([MEMORY / 4, MEMORY / 2, MEMORY]),
    };
    const { waitMsMax = WAIT_MS_MAX } = this.#scenario;
    const demand: Demand = {
      ...{ executionId, tenantId, weight, kind: key, durationMsMax: 600_000, waitMsMax },
      ...{ layers: order.layers, memoryBytes: order.memoryBytes, diskBytes: 1 },
      constraints: { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false },
      site: siteOf(tenantId),
      order: () => order as never,
      listener: books.listener(),
    };
    books.submitted(demand);
    this.#coordinator.scheduler.submit(demand);
    if (chance.percent(2)) time.after(chance.gap(2000), () => this.#withdraw(executionId));
  }

  #withdraw(executionId: ExecutionId): void {
    if (this.#coordinator !== null && this.books.withdrawn(executionId)) {
      this.#coordinator.scheduler.withdraw(executionId);
    }
  }

  /** Agents lose their connection, their network or their life, and come back. */
  #trouble(): void {
    const { durationMs, trouble } = this.#scenario;
    const { cutsPerMinute, deathsPerMinute, partitionsPerMinute, awayMs, partitionMs } = trouble;
    const perAgent = cutsPerMinute + deathsPerMinute + partitionsPerMinute;
    if (perAgent === 0) return;
    this.time.after(this.chance.gap(60_000 / (perAgent * this.agents.length)), () => {
      if (this.time.monotonicMs() > durationMs) return;
      const agent = this.chance.of(this.agents);
      const which = this.chance.next() * perAgent;
      if (which < partitionsPerMinute) agent.partition(this.chance.between(...partitionMs));
      else {
        if (which < partitionsPerMinute + cutsPerMinute) agent.disconnect();
        else agent.die();
        this.time.after(this.chance.between(...awayMs), () => agent.connect());
      }
      this.#trouble();
    });
  }

  #check(): void {
    if (this.#coordinator === null) return;
    const { fleet, scheduler } = this.#coordinator;
    this.books.check(scheduler);
    // Looking at every agent after every event would take longer than everything else together.
    if (this.counts.placements - this.#lookedAtPlacements < this.agents.length) return;
    this.#lookedAtPlacements = this.counts.placements;
    this.books.checkAgents(fleet);
  }
}
