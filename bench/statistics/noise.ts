/**
 * Owns the judgement whether a run's figures may be believed at all: what the machine did to it, and whether its series agree with themselves.
 * Never looks at what a figure is, only at how well it can be known; comparisons are of comparison.ts.
 * Invariant: each reason is one sentence with the figure that was seen and the limit that it passed.
 */
import { percentile, quantileInterval, summarise } from './quantiles.ts';

/** A series of the run, ours or a rival's. */
export interface NamedSeries {
  readonly label: string;
  /** In time order. */
  readonly samples: readonly number[];
}

/** What is known about a run. */
export interface RunConditions {
  /** Processor time that the hypervisor gave to others, as a share (0..1) of the run's length times its cores. */
  readonly stealShare: number;
  /** Load average of the minute before the run, when nothing of ours was running. */
  readonly loadBefore: number;
  readonly cores: number;
  readonly series: readonly NamedSeries[];
}

/** Whether to believe, and if not, why. */
export interface NoiseJudgement {
  readonly isNoisy: boolean;
  readonly reasons: readonly string[];
}

/** From where on a run is called noisy; README.md says why there. */
export const NOISE_LIMITS = {
  /** Of the run's processor time. */
  stealShare: 0.01,
  /** Strangers' load per core. */
  loadPerCore: 0.5,
  /** By which the last third lies above or below the first, its 99 % interval apart from that of the first. */
  driftShare: 0.05,
  /** Of the p50: how wide its 95 % interval may be. */
  intervalShare: 0.1,
  /** Of the lower of two hills: how deep the valley between them must be for two kinds of rounds. */
  valleyShare: 0.5,
  /** Of the rounds: what each kind has at the least. */
  hillShare: 0.15,
} as const;

/** Fewer samples have no thirds worth comparing and no shape. */
const SAMPLES_LEAST = 60;
const BINS = 128;

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function digits(value: number): string {
  return value.toPrecision(3);
}

function drift({ label, samples }: NamedSeries): string | null {
  if (samples.length < SAMPLES_LEAST) return null;
  const third = Math.floor(samples.length / 3);
  const [first, last] = [samples.slice(0, third), samples.slice(-third)];
  const [from, until] = [quantileInterval(first, 0.5, 0.99), quantileInterval(last, 0.5, 0.99)];
  if (from === null || until === null || !(until.low > from.high || until.high < from.low)) return null;
  const [earlier, later] = [percentile(first, 0.5), percentile(last, 0.5)];
  const share = later / earlier - 1;
  if (Math.abs(share) < NOISE_LIMITS.driftShare) return null;
  const moved = `from ${digits(earlier)} in its first third to ${digits(later)} in its last`;
  return `${label} drifted: its p50 went ${moved}, ${percent(Math.abs(share))} ${share > 0 ? 'up' : 'down'} (limit ${percent(NOISE_LIMITS.driftShare)})`;
}

function width({ label, samples }: NamedSeries): string | null {
  const { p50, p50Interval } = summarise(samples);
  if (p50Interval === null) return null;
  const share = (p50Interval.high - p50Interval.low) / Math.abs(p50);
  if (!(share > NOISE_LIMITS.intervalShare)) return null;
  const interval = `${digits(p50Interval.low)} to ${digits(p50Interval.high)}`;
  return `${label} scatters: its p50 lies anywhere from ${interval}, ${percent(share)} of it (limit ${percent(NOISE_LIMITS.intervalShare)})`;
}

/** How often samples lie where, smoothed, over bins of their logarithm. */
interface Shape {
  readonly heights: readonly number[];
  readonly toBin: (sample: number) => number;
  readonly toSample: (bin: number) => number;
}

/** The shape of the middle 98 % of the samples, since spikes have no say in it; null where it has none. */
function shapeOf(samples: readonly number[]): Shape | null {
  const [low, high] = [Math.log(percentile(samples, 0.01)), Math.log(percentile(samples, 0.99))];
  const quartiles = Math.log(percentile(samples, 0.75) / percentile(samples, 0.25)) / 1.349;
  const step = (high - low) / BINS;
  // Figures of a coarse clock stand in columns with nothing between them, which says nothing about rounds.
  const isCoarse = new Set(samples).size < samples.length / 4;
  if (isCoarse || !(step > 0 && Number.isFinite(step) && quartiles > 0)) return null;
  // Silverman's rule (1986), in bins: wide for two hills, which makes it slow to see two where there is one.
  const bandwidth = (0.9 * Math.min(quartiles, (high - low) / 4) * samples.length ** -0.2) / step;
  const toBin = (sample: number) => Math.floor((Math.log(sample) - low) / step);
  const counts = new Array<number>(BINS).fill(0);
  for (const bin of samples.map(toBin)) if (bin >= 0 && bin < BINS) counts[bin] = (counts[bin] ?? 0) + 1;
  const kernel = counts.map((_, distance) => Math.exp(-0.5 * (distance / bandwidth) ** 2));
  const heights = counts.map((_, bin) =>
    counts.reduce((sum, count, other) => sum + count * (kernel[Math.abs(bin - other)] ?? 0), 0),
  );
  return { heights, toBin, toSample: (bin) => Math.exp(low + (bin + 0.5) * step) };
}

/** The bin of the highest of these. */
function highest(heights: readonly number[], from: number, until: number): number {
  let found = from;
  for (let bin = from; bin < until; bin++) if ((heights[bin] ?? 0) > (heights[found] ?? 0)) found = bin;
  return found;
}

function twoKinds({ label, samples }: NamedSeries): string | null {
  if (samples.length < SAMPLES_LEAST || samples.some((sample) => !(sample > 0))) return null;
  const shape = shapeOf(samples);
  if (shape === null) return null;
  const { heights, toBin, toSample } = shape;
  const [from, until] = [NOISE_LIMITS.hillShare, 1 - NOISE_LIMITS.hillShare].map((share) =>
    toBin(percentile(samples, share)),
  );
  let deepest = { at: 0, left: 0, right: 0, share: 1 };
  for (let at = Math.max(1, from ?? 0); at <= Math.min(BINS - 2, until ?? 0); at++) {
    const [left, right] = [highest(heights, 0, at), highest(heights, at + 1, BINS)];
    const share = (heights[at] ?? 0) / Math.min(heights[left] ?? 0, heights[right] ?? 0);
    if (share < deepest.share) deepest = { at, left, right, share };
  }
  if (deepest.share > NOISE_LIMITS.valleyShare) return null;
  const below = samples.filter((sample) => toBin(sample) < deepest.at).length / samples.length;
  const hill = (share: number, bin: number) => `${percent(share)} around ${digits(toSample(bin))}`;
  const kinds = `${hill(below, deepest.left)} and ${hill(1 - below, deepest.right)}`;
  return `${label} has two kinds of rounds: ${kinds}, with ${percent(deepest.share)} of the lower between them (limit ${percent(NOISE_LIMITS.valleyShare)})`;
}

/** Judges a run by its machine and by each of its series; series too short for a check have no say in it. */
export function judgeNoise({ stealShare, loadBefore, cores, series }: RunConditions): NoiseJudgement {
  const reasons: string[] = [];
  if (stealShare > NOISE_LIMITS.stealShare)
    reasons.push(
      `the hypervisor gave ${percent(stealShare)} of the run's processor time to others (limit ${percent(NOISE_LIMITS.stealShare)})`,
    );
  if (loadBefore > NOISE_LIMITS.loadPerCore * cores)
    reasons.push(
      `others kept the machine busy: a load of ${loadBefore.toFixed(2)} on ${cores} cores in the minute before (limit ${(NOISE_LIMITS.loadPerCore * cores).toFixed(2)})`,
    );
  for (const each of series)
    for (const check of [drift, width, twoKinds]) {
      const reason = check(each);
      if (reason !== null) reasons.push(reason);
    }
  return { isNoisy: reasons.length > 0, reasons };
}
