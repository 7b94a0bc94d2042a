/**
 * Owns holding predictions against what is measured: knees of mixes that no fit has seen (the simulator's p99 is one-agent.ts).
 * Gives plain data; whoever prints it judges it. Never tunes anything by what it finds.
 * Invariant: the prediction is made before the measurement begins, from the calibration alone.
 */
import { toSignedPercent } from '../wording.ts';
import type { Calibration } from './calibrate.ts';
import { type CostModel, fitCosts } from './cost-model.ts';
import { findKnee, type Knee, type KneeOptions, kneeOptions, toKneeTarget } from './knee.ts';
import { learnMix } from './learning.ts';
import type { Mix } from './mix.ts';
import type { LoadGenerator } from './offer.ts';
import { holdSimulator, type SimulatedProbe, steadyProbeLength, toSimulatedText } from './one-agent.ts';
import { errorOf, type PredictedKnee, predictKnee, toModel } from './prediction.ts';
import {
  durationOf,
  type MeasuredProbe,
  type Measuring,
  measureProbe,
  type ProbeLength,
  probeLength,
} from './probe.ts';
import type { Instance } from './requests.ts';

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
  readonly simulated: readonly SimulatedProbe[];
}

/** How a validation is done. */
export interface ValidationOptions {
  readonly generator: LoadGenerator;
  /** Asked before the first mix and after each. */
  readonly calibrate: () => Promise<Calibration>;
  readonly length?: ProbeLength;
  /** Of probes that the simulator is held against. */
  readonly steadyLength?: ProbeLength;
  readonly seed?: string;
  readonly signal?: AbortSignal | null;
  readonly say?: (line: string) => void;
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
  const { generator, seed = 'validation', signal = null, say = () => undefined } = options;
  const { length = probeLength, steadyLength = steadyProbeLength } = options;
  const { templates, known } = await learnMix(instance, generator, mix, signal);
  const modelOf = (costs: CostModel) => toModel(costs, mix, known, machineOf(costs), true);
  const durationMsAt = (ratePerSecond: number) => durationOf(length, ratePerSecond);
  const predictFrom = (costs: CostModel) => predictKnee(modelOf(costs), mix, errorOf(costs), 'knee', 1, durationMsAt);
  const predicted = await predictFrom(fitCosts(before));
  const { ratePerSecond: wanted, low, high } = predicted;
  say(`${mix.name}: predicted ${wanted.toFixed(1)}/s (${low.toFixed(1)} to ${high.toFixed(1)})`);
  const measuring = { target: { ...instance, templates }, generator, signal, say };
  // First: a p99 changes with the machine more than a knee does.
  const simulated = await holdSimulator(measuring, mix, modelOf(fitCosts(before)), wanted, steadyLength, seed);
  // The search starts beside the prediction, so that it can't lean on it.
  const measured = await measureKnee(measuring, mix, wanted * 0.85, length, `${seed} ${mix.name}`);
  const after = signal?.aborted === true ? before : await options.calibrate();
  const isAround = after !== before && after.isComplete;
  const costs = fitCosts(isAround ? together(before, after) : before);
  const predictedAround = isAround ? await predictFrom(costs) : null;
  const errorOfKnee = (knee: PredictedKnee) => (knee.ratePerSecond - measured.ratePerSecond) / measured.ratePerSecond;
  const probes = measured.probes as readonly MeasuredProbe[];
  const below = probes.filter(({ ratePerSecond }) => ratePerSecond <= measured.ratePerSecond);
  const validated: ValidatedMix = {
    ...{ mix: mix.name, predicted, measured, errorShare: errorOfKnee(predicted), predictedAround, simulated },
    errorShareAround: predictedAround === null ? null : errorOfKnee(predictedAround),
    driftShare: isAround ? driftOf(before, after) : null,
    generatorSentShare: Math.min(1, ...below.map(({ sentShare }) => sentShare)),
    latenessP99Ms: Math.max(0, ...below.map(({ latenessP99Ms }) => latenessP99Ms)),
  };
  return { validated, after };
}

const machineOf = ({ machineCores, slots, memoryBytes }: CostModel) => ({
  ...{ cores: machineCores, slots, memoryBytes, layerBytesMax: Number.POSITIVE_INFINITY },
});

/** What there is to say about a mix. */
export function toValidationText(validated: ValidatedMix): string {
  const { mix, predicted, measured, errorShare, predictedAround, errorShareAround, driftShare, simulated } = validated;
  const around =
    predictedAround === null || errorShareAround === null
      ? ''
      : `; by calibrations before and after ${(predictedAround.ratePerSecond * 60).toFixed(0)} (${toSignedPercent(errorShareAround)}), the machine itself changed by ${toSignedPercent(driftShare ?? 0)}`;
  const remark = measured.remark === null ? '' : `; ${measured.remark}`;
  const knee = `${mix}: knee with the load made on the same machine predicted ${(predicted.ratePerSecond * 60).toFixed(0)} a minute, measured ${(measured.ratePerSecond * 60).toFixed(0)} (${toSignedPercent(errorShare)})${around}${remark}`;
  return [knee, ...simulated.map(toSimulatedText)].join('\n');
}
