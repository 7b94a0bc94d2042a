/**
 * Owns holding predictions against what is measured: knees of mixes that no fit has seen, and the p99 of one agent below its knee by the fleet's
 * simulator. Gives plain data; whoever prints it judges it. Never tunes anything by what it finds.
 * Invariant: the prediction is made before the measurement begins, from the calibration alone.
 */

import { scheduleOf } from './arrivals.ts';
import type { Calibration } from './calibrate.ts';
import { type CostModel, fitCosts } from './cost-model.ts';
import { findKnee, type Knee, type KneeOptions, kneeOptions, type ProbeResult, toKneeTarget } from './knee.ts';
import { learnMix } from './learning.ts';
import type { Mix } from './mix.ts';
import { type LoadGenerator, type LoadTarget, latencyQuantile, offerOptions } from './offer.ts';
import { errorOf, type PredictedKnee, predictKnee, toModel } from './prediction.ts';
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

/** Offers a mix at a rate; null when it was cut short. */
export async function measureProbe(
  { target, generator, signal, say }: Measuring,
  mix: Mix,
  ratePerSecond: number,
  { samples, msMin, msMax }: ProbeLength,
  seed: string,
): Promise<MeasuredProbe | null> {
  const durationMs = Math.min(msMax, Math.max(msMin, (samples * 1000) / ratePerSecond));
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
  readonly predicted: PredictedKnee;
  readonly measured: Knee;
  /** Of the prediction, relative to what was measured. */
  readonly errorShare: number;
  /** Least of what the generator sent of what it was told to, at rates up to the knee. */
  readonly generatorSentShare: number;
  readonly latenessP99Ms: number;
}

/** Predicts and then measures each mix. */
export async function validatePlanner(
  instance: Instance,
  mixes: readonly Mix[],
  calibration: Calibration,
  options: {
    generator: LoadGenerator;
    length?: ProbeLength;
    seed?: string;
    signal?: AbortSignal | null;
    say?: (line: string) => void;
  },
): Promise<ValidatedMix[]> {
  const { generator, length = probeLength, seed = 'validation', signal = null, say = () => undefined } = options;
  const costs: CostModel = fitCosts(calibration);
  const machine = {
    cores: costs.machineCores,
    slots: costs.slots,
    memoryBytes: costs.memoryBytes,
    layerBytesMax: Number.POSITIVE_INFINITY,
  };
  const found: ValidatedMix[] = [];
  for (const mix of mixes) {
    const { templates, known } = await learnMix(instance, generator, mix, signal);
    const predicted = await predictKnee(toModel(costs, mix, known, machine, true), mix, errorOf(costs));
    say(
      `${mix.name}: predicted ${predicted.ratePerSecond.toFixed(1)}/s (${predicted.low.toFixed(1)} to ${predicted.high.toFixed(1)})`,
    );
    const measuring = { target: { ...instance, templates }, generator, signal, say };
    // The search starts beside the prediction, so that it can't lean on it.
    const measured = await measureKnee(measuring, mix, predicted.ratePerSecond * 0.85, length, `${seed} ${mix.name}`);
    const errorShare = (predicted.ratePerSecond - measured.ratePerSecond) / measured.ratePerSecond;
    const below = (measured.probes as readonly MeasuredProbe[]).filter(
      ({ ratePerSecond }) => ratePerSecond <= measured.ratePerSecond,
    );
    say(`${mix.name}: measured ${measured.ratePerSecond.toFixed(1)}/s, error ${(100 * errorShare).toFixed(1)} %`);
    found.push({
      ...{ mix: mix.name, predicted, measured, errorShare },
      generatorSentShare: Math.min(1, ...below.map(({ sentShare }) => sentShare)),
      latenessP99Ms: Math.max(0, ...below.map(({ latenessP99Ms }) => latenessP99Ms)),
    });
  }
  return found;
}
