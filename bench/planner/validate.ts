/**
 * Owns holding predictions against what is measured: knees of mixes that no fit has seen, and the p99 of one agent below its knee by the fleet's
 * simulator. Gives plain data; whoever prints it judges it. Never tunes anything by what it finds.
 * Invariant: the prediction is made before the measurement begins, from the calibration alone.
 */

import { percentile } from '../statistics/quantiles.ts';
import { scheduleOf } from './arrivals.ts';
import type { Calibration } from './calibrate.ts';
import { type CostModel, fitCosts } from './cost-model.ts';
import { loopback, predictFleet } from './fleet.ts';
import { findKnee, type Knee, type KneeOptions, kneeOptions, type ProbeResult, toKneeTarget } from './knee.ts';
import { learnMix } from './learning.ts';
import type { Mix } from './mix.ts';
import { type LoadGenerator, type LoadTarget, latencyQuantile, offerOptions } from './offer.ts';
import { errorOf, type PredictedKnee, predictKnee, toModel } from './prediction.ts';
import type { Model } from './queueing-model.ts';
import type { Instance } from './requests.ts';

/** One look at a rate, and what the generator did. */
export interface MeasuredProbe extends ProbeResult {
  readonly latenessP99Ms: number;
  readonly sentShare: number;
  readonly generatorCpuMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
}

/** What is measured where. */
export interface Measuring {
  readonly target: LoadTarget;
  readonly generator: LoadGenerator;
  readonly signal: AbortSignal | null;
  readonly say: (line: string) => void;
}

/** How long a probe is. */
export interface ProbeLength {
  readonly samples: number;
  readonly msMin: number;
  readonly msMax: number;
}

export const probeLength: ProbeLength = { samples: 900, msMin: 12_000, msMax: 40_000 };
export const quickProbeLength: ProbeLength = { samples: 300, msMin: 4000, msMax: 12_000 };
const MAKE_EMPTY_MS = 300;

function durationOf({ samples, msMin, msMax }: ProbeLength, ratePerSecond: number): number {
  return Math.min(msMax, Math.max(msMin, (samples * 1000) / ratePerSecond));
}

/** Offers a mix at a rate; null when it was cut short. */
export async function measureProbe(
  { target, generator, signal, say }: Measuring,
  mix: Mix,
  ratePerSecond: number,
  { samples, msMin, msMax }: ProbeLength,
  seed: string,
): Promise<MeasuredProbe | null> {
  const durationMs = durationOf({ samples, msMin, msMax }, ratePerSecond);
  const graceMs = Math.max(4000, 3 * mix.target.p99Ms);
  const options = { ...offerOptions, graceMs };
  const offer = await generator.offer(
    target,
    scheduleOf(mix, ratePerSecond, durationMs, seed),
    durationMs,
    options,
    signal,
  );
  if (offer.isCut) return null;
  await new Promise((resolve) => setTimeout(resolve, MAKE_EMPTY_MS));
  const { records, counts, achievedShare, latenessP99Ms, sentShare, generatorCpuMs } = offer;
  const at = (share: number) => latencyQuantile(records, share);
  const result = {
    ...{ ratePerSecond, p99Ms: at(0.99), p90Ms: at(0.9), p50Ms: at(0.5), achievedShare },
    ...{ refusedShare: counts.refused / records.length, samples: records.length },
    ...{ latenessP99Ms, sentShare, generatorCpuMs },
  };
  say(
    `  ${ratePerSecond.toFixed(1)}/s: p50 ${result.p50Ms.toFixed(0)} ms, p99 ${result.p99Ms.toFixed(0)} ms, served ${(100 * achievedShare).toFixed(1)} %, refused ${counts.refused}, failed ${counts.failed}, generator late by ${latenessP99Ms.toFixed(1)} ms at p99`,
  );
  return result;
}

/** The knee of a mix, measured. */
export function measureKnee(
  measuring: Measuring,
  mix: Mix,
  startPerSecond: number,
  length: ProbeLength,
  seed: string,
  precision = kneeOptions.precision,
): Promise<Knee> {
  let looks = 0;
  const options: KneeOptions = {
    ...kneeOptions,
    ...{ precision, startPerSecond, signal: measuring.signal, samplesMin: Math.min(100, length.samples / 3) },
  };
  return findKnee(
    (ratePerSecond) => measureProbe(measuring, mix, ratePerSecond, length, `${seed} ${looks++}`),
    toKneeTarget(mix.target.p99Ms),
    options,
  );
}

/** What was predicted and what was seen, for one mix. */
export interface ValidatedMix {
  readonly mix: string;
  /** From the calibration right before it was measured. */
  readonly predicted: PredictedKnee;
  readonly measured: Knee;
  /** Of the prediction, relative to what was measured. */
  readonly errorShare: number;
  /** From the calibrations before and after together: a machine that changes meanwhile is in both. Null: there was none after. */
  readonly predictedAround: PredictedKnee | null;
  readonly errorShareAround: number | null;
  /** How much more was served in the bursts after than in those before, relative: what the machine itself changed by. */
  readonly driftShare: number | null;
  /** Least of what the generator sent of what it was told to, at rates up to the knee. */
  readonly generatorSentShare: number;
  readonly latenessP99Ms: number;
  /** p99 of single probes below the knee, and what the fleet's simulator says of one agent at that rate. */
  readonly simulated: readonly {
    readonly ratePerSecond: number;
    readonly measuredP99Ms: number;
    readonly predictedP99Ms: number;
  }[];
}

/** How a validation is done. */
export interface ValidationOptions {
  readonly generator: LoadGenerator;
  /** Asked before the first mix and after each. */
  readonly calibrate: () => Promise<Calibration>;
  readonly length?: ProbeLength;
  readonly seed?: string;
  readonly signal?: AbortSignal | null;
  readonly say?: (line: string) => void;
}

const SIMULATED_PROBES = 15;

/** What the fleet's simulator says of one agent for probes as long as the real ones; the middle one of several. */
function simulate(model: Model, mix: Mix, ratePerSecond: number, durationMs: number): number {
  const shape = { machines: 1, coordinators: 1, networkMs: loopback };
  const all = Array.from({ length: SIMULATED_PROBES }, (_, each) => {
    const seed = `one agent ${each}`;
    return predictFleet(model, shape, scheduleOf(mix, ratePerSecond, durationMs, seed), seed).p99Ms;
  });
  return percentile(all, 0.5);
}

/** Bursts of two calibrations, as the mean of the logarithms of what they served. */
function driftOf(before: Calibration, after: Calibration): number {
  const level = ({ runs }: Calibration) => {
    const bursts = runs.filter(({ kind }) => kind === 'burst');
    return bursts.reduce((sum, { served, makespanMs }) => sum + Math.log(served / makespanMs), 0) / bursts.length;
  };
  return Math.exp(level(after) - level(before)) - 1;
}

const together = (before: Calibration, after: Calibration): Calibration => ({
  ...before,
  runs: [...before.runs, ...after.runs],
});

/** Predicts and then measures each mix. */
export async function validatePlanner(
  instance: Instance,
  mixes: readonly Mix[],
  options: ValidationOptions,
): Promise<ValidatedMix[]> {
  const found: ValidatedMix[] = [];
  let before = await options.calibrate();
  for (const mix of mixes) {
    if (options.signal?.aborted === true) break;
    const { validated, after } = await validateMix(instance, mix, before, options);
    found.push(validated);
    before = after;
  }
  return found;
}

async function validateMix(instance: Instance, mix: Mix, before: Calibration, options: ValidationOptions) {
  const { generator, length = probeLength, seed = 'validation', signal = null, say = () => undefined } = options;
  const { templates, known } = await learnMix(instance, generator, mix, signal);
  const modelOf = (costs: CostModel) => toModel(costs, mix, known, machineOf(costs), true);
  const durationMsAt = (ratePerSecond: number) => durationOf(length, ratePerSecond);
  const predictFrom = (costs: CostModel) => predictKnee(modelOf(costs), mix, errorOf(costs), 'knee', 1, durationMsAt);
  const predicted = await predictFrom(fitCosts(before));
  const { ratePerSecond: wanted, low, high } = predicted;
  say(`${mix.name}: predicted ${wanted.toFixed(1)}/s (${low.toFixed(1)} to ${high.toFixed(1)})`);
  const measuring = { target: { ...instance, templates }, generator, signal, say };
  // The search starts beside the prediction, so that it can't lean on it.
  const measured = await measureKnee(measuring, mix, wanted * 0.85, length, `${seed} ${mix.name}`);
  const after = signal?.aborted === true ? before : await options.calibrate();
  const isAround = after !== before && after.isComplete;
  const costs = fitCosts(isAround ? together(before, after) : before);
  const predictedAround = isAround ? await predictFrom(costs) : null;
  const errorOfKnee = (knee: PredictedKnee) => (knee.ratePerSecond - measured.ratePerSecond) / measured.ratePerSecond;
  const probes = measured.probes as readonly MeasuredProbe[];
  const below = probes.filter(({ ratePerSecond }) => ratePerSecond <= measured.ratePerSecond);
  const simulated = below.map(({ ratePerSecond, p99Ms }) => ({
    ...{ ratePerSecond, measuredP99Ms: p99Ms },
    predictedP99Ms: simulate(modelOf(costs), mix, ratePerSecond, durationOf(length, ratePerSecond)),
  }));
  const validated: ValidatedMix = {
    ...{ mix: mix.name, predicted, measured, errorShare: errorOfKnee(predicted), predictedAround, simulated },
    errorShareAround: predictedAround === null ? null : errorOfKnee(predictedAround),
    driftShare: isAround ? driftOf(before, after) : null,
    generatorSentShare: Math.min(1, ...below.map(({ sentShare }) => sentShare)),
    latenessP99Ms: Math.max(0, ...below.map(({ latenessP99Ms }) => latenessP99Ms)),
  };
  say(toValidationText(validated));
  return { validated, after };
}

const machineOf = ({ machineCores, slots, memoryBytes }: CostModel) => ({
  ...{ cores: machineCores, slots, memoryBytes, layerBytesMax: Number.POSITIVE_INFINITY },
});

const signed = (share: number) => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;

/** One line about a mix. */
export function toValidationText(validated: ValidatedMix): string {
  const { mix, predicted, measured, errorShare, predictedAround, errorShareAround, driftShare } = validated;
  const around =
    predictedAround === null || errorShareAround === null
      ? ''
      : `; by calibrations before and after ${(predictedAround.ratePerSecond * 60).toFixed(0)} (${signed(errorShareAround)}), the machine itself changed by ${signed(driftShare ?? 0)}`;
  const remark = measured.remark === null ? '' : `; ${measured.remark}`;
  return `${mix}: knee with the load made on the same machine predicted ${(predicted.ratePerSecond * 60).toFixed(0)} a minute, measured ${(measured.ratePerSecond * 60).toFixed(0)} (${signed(errorShare)})${around}${remark}`;
}
