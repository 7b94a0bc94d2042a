/**
 * Owns the model of one machine: processors that all that runs share evenly, programs of one thread (coordinator, agent, generator), and the way of
 * an execution through them. Processor sharing after Kleinrock, "Time-Shared Systems" (1967), with several processors: each of n runs at min(1, c/n).
 * Never queues for a slot: whoever models a scheduler does. Simulated time only. Milliseconds.
 * Invariant: work is neither lost nor made: the processors give to all together what each is given.
 */
import { type Heaped, IndexedHeap } from '../../coordinator/scheduler/indexed-heap.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';

interface Share extends Heaped {
  /** In the time of one who is alone. */
  readonly endsAt: number;
  readonly done: () => void;
}

const LEAST_MS = 1e-6;

/** Processors that are shared evenly. */
export class SharedProcessors {
  readonly #clock: Clock;
  readonly #cores: number;
  readonly #shares = new IndexedHeap<Share>((a, b) => a.endsAt < b.endsAt);
  #count = 0;
  #served = 0;
  #atMs = 0;
  #timer: Timer | null = null;
  /** Processor milliseconds that were given out. */
  busyMs = 0;

  constructor(clock: Clock, cores: number) {
    this.#clock = clock;
    this.#cores = cores;
  }

  /** So much work more; it is done when its share of the processors has been as much. */
  work(ms: number, done: () => void): void {
    this.#advance();
    this.#shares.place({ endsAt: this.#served + Math.max(0, ms), done, heapIndex: -1 });
    this.#count += 1;
    this.#look();
  }

  /** Share of the processors that has something to do, 0..1. */
  get load(): number {
    return Math.min(1, this.#count / this.#cores);
  }

  get #rate(): number {
    return this.#count === 0 ? 0 : Math.min(1, this.#cores / this.#count);
  }

  #advance(): void {
    const nowMs = this.#clock.monotonicMs();
    const passed = (nowMs - this.#atMs) * this.#rate;
    this.busyMs += passed * this.#count;
    this.#served += passed;
    this.#atMs = nowMs;
  }

  #look(): void {
    this.#timer?.cancel();
    const first = this.#shares.first();
    this.#timer =
      first === undefined
        ? null
        : this.#clock.after(Math.max(0, first.endsAt - this.#served) / this.#rate, () => this.#finish());
  }

  #finish(): void {
    this.#advance();
    const ended: Share[] = [];
    for (let first = this.#shares.first(); first !== undefined; first = this.#shares.first()) {
      if (first.endsAt > this.#served + LEAST_MS) break;
      this.#shares.remove(first);
      this.#count -= 1;
      ended.push(first);
    }
    this.#look();
    for (const { done } of ended) done();
  }
}

/** A program of one thread: one thing after another, each on the shared processors. */
export class SingleThread {
  readonly #processors: SharedProcessors;
  readonly #waiting: { readonly ms: number; readonly done: () => void }[] = [];
  #isBusy = false;
  busyMs = 0;

  constructor(processors: SharedProcessors) {
    this.#processors = processors;
  }

  work(ms: number, done: () => void): void {
    if (this.#isBusy) this.#waiting.push({ ms, done });
    else this.#begin(ms, done);
  }

  #begin(ms: number, done: () => void): void {
    this.#isBusy = true;
    this.busyMs += ms;
    this.#processors.work(ms, () => {
      this.#isBusy = false;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#begin(next.ms, next.done);
      done();
    });
  }
}

/** What one execution costs besides its program; processor milliseconds unless said. */
export interface ExecutionCosts {
  readonly coordinatorMs: number;
  readonly agentMs: number;
  /** Making, watching and ending a sandbox, on the slot. */
  readonly sandboxMs: number;
  /** Which share of agentMs and sandboxMs comes before the result: the rest tidies up and prepares the next, and nobody waits for it. */
  readonly pathShare: number;
  /** What no process's books show, after a result. */
  readonly backgroundMs: number;
  /** Of whoever submits, when that is on the same machine. */
  readonly generatorMs: number;
  /** Of each millisecond of a program. */
  readonly perCpuMs: number;
  /** Time on the slot in which nothing runs: values as likely as each other. */
  readonly delaysMs: readonly number[];
}

/** How much of a thread's work for an execution comes before it runs. */
const BEFORE = 0.6;

/** The processes of a coordinator, on processors that it may share with an agent. */
export class CoordinatorModel {
  readonly #costs: ExecutionCosts;
  readonly thread: SingleThread;
  readonly #generator: SingleThread;

  constructor(processors: SharedProcessors, costs: ExecutionCosts) {
    this.#costs = costs;
    this.thread = new SingleThread(processors);
    this.#generator = new SingleThread(processors);
  }

  /** A submission is sent, read and recorded. */
  accept(done: () => void): void {
    const { generatorMs, coordinatorMs } = this.#costs;
    this.#generator.work(generatorMs * BEFORE, () => this.thread.work(coordinatorMs * BEFORE, done));
  }

  /** A result arrives. `known`: from then on its slot is free. */
  complete(known: () => void, answered: () => void): void {
    const { generatorMs, coordinatorMs } = this.#costs;
    this.thread.work(coordinatorMs * (1 - BEFORE), () => {
      known();
      this.#generator.work(generatorMs * (1 - BEFORE), answered);
    });
  }
}

/** An agent and its launcher. */
export class AgentModel {
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #processors: SharedProcessors;
  readonly #costs: ExecutionCosts;
  readonly thread: SingleThread;

  constructor(clock: Clock, random: Pick<Random, 'next'>, processors: SharedProcessors, costs: ExecutionCosts) {
    this.#clock = clock;
    this.#random = random;
    this.#processors = processors;
    this.#costs = costs;
    this.thread = new SingleThread(processors);
  }

  /** An execution on a slot: a program of so much processor time that waits for so long besides. */
  run(cpuTimeMs: number, waitMs: number, done: () => void): void {
    const { agentMs, sandboxMs, backgroundMs, pathShare, perCpuMs, delaysMs } = this.#costs;
    const delayMs = delaysMs[Math.floor(this.#random.next() * delaysMs.length)] ?? 0;
    const [agentOnPathMs, later] = [agentMs * pathShare, 1 - pathShare];
    this.thread.work(agentOnPathMs * BEFORE, () => {
      // Waking up and the kernel's grace periods cost on a machine that sleeps, and next to nothing on one that is busy.
      this.#clock.after(delayMs * (1 - this.#processors.load) + waitMs, () => {
        this.#processors.work(sandboxMs * pathShare + cpuTimeMs * perCpuMs, () => {
          this.#processors.work(backgroundMs + sandboxMs * later, () => undefined);
          this.thread.work(agentOnPathMs * (1 - BEFORE), () => {
            this.thread.work(agentMs * later, () => undefined);
            done();
          });
        });
      });
    });
  }
}
