/**
 * Owns the prediction for one machine with everything on it: latencies of a schedule, and how much it serves when there is always more to do.
 * First come, first served to slots and memory; the way through the machine is machine-model.ts. Never real time: one seed is one answer.
 * Invariant: with one thread's costs zero and as many cores as slots it is M/G/c, which tests hold against Erlang's formula.
 */
import { SimulatedTime } from '../../test/simulation/simulated-time.ts';
import { percentile } from '../statistics/quantiles.ts';
import { type Arrival, scheduleOf, seededRandom } from './arrivals.ts';
import { AgentModel, CoordinatorModel, type ExecutionCosts, SharedProcessors } from './machine-model.ts';
import type { Mix } from './mix.ts';

/** A machine to predict for. */
export interface ModelledMachine {
  /** Processors that are left for us; need not be whole. */
  readonly cores: number;
  readonly slots: number;
  /** Of all executions together. */
  readonly memoryBytes: number;
}

/** What an environment's executions take; in the mix's order. */
export interface EnvironmentDemand {
  /** When the schedule does not say how much: as likely as each other. */
  readonly cpuSamplesMs: readonly number[];
  readonly waitMs: number;
  /** What its limits promise it. */
  readonly memoryBytes: number;
  /** How often its layers have to be fetched, and how long that takes. */
  readonly missShare: number;
  readonly fetchMs: number;
}

/** Everything that a prediction needs. */
export interface Model {
  readonly machine: ModelledMachine;
  readonly costs: ExecutionCosts;
  readonly demands: readonly EnvironmentDemand[];
}

/** What a prediction came to. */
export interface Prediction {
  readonly latenciesMs: readonly number[];
  /** Shares of time, 0..1, in which each was busy. */
  readonly busy: {
    readonly cores: number;
    readonly slots: number;
    readonly coordinator: number;
    readonly agent: number;
    readonly memory: number;
  };
}

interface Waiting {
  readonly cpuTimeMs: number;
  readonly demand: EnvironmentDemand;
  readonly ended: () => void;
}

const nothing: EnvironmentDemand = { cpuSamplesMs: [0], waitMs: 0, memoryBytes: 0, missShare: 0, fetchMs: 0 };

/** One machine in simulated time. */
class ModelRun {
  readonly time = new SimulatedTime();
  readonly #model: Model;
  readonly #random: { next(): number };
  readonly #processors: SharedProcessors;
  readonly #coordinator: CoordinatorModel;
  readonly #agent: AgentModel;
  readonly #queue: Waiting[] = [];
  #head = 0;
  #running = 0;
  #promisedBytes = 0;
  #slotMs = 0;
  #memoryMs = 0;
  #seenMs = 0;

  constructor(model: Model, seed: string) {
    this.#model = model;
    this.#random = seededRandom(seed);
    this.#processors = new SharedProcessors(this.time, model.machine.cores);
    this.#coordinator = new CoordinatorModel(this.#processors, model.costs);
    this.#agent = new AgentModel(this.time, this.#random, this.#processors, model.costs);
  }

  submit({ environment, cpuTimeMs }: Pick<Arrival, 'environment' | 'cpuTimeMs'>, ended: () => void): void {
    const demand = this.#model.demands[environment] ?? nothing;
    const { cpuSamplesMs } = demand;
    const drawn = cpuTimeMs ?? cpuSamplesMs[Math.floor(this.#random.next() * cpuSamplesMs.length)] ?? 0;
    this.#coordinator.accept(() => {
      this.#queue.push({ cpuTimeMs: drawn, demand, ended });
      this.#serve();
    });
  }

  busy(): Prediction['busy'] {
    this.#account();
    const { machine } = this.#model;
    const ms = Math.max(1, this.time.monotonicMs());
    return {
      cores: this.#processors.busyMs / ms / machine.cores,
      slots: this.#slotMs / ms / machine.slots,
      coordinator: this.#coordinator.thread.busyMs / ms,
      agent: this.#agent.thread.busyMs / ms,
      memory: this.#memoryMs / ms / machine.memoryBytes,
    };
  }

  #account(): void {
    const nowMs = this.time.monotonicMs();
    this.#slotMs += this.#running * (nowMs - this.#seenMs);
    this.#memoryMs += this.#promisedBytes * (nowMs - this.#seenMs);
    this.#seenMs = nowMs;
  }

  #serve(): void {
    const { slots, memoryBytes } = this.#model.machine;
    for (let next = this.#queue[this.#head]; next !== undefined; next = this.#queue[this.#head]) {
      // One that alone is too large runs alone: a plan says so elsewhere.
      const fits = this.#running === 0 || this.#promisedBytes + next.demand.memoryBytes <= memoryBytes;
      if (this.#running >= slots || !fits) return;
      this.#head += 1;
      this.#begin(next);
    }
  }

  #begin({ cpuTimeMs, demand, ended }: Waiting): void {
    this.#account();
    this.#running += 1;
    this.#promisedBytes += demand.memoryBytes;
    const fetchMs = this.#random.next() < demand.missShare ? demand.fetchMs : 0;
    this.#agent.run(cpuTimeMs, demand.waitMs + fetchMs, () => {
      this.#coordinator.complete(() => {
        this.#account();
        this.#running -= 1;
        this.#promisedBytes -= demand.memoryBytes;
        this.#serve();
      }, ended);
    });
  }
}

/** Latencies of a schedule. */
export function predict(model: Model, schedule: readonly Arrival[], seed = 'model'): Prediction {
  const run = new ModelRun(model, seed);
  const latenciesMs: number[] = [];
  for (const arrival of schedule) {
    run.time.after(arrival.atMs, () =>
      run.submit(arrival, () => latenciesMs.push(run.time.monotonicMs() - arrival.atMs)),
    );
  }
  const lastMs = schedule.at(-1)?.atMs ?? 0;
  run.time.runUntil(lastMs);
  const busy = run.busy();
  while (latenciesMs.length < schedule.length && run.time.step());
  return { latenciesMs, busy };
}

/** The p99 of a mix at a rate (a second), over so many submissions in all. */
export function predictP99(model: Model, mix: Mix, ratePerSecond: number, count: number, seed: string): number {
  const schedule = scheduleOf(mix, ratePerSecond, (count * 1000) / ratePerSecond, seed);
  return percentile(predict(model, schedule, seed).latenciesMs, 0.99);
}

/** Served a second when so many submissions are always under way, and what was busy meanwhile. */
export function predictSaturated(model: Model, mix: Mix, inFlight: number, count: number, seed: string) {
  const run = new ModelRun(model, seed);
  const what = scheduleOf(mix, 1, count * 1000, seed);
  let [next, done] = [0, 0];
  const go = () => {
    const arrival = what[next++];
    if (arrival === undefined) return;
    run.submit(arrival, () => {
      done += 1;
      go();
    });
  };
  for (let each = 0; each < inFlight; each += 1) go();
  while (done < count - inFlight && run.time.step());
  return { perSecond: (done * 1000) / run.time.monotonicMs(), busy: run.busy() };
}
