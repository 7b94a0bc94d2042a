/**
 * Owns one run of the real scheduler in simulated time: tenants that ask, agents that misbehave, and a bookkeeper that looks after every event
 * whether what must always be true is true. One seed is one run. Never real time, never real sandboxes.
 */
import assert from 'node:assert/strict';
import { Fleet } from '../../coordinator/agents/fleet.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { Demand, DemandListener } from '../../coordinator/scheduler/scheduler.ts';
import type { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import { siteOf } from '../support/site-cases.ts';
import { SimulatedAgent, type SimulatedOrder, type Weather } from './simulated-agent.ts';
import { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** A tenant that asks for executions at random moments. */
export interface SimulatedTenant {
  readonly id: string;
  readonly weight: number;
  readonly perSecond: number;
  readonly durationMs: number;
}

/** What a run is made of. */
export interface Scenario {
  readonly agents: number;
  readonly slots: readonly number[];
  readonly tenants: readonly SimulatedTenant[];
  /** Environments; the first ones are asked for most (Zipf). */
  readonly keys: number;
  readonly weather: Weather;
  /** How long tenants ask, in milliseconds. */
  readonly durationMs: number;
  /** What happens to an agent, how often in a minute for each. */
  readonly cutsPerMinute: number;
  readonly deathsPerMinute: number;
  /** How long it is away. */
  readonly awayMs: readonly [number, number];
}

/** What became of one demand. */
interface Account {
  readonly tenantId: string;
  readonly submittedMs: number;
  state: 'queued' | 'placed' | 'done' | 'given-up' | 'withdrawn';
  fence: number;
  attempts: number;
  firstPlacedMs: number | null;
  waitMs: number;
  latencyMs: number | null;
}

const MEMORY = 512;
export const schedulerOptions = {
  retriesMax: 3,
  leaseTtlMs: 15_000,
  offerTimeoutMs: 5000,
  reconnectGraceMs: 1000,
};
const WAIT_MS_MAX = 600_000;
/** After its last request everything is over within this. */
const SETTLED_MS = 1_800_000;
/** A demand that could run somewhere is placed within this: two waits for a busy holder, a sweep, the back-off after a failure. */
const IDLE_MS_MAX = 2500;

/** One run. */
export class Simulation {
  readonly time = new SimulatedTime();
  readonly chance: SimulatedChance;
  readonly fleet = new Fleet();
  readonly scheduler: FairScheduler;
  readonly agents: SimulatedAgent[] = [];
  readonly #scenario: Scenario;
  readonly #accounts = new Map<ExecutionId, Account>();
  readonly #counts = {
    submitted: 0,
    queued: 0,
    placed: 0,
    done: 0,
    givenUp: 0,
    withdrawn: 0,
    quarantined: 0,
    placements: 0,
  };
  #lookedAtPlacements = 0;
  readonly #couldRunSince = new Map<ExecutionId, number>();
  #weather: Weather;

  constructor(seed: string, scenario: Scenario) {
    this.chance = new SimulatedChance(seed);
    this.#scenario = scenario;
    this.#weather = scenario.weather;
    const { time, chance, fleet } = this;
    this.scheduler = new FairScheduler({ clock: time, random: chance, fleet }, schedulerOptions);
    this.scheduler.start();
    const simulation = this;
    const world = {
      ...{ time, chance, fleet, scheduler: this.scheduler, reportIntervalMs: 3000 },
      get weather() {
        return simulation.#weather;
      },
    };
    for (let number = 0; number < scenario.agents; number += 1) {
      const slots = chance.of(scenario.slots);
      const agent = new SimulatedAgent(world, `agent_${number}`, slots, slots * MEMORY);
      this.agents.push(agent);
      time.after(chance.between(0, 2000), () => agent.connect());
    }
  }

  get counts() {
    return this.#counts;
  }

  /** Milliseconds that each demand of a tenant waited for its first agent. */
  waitsOf(tenantId: string): number[] {
    return [...this.#accounts.values()]
      .filter((one) => one.tenantId === tenantId && one.firstPlacedMs !== null)
      .map(({ waitMs }) => waitMs);
  }

  /** Milliseconds from asking to the result, of each demand of a tenant that had one. */
  latenciesOf(tenantId: string): number[] {
    return [...this.#accounts.values()].flatMap((one) =>
      one.tenantId === tenantId && one.latencyMs !== null ? [one.latencyMs] : [],
    );
  }

  /** Lets the whole scenario happen, then heals the world and waits until nothing is left. */
  run(): void {
    const { durationMs, tenants } = this.#scenario;
    for (const tenant of tenants) this.#askAgain(tenant);
    this.#trouble();
    for (let atMs = 0; atMs < durationMs; atMs += 500) {
      this.time.runUntil(atMs, () => this.#check());
      this.#checkWorkConservation();
    }
    this.#weather = { ...this.#weather, refusedPercent: 0, failedPercent: 0, silentPercent: 0 };
    for (const agent of this.agents) agent.connect();
    const endMs = durationMs + SETTLED_MS;
    while (this.#counts.queued + this.#counts.placed > 0 && this.time.monotonicMs() < endMs) {
      this.time.runUntil(this.time.monotonicMs() + 1000, () => this.#check());
    }
    // Cancelled leases are given back by the reports after.
    this.time.runUntil(this.time.monotonicMs() + 60_000, () => this.#check());
    this.#checkEnd();
  }

  #askAgain(tenant: SimulatedTenant): void {
    this.time.after(this.chance.gap(1000 / tenant.perSecond), () => {
      if (this.time.monotonicMs() > this.#scenario.durationMs) return;
      this.#submit(tenant);
      this.#askAgain(tenant);
    });
  }

  #submit({ id: tenantId, weight, durationMs }: SimulatedTenant): void {
    const { chance, time } = this;
    const executionId: ExecutionId = `exec_${this.#counts.submitted}`;
    const key = Math.floor(this.#scenario.keys ** chance.next()) - 1;
    const order: SimulatedOrder = {
      ...{ executionId, durationMs: chance.gap(durationMs), layers: ['base', `key-${key}`] },
      memoryBytes: chance.of([MEMORY / 4, MEMORY / 2, MEMORY]),
    };
    const demand: Demand = {
      ...{ executionId, tenantId, weight, kind: `key-${key}`, durationMsMax: 600_000, waitMsMax: WAIT_MS_MAX },
      ...{ layers: order.layers, memoryBytes: order.memoryBytes, diskBytes: 1 },
      constraints: { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false },
      site: siteOf(tenantId),
      order: () => order as never,
      listener: this.#listener,
    };
    const fresh = { state: 'queued', fence: 0, attempts: 0, firstPlacedMs: null, waitMs: 0, latencyMs: null } as const;
    this.#accounts.set(executionId, { tenantId, submittedMs: time.monotonicMs(), ...fresh });
    this.#counts.submitted += 1;
    this.#counts.queued += 1;
    this.scheduler.submit(demand);
    if (chance.percent(2)) time.after(chance.gap(2000), () => this.#withdraw(executionId));
  }

  #withdraw(executionId: ExecutionId): void {
    const account = this.#of(executionId);
    if (account.state !== 'queued' && account.state !== 'placed') return;
    this.#counts[account.state] -= 1;
    this.#counts.withdrawn += 1;
    account.state = 'withdrawn';
    this.#couldRunSince.delete(executionId);
    this.scheduler.withdraw(executionId);
  }

  /** Agents lose their connection or their life, and come back. */
  #trouble(): void {
    const { cutsPerMinute, deathsPerMinute, awayMs, durationMs } = this.#scenario;
    const perMinute = (cutsPerMinute + deathsPerMinute) * this.agents.length;
    if (perMinute === 0) return;
    this.time.after(this.chance.gap(60_000 / perMinute), () => {
      if (this.time.monotonicMs() > durationMs) return;
      const agent = this.chance.of(this.agents);
      if (this.chance.next() * (cutsPerMinute + deathsPerMinute) < cutsPerMinute) agent.disconnect();
      else agent.die();
      this.time.after(this.chance.between(...awayMs), () => agent.connect());
      this.#trouble();
    });
  }

  #of(executionId: ExecutionId): Account {
    const account = this.#accounts.get(executionId);
    assert.ok(account !== undefined);
    return account;
  }

  readonly #listener: DemandListener = {
    placed: (id) => {
      const account = this.#of(id);
      assert.equal(account.state, 'queued', `${id} is placed while it is ${account.state}`);
      account.state = 'placed';
      account.attempts += 1;
      this.#counts.queued -= 1;
      this.#counts.placed += 1;
      this.#counts.placements += 1;
      this.#couldRunSince.delete(id);
      if (account.firstPlacedMs !== null) return;
      account.firstPlacedMs = this.time.monotonicMs();
      account.waitMs = account.firstPlacedMs - account.submittedMs;
    },
    started: (id) => assert.equal(this.#of(id).state, 'placed'),
    fetching: () => undefined,
    output: () => undefined,
    requeued: (id) => {
      assert.equal(this.#of(id).state, 'placed');
      this.#of(id).state = 'queued';
      this.#counts.placed -= 1;
      this.#counts.queued += 1;
    },
    completed: (id, { failure }) => {
      assert.equal(failure?.isRetryable ?? false, false, `${id} ends by what could be tried again`);
      assert.equal(this.#of(id).state, 'placed', `a second result of ${id}, or one after its end`);
      this.#of(id).state = 'done';
      this.#of(id).latencyMs = this.time.monotonicMs() - this.#of(id).submittedMs;
      this.#counts.placed -= 1;
      this.#counts.done += 1;
      return undefined;
    },
    gaveUp: (id, cause: SystemError) => {
      const account = this.#of(id);
      assert.ok(account.state === 'queued' || account.state === 'placed');
      assert.ok(['retries-exhausted', 'no-agent', 'execution-quarantined'].includes(cause.code), cause.code);
      if (cause.code === 'execution-quarantined') {
        assert.ok(account.attempts >= 2);
        this.#counts.quarantined += 1;
      }
      if (cause.code === 'retries-exhausted') assert.ok(account.attempts > schedulerOptions.retriesMax);
      this.#counts[account.state] -= 1;
      this.#counts.givenUp += 1;
      account.state = 'given-up';
      this.#couldRunSince.delete(id);
    },
  };

  /** What must be true after every event. */
  #check(): void {
    const { submitted, queued, placed, done, givenUp, withdrawn } = this.#counts;
    assert.equal(submitted, queued + placed + done + givenUp + withdrawn, 'every demand is somewhere');
    assert.equal(this.scheduler.depth, queued, 'the queue is what was told');
    assert.ok(this.scheduler.running >= placed, 'whatever is placed has a lease');
    // Looking at every agent after every event would take longer than everything else together.
    if (this.#counts.placements - this.#lookedAtPlacements < this.agents.length) return;
    this.#lookedAtPlacements = this.#counts.placements;
    for (const agent of this.fleet.all()) {
      assert.ok(
        agent.leases <= Math.max(agent.slots, agent.leases === 0 ? 0 : agent.slots),
        `${agent.id} has more leases than slots`,
      );
      assert.ok(agent.freeMemoryBytes >= 0, `${agent.id} has more memory promised than it offers`);
    }
    for (const agent of this.agents) assert.ok(agent.running <= agent.slots);
  }

  /** Nothing waits for long while an agent could take it. */
  #checkWorkConservation(): void {
    const nowMs = this.time.monotonicMs();
    let looked = 0;
    for (const [id, { state }] of this.#accounts) {
      if (state !== 'queued') continue;
      looked += 1;
      if (looked > 8) return;
      const waiting = this.scheduler.explain(id);
      const couldRun = waiting?.agents.some(({ obstacles }) => obstacles.length === 0) ?? false;
      if (!couldRun) this.#couldRunSince.delete(id);
      else if (!this.#couldRunSince.has(id)) this.#couldRunSince.set(id, nowMs);
      const sinceMs = this.#couldRunSince.get(id);
      assert.ok(sinceMs === undefined || nowMs - sinceMs <= IDLE_MS_MAX, `${id} waits although an agent could take it`);
    }
  }

  #checkEnd(): void {
    const { submitted, done, givenUp, withdrawn, queued, placed } = this.#counts;
    assert.deepEqual([queued, placed], [0, 0], 'everything ended');
    assert.equal(submitted, done + givenUp + withdrawn);
    assert.equal(this.scheduler.running, 0, 'no lease is left');
    for (const agent of this.fleet.all()) {
      assert.deepEqual([agent.leases, agent.freeMemoryBytes], [0, agent.slots * MEMORY], `${agent.id} has all it had`);
    }
  }
}
