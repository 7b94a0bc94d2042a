/**
 * Owns what an execution costs, fitted to a calibration: processor time of each process by its own books, and what no book says (processors that
 * neighbours leave, work after a result, time in which nothing runs) so that the model gives the calibration's own bursts and latencies back.
 * Never sees a mix that is predicted. Invariant: the fit says how wrong it is, and whoever plans carries that as a margin.
 */
import { percentile } from '../statistics/quantiles.ts';
import { type Calibration, type CalibrationRun, scheduleOfRun } from './calibrate.ts';
import type { ExecutionCosts } from './machine-model.ts';
import { type EnvironmentDemand, type Model, predict } from './queueing-model.ts';

/** What a calibration comes to. */
export interface CostModel {
  readonly costs: ExecutionCosts;
  /** Processors of the calibrated machine that executions have; what neighbours and the hypervisor take is not there. */
  readonly cores: number;
  readonly machineCores: number;
  readonly slots: number;
  readonly memoryBytes: number;
  /** Relative error of capacity: of the model against each burst, root of the mean square. */
  readonly capacityError: number;
  /** How far repeated bursts of one program are apart, relative to their mean. */
  readonly repeatSpread: number;
  /** Milliseconds that a byte of a layer takes to come; 0: not seen. */
  readonly fetchMsPerByte: number;
  /** What the calibration has seen, within which a prediction is no extrapolation. */
  readonly range: {
    readonly cpuTimeMs: readonly [number, number];
    readonly ratePerSecond: readonly [number, number];
    readonly machines: 1;
  };
}

/** Least squares of y = fixed + slope × x, neither below zero. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): {
  readonly fixed: number;
  readonly slope: number;
} {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = spread === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const fixed = meanY - slope * meanX;
  if (slope < 0) return { fixed: meanY, slope: 0 };
  if (fixed >= 0) return { fixed, slope };
  const squares = points.reduce((sum, [x]) => sum + x * x, 0);
  return { fixed: 0, slope: points.reduce((sum, [x, y]) => sum + x * y, 0) / squares };
}

/** Of calibrations that could not look at processes: what a small machine showed, to begin with. */
const GUESS = { coordinator: 1.5, agent: 3, launcher: 4, generator: 0.4 };

function measuredCosts(runs: readonly CalibrationRun[]) {
  const mean = (name: 'coordinator' | 'agent' | 'generator') => {
    const seen = runs.flatMap(({ cpuMs, served }) => (cpuMs === null ? [] : [{ ms: cpuMs[name], served }]));
    const total = seen.reduce((sum, { served }) => sum + served, 0);
    return total === 0 ? GUESS[name] : seen.reduce((sum, { ms, served }) => sum + ms * served, 0) / total;
  };
  const launcher = runs.flatMap(({ cpuMs, meanCpuTimeMs }) =>
    cpuMs === null ? [] : [[meanCpuTimeMs, cpuMs.launcher] as const],
  );
  const { fixed, slope } = launcher.length === 0 ? { fixed: GUESS.launcher, slope: 1 } : fitLine(launcher);
  return {
    ...{ coordinatorMs: mean('coordinator'), agentMs: mean('agent'), generatorMs: mean('generator') },
    ...{ sandboxMs: fixed, perCpuMs: slope },
  };
}

/** What the books don't say. */
interface Unseen {
  readonly cores: number;
  readonly backgroundMs: number;
  readonly delayMs: number;
  readonly pathShare: number;
}

const demand: EnvironmentDemand = { cpuSamplesMs: [0], waitMs: 0, memoryBytes: 0, missShare: 0, fetchMs: 0 };
const BURST_WEIGHT = 6;
const SEARCH_STEPS = 6;

/** The shape of delays around their mean: as latencies of the shortest program at half load were. */
function delayShape(runs: readonly CalibrationRun[]): number[] {
  const short = runs
    .filter(({ kind }) => kind === 'open')
    .sort((a, b) => a.meanCpuTimeMs - b.meanCpuTimeMs || a.ratePerSecond - b.ratePerSecond)[0];
  const over = (short?.latenciesMs ?? [0, 1]).slice(0, 100).map((ms) => ms - (short?.latenciesMs[0] ?? 0));
  const mean = over.reduce((sum, ms) => sum + ms, 0) / over.length;
  return over.map((ms) => (mean > 0 ? ms / mean : 1));
}

class Fit {
  readonly #calibration: Calibration;
  readonly #measured: ReturnType<typeof measuredCosts>;
  readonly #shape: readonly number[];
  readonly #schedules: readonly { run: CalibrationRun; schedule: ReturnType<typeof scheduleOfRun> }[];

  constructor(calibration: Calibration) {
    this.#calibration = calibration;
    this.#measured = measuredCosts(calibration.runs);
    this.#shape = delayShape(calibration.runs);
    this.#schedules = calibration.runs.map((run) => ({ run, schedule: scheduleOfRun(run) }));
  }

  costs({ backgroundMs, delayMs, pathShare }: Unseen): ExecutionCosts {
    return { ...this.#measured, backgroundMs, pathShare, delaysMs: this.#shape.map((factor) => factor * delayMs) };
  }

  model(unseen: Unseen): Model {
    const { slots, machine } = this.#calibration;
    return {
      machine: { cores: unseen.cores, slots, memoryBytes: machine.memoryBytes },
      costs: this.costs(unseen),
      demands: [demand],
    };
  }

  /** Relative errors, as logarithms: of each burst's time, and of the latencies of the rest. */
  errors(unseen: Unseen): { readonly bursts: number[]; readonly latencies: number[] } {
    const model = this.model(unseen);
    const [bursts, latencies]: [number[], number[]] = [[], []];
    for (const { run, schedule } of this.#schedules) {
      const { latenciesMs } = predict(model, schedule, run.seed);
      if (run.kind === 'burst') bursts.push(Math.log(Math.max(...latenciesMs) / run.makespanMs));
      else
        for (const percent of [10, 50, 90])
          latencies.push(Math.log(percentile(latenciesMs, percent / 100) / (run.latenciesMs[percent] ?? 1)));
    }
    return { bursts, latencies };
  }

  loss(unseen: Unseen): number {
    const { bursts, latencies } = this.errors(unseen);
    const squares = (errors: readonly number[]) =>
      errors.reduce((sum, error) => sum + error * error, 0) / Math.max(1, errors.length);
    return BURST_WEIGHT * squares(bursts) + squares(latencies);
  }

  /** Goes downhill along each axis in ever smaller steps. */
  search(): Unseen {
    const { cores } = this.#calibration.machine;
    const starts = [
      { cores: cores * 0.95, backgroundMs: 1, delayMs: 3, pathShare: 0.8 },
      { cores: cores * 0.8, backgroundMs: 0, delayMs: 6, pathShare: 0.6 },
    ];
    const ends = starts.map((start) => this.#descend(start));
    return ends.reduce((best, end) => (this.loss(end) < this.loss(best) ? end : best));
  }

  #descend(start: Unseen): Unseen {
    const { cores } = this.#calibration.machine;
    let best = start;
    let [least, step] = [this.loss(best), { cores: cores * 0.1, backgroundMs: 1.5, delayMs: 2, pathShare: 0.2 }];
    for (let halving = 0; halving < SEARCH_STEPS; halving += 1) {
      for (let moved = true, moves = 0; moved && moves < 12; moves += 1) {
        moved = false;
        for (const name of ['cores', 'backgroundMs', 'delayMs', 'pathShare'] as const) {
          for (const sign of [1, -1]) {
            const next = { ...best, [name]: best[name] + sign * step[name] };
            const loss = isPossible(next, cores) ? this.loss(next) : Number.POSITIVE_INFINITY;
            if (loss < least) [best, least, moved] = [next, loss, true];
          }
        }
      }
      step = {
        ...{ cores: step.cores / 2, backgroundMs: step.backgroundMs / 2 },
        ...{ delayMs: step.delayMs / 2, pathShare: step.pathShare / 2 },
      };
    }
    return best;
  }
}

function isPossible({ cores, backgroundMs, delayMs, pathShare }: Unseen, coresMax: number): boolean {
  const isOfMachine = cores <= coresMax && cores > 0.1;
  return isOfMachine && backgroundMs >= 0 && delayMs >= 0 && pathShare >= 0.2 && pathShare <= 1;
}

const rootMeanSquare = (errors: readonly number[]) =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / Math.max(1, errors.length));

/** How far apart bursts of the same program were. */
function repeatSpread(runs: readonly CalibrationRun[]): number {
  const byProgram = new Map<string, number[]>();
  for (const { kind, program, served, makespanMs } of runs) {
    if (kind !== 'burst') continue;
    const key = JSON.stringify(program);
    byProgram.set(key, [...(byProgram.get(key) ?? []), Math.log(served / makespanMs)]);
  }
  const deviations = [...byProgram.values()].flatMap((rates) => {
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    return rates.length < 2 ? [] : rates.map((rate) => (rate - mean) * Math.sqrt(rates.length / (rates.length - 1)));
  });
  return rootMeanSquare(deviations);
}

/** Fits; throws with a sentence when the calibration holds too little. */
export function fitCosts(calibration: Calibration): CostModel {
  const { runs, machine, slots } = calibration;
  const programs = new Set(runs.filter(({ kind }) => kind === 'burst').map(({ program }) => JSON.stringify(program)));
  if (programs.size < 2 || !runs.some(({ kind }) => kind === 'open'))
    throw new Error(
      `fitting costs to a calibration of ${runs.length} runs and ${programs.size} programs failed: it wants bursts of two programs and one open offer; calibrate again`,
    );
  const fit = new Fit(calibration);
  const unseen = fit.search();
  const { bursts } = fit.errors(unseen);
  const rates = runs.map(({ served, makespanMs }) => (served * 1000) / makespanMs);
  const means = runs.map(({ meanCpuTimeMs }) => meanCpuTimeMs);
  return {
    costs: fit.costs(unseen),
    ...{ cores: unseen.cores, machineCores: machine.cores, slots, memoryBytes: machine.memoryBytes },
    ...{ capacityError: rootMeanSquare(bursts), repeatSpread: repeatSpread(runs) },
    fetchMsPerByte: calibration.fetch === null ? 0 : calibration.fetch.ms / Math.max(1, calibration.fetch.bytes),
    range: {
      cpuTimeMs: [Math.min(...means), Math.max(...means)],
      ratePerSecond: [Math.min(...rates), Math.max(...rates)],
      machines: 1,
    },
  };
}
