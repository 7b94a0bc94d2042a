/**
 * Owns predicted knees: the model of one machine asked by the same search as a real one is. Also what a mix demands of it, from what was tried.
 * Never measures anything. Invariant: a prediction is of several seeds, and its interval has the fit's own error in it.
 */

import { percentile } from '../statistics/quantiles.ts';
import { scheduleOf } from './arrivals.ts';
import type { CostModel } from './cost-model.ts';
import { meanOf } from './distribution.ts';
import { findKnee, type Knee, type KneeOptions, kneeOptions, toKneeTarget } from './knee.ts';
import type { Mix } from './mix.ts';
import { type EnvironmentDemand, type Model, predict, predictSaturated } from './queueing-model.ts';
import type { TriedEnvironment } from './requests.ts';

/** Of the model's p99, in submissions for each look. */
const SAMPLES = 6000;
const SEEDS = 3;
const SHORT_PROBES = 9;

/** What is known of an environment of a mix besides the mix. */
export interface KnownEnvironment {
  /** Processor times that its request took; empty: the mix says. */
  readonly cpuSamplesMs: readonly number[];
  /** Time on the slot in which its request uses no processor; of a synthetic program the mix says. */
  readonly waitMs: number;
  readonly memoryBytes: number;
  readonly layers: TriedEnvironment['layers'];
}

/** A machine of a plan. */
export interface PlannedMachine {
  readonly cores: number;
  readonly slots: number;
  readonly memoryBytes: number;
  /** For layers. */
  readonly layerBytesMax: number;
}

/**
 * How often each environment's layers are missing where an agent keeps this much of them, least recently used first to go; by Che's approximation
 * ("Hierarchical Web Caching Systems", 2002) over layers, which several environments may share.
 */
export function missShares(mix: Mix, known: readonly KnownEnvironment[], layerBytesMax: number): number[] {
  const layers = new Map<string, { bytes: number; share: number }>();
  for (const [index, environment] of known.entries()) {
    for (const { digest, bytes } of environment.layers) {
      const share = (layers.get(digest)?.share ?? 0) + (mix.environments[index]?.share ?? 0);
      layers.set(digest, { bytes, share });
    }
  }
  const all = [...layers.values()];
  if (all.reduce((sum, { bytes }) => sum + bytes, 0) <= layerBytesMax) return known.map(() => 0);
  const kept = (time: number) => all.reduce((sum, { bytes, share }) => sum + bytes * (1 - Math.exp(-share * time)), 0);
  let [low, high] = [0, 1];
  while (kept(high) < layerBytesMax && high < 1e12) high *= 2;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (kept(middle) < layerBytesMax) low = middle;
    else high = middle;
  }
  return known.map(
    ({ layers: own }) =>
      1 - own.reduce((hit, { digest }) => hit * (1 - Math.exp(-(layers.get(digest)?.share ?? 0) * low)), 1),
  );
}

const unknown: KnownEnvironment = { cpuSamplesMs: [], waitMs: 0, memoryBytes: 0, layers: [] };

/** The model of a mix on a machine. `isGenerated`: submissions are made on the same machine, as where a knee is measured. */
export function toModel(
  costs: CostModel,
  mix: Mix,
  known: readonly KnownEnvironment[],
  machine: PlannedMachine,
  isGenerated: boolean,
): Model {
  const misses = missShares(mix, known, machine.layerBytesMax);
  const demands = mix.environments.map((environment, index): EnvironmentDemand => {
    const { cpuSamplesMs, waitMs, memoryBytes, layers } = known[index] ?? unknown;
    return {
      cpuSamplesMs,
      memoryBytes,
      waitMs: 'program' in environment ? (environment.program.waitMs ?? 0) : waitMs,
      missShare: misses[index] ?? 0,
      fetchMs: layers.reduce((sum, { bytes }) => sum + bytes, 0) * costs.fetchMsPerByte,
    };
  });
  return {
    machine: {
      cores: (costs.cores / costs.machineCores) * machine.cores,
      slots: machine.slots,
      memoryBytes: machine.memoryBytes,
    },
    costs: isGenerated ? costs.costs : { ...costs.costs, generatorMs: 0 },
    demands,
  };
}

/** Mean processor time of a mix's programs; milliseconds. */
export function meanCpuOf(mix: Mix, known: readonly KnownEnvironment[]): number {
  return mix.environments.reduce((sum, environment, index) => {
    const samples = known[index]?.cpuSamplesMs ?? [];
    const mean =
      'program' in environment
        ? meanOf(environment.program.cpuTimeMs)
        : samples.reduce((all, ms) => all + ms, 0) / Math.max(1, samples.length);
    return sum + environment.share * mean;
  }, 0);
}

/** A predicted knee; a second. */
export interface PredictedKnee {
  readonly ratePerSecond: number;
  readonly low: number;
  readonly high: number;
  /** What the machine serves when it always has more to do. */
  readonly capacityPerSecond: number;
  /** Latency when nothing waits; milliseconds. */
  readonly floorP99Ms: number;
  readonly busy: ReturnType<typeof predict>['busy'];
  /** Null: there is one. */
  readonly remark: string | null;
}

/** The knee of a model, by the search that measures real ones. `durationMsAt`: of probes that are as short as real ones; null: as long as it takes. */
export async function predictKnee(
  model: Model,
  mix: Mix,
  errorShare: number,
  seed = 'knee',
  seeds = SEEDS,
  durationMsAt: ((ratePerSecond: number) => number) | null = null,
): Promise<PredictedKnee> {
  const { p99Ms } = mix.target;
  const saturated = predictSaturated(model, mix, model.machine.slots * 4 + 8, 1500, seed);
  const once = (ratePerSecond: number, durationMs: number, which: string) =>
    percentile(predict(model, scheduleOf(mix, ratePerSecond, durationMs, which), which).latenciesMs, 0.99);
  const p99At = (ratePerSecond: number, which: string) => {
    if (durationMsAt === null) return once(ratePerSecond, (SAMPLES * 1000) / ratePerSecond, which);
    // A probe begins on an empty machine: near the knee the queue of a short one is not what it would become.
    const each = Array.from({ length: SHORT_PROBES }, (_, probe) =>
      Math.log(once(ratePerSecond, durationMsAt(ratePerSecond), `${which} ${probe}`)),
    );
    return Math.exp(each.reduce((sum, log) => sum + log, 0) / SHORT_PROBES);
  };
  const floorP99Ms = p99At(saturated.perSecond * 0.05, seed);
  const options: KneeOptions = {
    ...kneeOptions,
    precision: 0.01,
    repeats: 1,
    probesMax: 30,
    startPerSecond: saturated.perSecond * 0.8,
  };
  const knees: Knee[] = [];
  for (let each = 0; each < seeds; each += 1) {
    const probe = async (ratePerSecond: number) => ({
      ratePerSecond,
      p99Ms: p99At(ratePerSecond, `${seed} ${each}`),
      ...{ achievedShare: 1, refusedShare: 0, samples: SAMPLES },
    });
    knees.push(await findKnee(probe, toKneeTarget(p99Ms), options));
  }
  const rates = knees.map(({ ratePerSecond }) => ratePerSecond);
  const ratePerSecond = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const spread = (Math.max(...rates) - Math.min(...rates)) / 2 / Math.max(ratePerSecond, 1e-9);
  // Two standard errors, of the fit and of chance together.
  const margin = Math.min(0.9, 2 * Math.hypot(errorShare, spread / 2));
  const busy = predict(
    model,
    scheduleOf(mix, ratePerSecond || 1, (SAMPLES * 1000) / (ratePerSecond || 1), seed),
    seed,
  ).busy;
  return {
    ratePerSecond,
    ...{ low: ratePerSecond * (1 - margin), high: ratePerSecond * (1 + margin) },
    ...{ capacityPerSecond: saturated.perSecond, floorP99Ms, busy },
    remark:
      ratePerSecond > 0
        ? null
        : `a p99 of ${p99Ms} ms is below the floor of ${floorP99Ms.toFixed(1)} ms that one execution has when nothing waits`,
  };
}

/** Relative error that a prediction carries: of the fit and of the machine from one minute to the next. */
export function errorOf({ capacityError, repeatSpread }: CostModel): number {
  return Math.hypot(capacityError, repeatSpread);
}
