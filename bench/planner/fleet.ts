/**
 * Owns extrapolating to fleets: the real scheduler in the project's simulated time and world (test/simulation), over agents whose machines are the
 * fitted model. One agent on the machine of its coordinator is what was calibrated; more agents have machines of their own.
 * Never fits and never measures. Invariant: one seed is one answer; nothing goes wrong in it that the calibration did not have: no cuts, no failures.
 */
import { Fleet } from '../../coordinator/agents/fleet.ts';
import { FairScheduler } from '../../coordinator/scheduler/fair-scheduler.ts';
import type { Demand } from '../../coordinator/scheduler/scheduler.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import { Books } from '../../test/simulation/books.ts';
import { SimulatedAgent, type SimulatedOrder, type World } from '../../test/simulation/simulated-agent.ts';
import { SimulatedChance, SimulatedTime } from '../../test/simulation/simulated-time.ts';
import { siteOf } from '../../test/support/site-cases.ts';
import { percentile } from '../statistics/quantiles.ts';
import { type Arrival, scheduleOf } from './arrivals.ts';
import { AgentModel, CoordinatorModel, SharedProcessors } from './machine-model.ts';
import type { Mix } from './mix.ts';
import type { Model } from './queueing-model.ts';

/** A fleet to ask. */
export interface FleetShape {
  readonly machines: number;
  /** Each on a machine as the agents have; of one machine, the agent's own. */
  readonly coordinators: number;
  /** Of a message between coordinator and agent, from and to. */
  readonly networkMs: readonly [number, number];
}

/** What a fleet came to. */
export interface FleetPrediction {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of the time in which its one thread was busy; the busiest. */
  readonly coordinatorBusy: number;
}

/** On one machine a message goes over loopback; what that takes is in the calibration's delays. */
export const loopback: readonly [number, number] = [0, 0];
/** Within a data centre. */
export const network: readonly [number, number] = [0.1, 0.5];

const TENANT = 'planned';
const WARM_UP_MS = 3000;
const SETTLED_MS = 3_600_000;
/** The shelf of a simulated agent holds few layers, all of one weight: misses are drawn by the model instead. */
const WARM_KEYS = 7;

interface PlannedOrder extends SimulatedOrder {
  readonly waitMs: number;
  readonly answered: () => void;
}

class FleetRun {
  readonly time = new SimulatedTime();
  readonly #chance: SimulatedChance;
  readonly #model: Model;
  readonly #books: Books;
  readonly #scheduler: FairScheduler;
  readonly #agents = new Map<AgentId, { readonly model: AgentModel; readonly simulated: SimulatedAgent }>();
  readonly coordinators: CoordinatorModel[] = [];
  #submitted = 0;
  #next = 0;

  constructor(model: Model, shape: FleetShape, seed: string) {
    const { time } = this;
    const chance = new SimulatedChance(seed);
    this.#chance = chance;
    this.#model = model;
    this.#books = new Books(time, chance, (id, execution) => this.#agents.get(id)?.simulated.has(execution) ?? false);
    const fleet = new Fleet();
    const options = { retriesMax: 3, leaseTtlMs: 15_000, offerTimeoutMs: 5000, reconnectGraceMs: 700 };
    this.#scheduler = new FairScheduler({ clock: time, random: chance, fleet }, options);
    this.#scheduler.start();
    const world: World = {
      ...{ time, chance, books: this.#books, coordinator: { fleet, scheduler: this.#scheduler } },
      ...{ reportIntervalMs: 3000, leaseTtlMs: options.leaseTtlMs, delayMs: shape.networkMs },
      weather: { refusedPercent: 0, failedPercent: 0, silentPercent: 0, oddPercent: 0, fetchMs: 0 },
      serve: (id, order, done) => this.#serve(id, order as PlannedOrder, done),
    };
    this.#build(world, shape);
  }

  #build(world: World, { machines, coordinators }: FleetShape): void {
    const { time } = this;
    const { machine, costs } = this.#model;
    let together: SharedProcessors | null = null;
    for (let number = 0; number < coordinators; number += 1) {
      const processors = new SharedProcessors(time, machine.cores);
      together = processors;
      this.coordinators.push(new CoordinatorModel(processors, costs));
    }
    for (let number = 0; number < machines; number += 1) {
      const processors = machines === 1 && together !== null ? together : new SharedProcessors(time, machine.cores);
      const id: AgentId = `agent_${number}`;
      const simulated = new SimulatedAgent(world, id, machine.slots, machine.memoryBytes);
      this.#agents.set(id, { simulated, model: new AgentModel(time, this.#chance, processors, costs) });
      time.after(this.#chance.between(0, WARM_UP_MS / 2), () => simulated.connect());
    }
  }

  /** The machine of an agent does it; the coordinator reads the result before it counts. */
  #serve(id: AgentId, { durationMs, waitMs, answered }: PlannedOrder, done: () => void): void {
    const coordinator = this.coordinators[this.#next++ % this.coordinators.length];
    this.#agents.get(id)?.model.run(durationMs, waitMs, () => coordinator?.complete(done, answered));
  }

  submit({ environment, cpuTimeMs }: Arrival, answered: () => void): void {
    const demand = this.#model.demands[environment];
    const samples = demand?.cpuSamplesMs ?? [];
    const durationMs = cpuTimeMs ?? samples[Math.floor(this.#chance.next() * samples.length)] ?? 0;
    const isMissed = this.#chance.next() < (demand?.missShare ?? 0);
    const executionId: ExecutionId = `exec_${this.#submitted++}`;
    const order: PlannedOrder = {
      ...{ executionId, durationMs, answered, layers: ['base', `environment ${environment % WARM_KEYS}`] },
      waitMs: (demand?.waitMs ?? 0) + (isMissed ? (demand?.fetchMs ?? 0) : 0),
      memoryBytes: Math.min(demand?.memoryBytes ?? 0, this.#model.machine.memoryBytes),
    };
    const asked: Demand = {
      ...{ executionId, tenantId: TENANT, weight: 1, kind: `environment ${environment}` },
      ...{
        durationMsMax: 600_000,
        waitMsMax: 600_000,
        layers: order.layers,
        memoryBytes: order.memoryBytes,
        diskBytes: 1,
      },
      constraints: { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false },
      site: siteOf(TENANT),
      order: () => order as never,
      listener: this.#books.listener(),
    };
    this.coordinators[this.#submitted % this.coordinators.length]?.accept(() => {
      this.#books.submitted(asked);
      this.#scheduler.submit(asked);
    });
  }
}

/** What a schedule's latencies are on a fleet. */
export function predictFleet(
  model: Model,
  shape: FleetShape,
  schedule: readonly Arrival[],
  seed: string,
): FleetPrediction {
  const run = new FleetRun(model, shape, seed);
  const latencies: number[] = [];
  for (const arrival of schedule) {
    run.time.after(WARM_UP_MS + arrival.atMs, () => {
      const fromMs = run.time.monotonicMs();
      run.submit(arrival, () => latencies.push(run.time.monotonicMs() - fromMs));
    });
  }
  const lastMs = WARM_UP_MS + (schedule.at(-1)?.atMs ?? 0);
  run.time.runUntil(lastMs);
  const coordinatorBusy = Math.max(...run.coordinators.map(({ thread }) => thread.busyMs)) / (lastMs - WARM_UP_MS);
  while (latencies.length < schedule.length && run.time.monotonicMs() < lastMs + SETTLED_MS && run.time.step());
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), coordinatorBusy };
}

/** The same at a rate (a second) of a mix, over so many submissions. */
export function predictFleetAt(
  model: Model,
  mix: Mix,
  shape: FleetShape,
  ratePerSecond: number,
  count: number,
  seed: string,
): FleetPrediction {
  return predictFleet(model, shape, scheduleOf(mix, ratePerSecond, (count * 1000) / ratePerSecond, seed), seed);
}

/** Least coordinators whose threads are not busier than this at a rate. */
const COORDINATOR_BUSY_MAX = 0.7;

/** How many coordinators a rate wants. */
export function coordinatorsFor(model: Model, ratePerSecond: number): number {
  return Math.max(1, Math.ceil((ratePerSecond * model.costs.coordinatorMs) / 1000 / COORDINATOR_BUSY_MAX));
}

/** Machines that a rate of a mix wants so that its target is kept; null: more than `machinesMax`. */
export interface FleetSize {
  readonly machines: number | null;
  readonly coordinators: number;
  readonly prediction: FleetPrediction | null;
}

const SAMPLES_PER_SLOT = 60;
const SAMPLES_MIN = 6000;
const SAMPLES_MAX = 60_000;

/** The smallest fleet that keeps the mix's target at a rate; from the guess that one machine's knee gives, up or down. */
export function sizeFleet(
  model: Model,
  mix: Mix,
  ratePerSecond: number,
  kneePerMachine: number,
  machinesMax: number,
  seed = 'fleet',
): FleetSize {
  const coordinators = coordinatorsFor(model, ratePerSecond);
  const look = (machines: number) => {
    const wanted = machines * model.machine.slots * SAMPLES_PER_SLOT;
    const count = Math.round(Math.min(SAMPLES_MAX, Math.max(SAMPLES_MIN, wanted)));
    const shape = { machines, coordinators, networkMs: machines === 1 ? loopback : network };
    return predictFleetAt(model, mix, shape, ratePerSecond, count, seed);
  };
  const found = smallest(look, ({ p99Ms }) => p99Ms <= mix.target.p99Ms, {
    guess: Math.min(machinesMax, Math.max(1, Math.ceil(ratePerSecond / Math.max(kneePerMachine, 1e-9)))),
    machinesMax,
  });
  return { machines: found?.machines ?? null, coordinators, prediction: found?.prediction ?? null };
}

/** The smallest number of machines that keeps the target: outwards from a guess by its twentieth until one does and one does not, then halving. */
function smallest(
  look: (machines: number) => FleetPrediction,
  keeps: (prediction: FleetPrediction) => boolean,
  { guess, machinesMax }: { guess: number; machinesMax: number },
): { readonly machines: number; readonly prediction: FleetPrediction } | null {
  const step = Math.max(1, Math.round(guess / 20));
  let tooFew = 0;
  let best: { machines: number; prediction: FleetPrediction } | null = null;
  for (let machines = guess; machines > tooFew; ) {
    const prediction = look(machines);
    if (keeps(prediction)) {
      best = { machines, prediction };
      if (tooFew > 0) break;
      machines = Math.max(1, machines - step);
      if (machines === best.machines) break;
    } else {
      tooFew = machines;
      if (best !== null) break;
      if (machines >= machinesMax) return null;
      machines = Math.min(machinesMax, machines + step);
    }
  }
  while (best !== null && best.machines - tooFew > 1) {
    const machines: number = Math.floor((tooFew + best.machines) / 2);
    const prediction = look(machines);
    if (keeps(prediction)) best = { machines, prediction };
    else tooFew = machines;
  }
  return best;
}
