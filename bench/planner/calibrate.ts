/**
 * Owns asking an instance what executions cost on it: bursts, which are served as fast as the machine can, and open-loop offers at a part of that, for
 * programs of several lengths. Gives plain data, which is kept as JSON: a plan can be made of it later, without the instance.
 * Never fits anything (cost-model.ts does), and never uses a mix that a prediction is held against.
 * Invariant: every offer is told by its seed, so that the model is asked exactly what the instance was asked.
 */
import { percentile } from '../statistics/quantiles.ts';
import { type Arrival, scheduleOf } from './arrivals.ts';
import type { Distribution } from './distribution.ts';
import { type Mix, parseMix } from './mix.ts';
import { type LoadGenerator, latenciesOf, type Offer, offerOptions } from './offer.ts';
import {
  type CpuReading,
  findProcesses,
  type InstanceProcesses,
  readCpu,
  thisMachine,
  usedBetween,
} from './processes.ts';
import { type Instance, toTemplates, tryEnvironments } from './requests.ts';

/** One offer of a calibration; processor milliseconds are for one execution. */
export interface CalibrationRun {
  readonly kind: 'burst' | 'open';
  readonly program: Distribution;
  /** Of an open one, a second; of a burst 0. */
  readonly ratePerSecond: number;
  readonly count: number;
  readonly durationMs: number;
  readonly seed: string;
  readonly served: number;
  /** From the first intended moment to the last result. */
  readonly makespanMs: number;
  /** 101 quantiles of the latencies. */
  readonly latenciesMs: readonly number[];
  readonly meanCpuTimeMs: number;
  readonly cpuMs: {
    readonly coordinator: number;
    readonly agent: number;
    readonly launcher: number;
    readonly generator: number;
  } | null;
  /** Processors that were busy in all, and those that the hypervisor took. */
  readonly busyCores: number;
  readonly stealCores: number;
}

/** What a calibration is kept as. */
export interface Calibration {
  readonly format: 1;
  readonly at: string;
  readonly isComplete: boolean;
  readonly machine: { readonly cores: number; readonly memoryBytes: number };
  readonly slots: number;
  /** Are coordinator, agent and generator all on the calibrated machine? */
  readonly isOneMachine: boolean;
  /** Before anything was offered: processors that were busy, whoever had them. */
  readonly idleBusyCores: number;
  /** Layers of the base: bytes, and how long they took to come; null: they were there already. */
  readonly fetch: { readonly bytes: number; readonly ms: number } | null;
  readonly runs: readonly CalibrationRun[];
}

/** How long each part takes. */
export interface CalibrationOptions {
  readonly rounds: number;
  readonly burstMs: number;
  readonly openMs: number;
  readonly signal: AbortSignal | null;
  readonly say: (line: string) => void;
}

/** Lengths of programs that costs are fitted to; no mix that is predicted has one of them. */
const PROGRAMS: readonly Distribution[] = [
  { kind: 'constant', ms: 1 },
  { kind: 'exponential', meanMs: 18 },
  { kind: 'constant', ms: 70 },
];
const OPEN_SHARES = [0.5, 0.8] as const;
const ROUGH = 40;
const WARM_UP = 150;
const BURST_MAX = 900;

const toMix = (program: Distribution): Mix =>
  parseMix(
    {
      name: 'calibration',
      environments: [{ name: 'base', share: 1, program: { cpuTimeMs: program } }],
      target: { p99Ms: 1000 },
    },
    'the calibration',
  );

/** What was offered in a run, once more. */
export function scheduleOfRun(
  run: Pick<CalibrationRun, 'kind' | 'program' | 'ratePerSecond' | 'count' | 'durationMs' | 'seed'>,
): Arrival[] {
  const mix = toMix(run.program);
  if (run.kind === 'open') return scheduleOf(mix, run.ratePerSecond, run.durationMs, run.seed);
  return scheduleOf(mix, run.count, 1000, run.seed).map((arrival) => ({ ...arrival, atMs: 0 }));
}

/** Slots of the agents of an instance; throws when nobody may ask. */
async function countSlots({ url }: Instance): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const slots = Number(/^envicutor_slots (\d+)/m.exec(text)?.[1] ?? 0);
  if (slots === 0) throw new Error(`asking ${url}/metrics for slots gave none: connect an agent first`);
  return slots;
}

class Calibrating {
  readonly #instance: Instance;
  readonly #generator: LoadGenerator;
  readonly #processes: InstanceProcesses | null;
  readonly #options: CalibrationOptions;
  readonly runs: CalibrationRun[] = [];

  constructor(instance: Instance, generator: LoadGenerator, options: CalibrationOptions) {
    this.#instance = instance;
    this.#generator = generator;
    this.#options = options;
    this.#processes = findProcesses(Number(new URL(instance.url).port));
  }

  get isLocal(): boolean {
    return this.#processes !== null;
  }

  /** Processes that have just started compile their own code: that is no cost of an execution. */
  async warmUp(templates: readonly string[]): Promise<void> {
    const program = { kind: 'constant', ms: 1 } as const;
    await this.offer(
      { kind: 'burst', program, ratePerSecond: 0, count: WARM_UP, durationMs: 1000, seed: 'warm' },
      templates,
    );
  }

  async idleBusyCores(): Promise<number> {
    const before = readCpu(this.#processes);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const used = usedBetween(before, readCpu(this.#processes));
    return used.busy / used.atMs;
  }

  async offer(
    run: Pick<CalibrationRun, 'kind' | 'program' | 'ratePerSecond' | 'count' | 'durationMs' | 'seed'>,
    templates: readonly string[],
  ) {
    const schedule = scheduleOfRun(run);
    const before = readCpu(this.#processes);
    const options = { ...offerOptions, graceMs: 60_000 };
    const target = { ...this.#instance, templates };
    const offer = await this.#generator.offer(target, schedule, run.durationMs, options, this.#options.signal);
    // What ends a sandbox after its result is a cost, too.
    await new Promise((resolve) => setTimeout(resolve, 150));
    return this.#toRun(run, offer, schedule, usedBetween(before, readCpu(this.#processes)));
  }

  #toRun(
    run: Pick<CalibrationRun, 'kind' | 'program' | 'ratePerSecond' | 'count' | 'durationMs' | 'seed'>,
    offer: Offer,
    schedule: readonly Arrival[],
    used: CpuReading,
  ): CalibrationRun {
    const latencies = latenciesOf(offer.records);
    const served = Math.max(1, offer.counts.served);
    const each = (ms: number) => ms / served;
    return {
      ...{ kind: run.kind, program: run.program, ratePerSecond: run.ratePerSecond, count: schedule.length },
      ...{ durationMs: run.durationMs, seed: run.seed, served: offer.counts.served },
      makespanMs: Math.max(...offer.records.map(({ doneMs }) => doneMs ?? 0)),
      latenciesMs: Array.from({ length: 101 }, (_, percent) => percentile(latencies, percent / 100)),
      meanCpuTimeMs: schedule.reduce((sum, { cpuTimeMs }) => sum + (cpuTimeMs ?? 0), 0) / schedule.length,
      cpuMs:
        this.#processes === null
          ? null
          : {
              ...{ coordinator: each(used.coordinator), agent: each(used.agent), launcher: each(used.launcher) },
              generator: offer.generatorCpuMs,
            },
      busyCores: used.busy / used.atMs,
      stealCores: used.steal / used.atMs,
    };
  }

  /** All offers of one program; what was cut short is not kept. */
  async program(program: Distribution, round: number): Promise<void> {
    const { burstMs, openMs, say, signal } = this.#options;
    const mix = toMix(program);
    const templates = await toTemplates(this.#instance, mix);
    const keep = (run: CalibrationRun) => {
      if (signal?.aborted !== true) this.runs.push(run);
    };
    const base = { program, ratePerSecond: 0, durationMs: 1000 };
    const rough = await this.offer({ ...base, kind: 'burst', count: ROUGH, seed: `rough ${round}` }, templates);
    const roughly = (rough.served * 1000) / rough.makespanMs;
    const count = Math.max(ROUGH, Math.min(BURST_MAX, Math.round((roughly * burstMs) / 1000)));
    const burst = await this.offer({ ...base, kind: 'burst', count, seed: `burst ${round}` }, templates);
    keep(burst);
    const perSecond = (burst.served * 1000) / burst.makespanMs;
    say(`calibration: ${JSON.stringify(program)} in a burst: ${perSecond.toFixed(1)}/s`);
    for (const share of OPEN_SHARES) {
      if (signal?.aborted === true) return;
      const open = { ...base, kind: 'open' as const, ratePerSecond: perSecond * share, durationMs: openMs, count: 0 };
      keep(await this.offer({ ...open, seed: `open ${share} ${round}` }, templates));
    }
  }
}

/** See the head of this file; what was found until the signal is given back, marked. */
export async function calibrate(
  instance: Instance,
  generator: LoadGenerator,
  options: CalibrationOptions,
): Promise<Calibration> {
  const calibrating = new Calibrating(instance, generator, options);
  const first = toMix({ kind: 'constant', ms: 1 });
  const templates = await toTemplates(instance, first);
  const [tried] = await tryEnvironments(instance, first, templates);
  await calibrating.warmUp(templates);
  const idleBusyCores = await calibrating.idleBusyCores();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const program of PROGRAMS) if (options.signal?.aborted !== true) await calibrating.program(program, round);
  }
  const isComplete = options.signal?.aborted !== true;
  return {
    ...{ format: 1, at: new Date().toISOString(), isComplete, machine: thisMachine(), idleBusyCores },
    slots: await countSlots(instance),
    isOneMachine: calibrating.isLocal,
    fetch: tried === undefined || tried.fetchMs === 0 ? null : { bytes: tried.layerBytes, ms: tried.fetchMs },
    runs: calibrating.runs,
  };
}
