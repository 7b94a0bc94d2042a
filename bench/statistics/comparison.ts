/**
 * Owns the judgement between two runs of one series: better, worse, noise, or unknown where the samples can't carry a judgement.
 * Never compares two printed figures, and never names a change that is too small to matter; README.md says how often it errs.
 * Invariant: between runs that scatter alike, noise and a drift that hits ours and the rival alike are called a change once in a hundred at most.
 */
import { dispersionOf, type Interval, percentile, quantileInterval } from './quantiles.ts';
import { typicalFactor, typicalShift, typicalValue } from './typical.ts';

/** Samples in time order: as one list, or as the blocks in which they were taken. */
export type Series = readonly number[] | readonly (readonly number[])[];

/** One series of a run and, if there is one, that of a rival whose blocks lie between ours. */
export interface ComparedRun {
  readonly ours: Series;
  readonly rival?: Series;
}

/** What is compared and which way is up. */
export interface ComparisonOptions {
  readonly better: 'lower' | 'higher';
  /** What of the series: the typical round (p50, as it is without this), or its tail. */
  readonly of?: 'p50' | 'p99';
  /** The smallest change worth naming, as a share; without it 0.03 beside a rival, 0.1 without one, 0.1 of a tail. */
  readonly smallestEffect?: number;
}

/** What the two runs say. */
export interface Comparison {
  readonly judgement: 'better' | 'worse' | 'noise' | 'unknown';
  /** After as a multiple of before, beside the rival where both runs have one; NaN where nothing can be said. */
  readonly ratio: number;
  /** 99 % of the ratio. */
  readonly interval: Interval | null;
  /** One sentence with the figures. */
  readonly why: string;
}

/** An estimate of the logarithm of the ratio. */
interface Estimate {
  readonly shift: number;
  readonly low: number;
  readonly high: number;
}

/** A run whose samples were looked at, rivals only where both have one. */
interface Material {
  readonly ours: Series;
  readonly rival: Series | null;
}

/** Below so many samples in any series nothing is judged. */
export const SAMPLES_LEAST = 8;
/** Changes from here on are worth naming. Without a rival, a machine that is slower today looks like a change: so more is asked. */
export const SMALLEST_EFFECT = { p50: 0.03, p50WithoutRival: 0.1, p99: 0.1 } as const;

const CONFIDENCE = 0.99;
const SAMPLES_FOR_TAIL = '530 at the least, and 2,000 where slow ones come in clusters';
/** The standard normal distribution's quantile for that, two-sided. */
const NORMAL_QUANTILE = 2.5758;
/** What half an interval must be multiplied by to get the change that is found 95 times of 100: (2.5758 + 1.6449) / 2.5758. */
const SURELY_FOUND = 1.64;
const BATCHES = { least: 8, most: 16, ofBlocksMost: 32 } as const;
/** Batches that hang together widen the interval by at most the root of this: more can't be told from so few. */
const INFLATION_MOST = 3;

function flat(series: Series): number[] {
  return series.flat();
}

function blocksOf(series: Series): readonly (readonly number[])[] {
  return series.map((each) => (typeof each === 'number' ? [each] : each)).filter((block) => block.length > 0);
}

/** The series in so many stretches of time, as equal as its blocks allow; samples themselves where there are too few blocks. */
function batches(series: Series, count: number): number[][] {
  const blocks = blocksOf(series);
  const pieces = blocks.length >= count ? blocks : flat(series).map((sample) => [sample]);
  return Array.from({ length: count }, (_, batch) =>
    pieces.slice(Math.round((batch * pieces.length) / count), Math.round(((batch + 1) * pieces.length) / count)).flat(),
  );
}

/** The blocks themselves where they are a fit number and the rival has as many; else sixteenths, or fewer of few samples. */
function batchCount({ ours, rival }: Material): number {
  const blocks = blocksOf(ours).length;
  const areBlocksFit = blocks >= BATCHES.least && blocks <= BATCHES.ofBlocksMost;
  if (areBlocksFit && (rival === null || blocksOf(rival).length === blocks)) return blocks;
  const samples = Math.min(flat(ours).length, rival === null ? Number.POSITIVE_INFINITY : flat(rival).length);
  return Math.min(BATCHES.most, Math.max(BATCHES.least, Math.floor(samples / 2)));
}

/** Where ours lies in each batch, as a logarithm: above the rival of the same stretch of time, or above nothing. */
function positions(run: Material): number[] {
  const count = batchCount(run);
  const rivals = run.rival === null ? null : batches(run.rival, count);
  return batches(run.ours, count).map((batch, index) =>
    rivals === null ? typicalValue(batch) : typicalFactor(batch, rivals[index] ?? []),
  );
}

/** Ranks around their middle, in time order; ties get neighbouring ranks. */
function centredRanks(values: readonly number[]): number[] {
  const ranks = new Array<number>(values.length).fill(0);
  const order = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  order.forEach((index, rank) => {
    ranks[index] = rank - (values.length - 1) / 2;
  });
  return ranks;
}

/**
 * How many times more a mean of these varies than if neighbours were strangers: (1 + r) / (1 - r) of the ranks' autocorrelation r, of
 * which one standard error is taken off, since strangers seem to hang together that much.
 */
function inflation(series: readonly (readonly number[])[]): number {
  let [products, squares] = [0, 0];
  for (const ranks of series.map(centredRanks)) {
    ranks.forEach((rank, index) => {
      squares += rank * rank;
      products += index === 0 ? 0 : rank * (ranks[index - 1] ?? 0);
    });
  }
  const count = series.reduce((sum, { length }) => sum + length, 0);
  const correlation = Math.max(0, products / squares - 1 / Math.sqrt(count));
  return Math.min(INFLATION_MOST, (1 + correlation) / (1 - correlation));
}

/**
 * The rank-sum test (Wilcoxon 1945; Mann and Whitney 1947) of the batches of two runs as an interval: the differences of all pairs in
 * order, with as many left out on each side as the test allows (Moses; Hollander and Wolfe, Nonparametric Statistical Methods, 4.3).
 */
function estimateTypical(before: Material, after: Material): Estimate | null {
  const [earlier, later] = [positions(before), positions(after)];
  const pairs = earlier.length * later.length;
  const spread = Math.sqrt((inflation([earlier, later]) * pairs * (earlier.length + later.length + 1)) / 12);
  const rank = Math.floor(pairs / 2 - NORMAL_QUANTILE * spread);
  if (rank < 1) return null;
  const differences = Float64Array.from(later.flatMap((high) => earlier.map((low) => high - low))).sort();
  return {
    shift: typicalShift(later, earlier),
    low: differences[rank - 1] ?? Number.NaN,
    high: differences[pairs - rank] ?? Number.NaN,
  };
}

/** One series' p99 as a logarithm with its interval, widened where slow rounds come in clusters. */
function tailOf(samples: readonly number[]): Estimate | null {
  const interval = quantileInterval(samples, 0.99, CONFIDENCE, dispersionOf(samples, 0.99));
  if (interval === null) return null;
  return { shift: Math.log(percentile(samples, 0.99)), low: Math.log(interval.low), high: Math.log(interval.high) };
}

/** The interval of a difference from the intervals of both sides (method of variance estimates recovery, Zou and Donner 2008). */
function difference(left: Estimate, right: Estimate): Estimate {
  const shift = left.shift - right.shift;
  return {
    shift,
    low: shift - Math.hypot(left.shift - left.low, right.high - right.shift),
    high: shift + Math.hypot(left.high - left.shift, right.shift - right.low),
  };
}

/**
 * A run's p99, beside the rival's if there is one. Both are in multiples of the rival's typical round of the same stretch of time, so that
 * the machine's drift makes no clusters; the rival's own tail is taken off, since a machine that stutters lengthens both.
 */
function tailOfRun(run: Material): Estimate | null {
  if (run.rival === null) return tailOf(flat(run.ours));
  const count = batchCount(run);
  const rivals = batches(run.rival, count);
  const units = rivals.map((batch) => Math.exp(typicalValue(batch)));
  const inUnits = (batch: readonly number[], index: number) => batch.map((sample) => sample / (units[index] ?? 1));
  const [own, theirs] = [tailOf(batches(run.ours, count).flatMap(inUnits)), tailOf(rivals.flatMap(inUnits))];
  return own === null || theirs === null ? null : difference(own, theirs);
}

function estimateTail(before: Material, after: Material): Estimate | null {
  const [earlier, later] = [tailOfRun(before), tailOfRun(after)];
  return earlier === null || later === null ? null : difference(later, earlier);
}

/** What makes a comparison impossible, as the end of a sentence; null if nothing does. */
function obstacle(runs: readonly Material[]): string | null {
  for (const [index, { ours, rival }] of runs.entries()) {
    const when = index === 0 ? 'before' : 'after';
    for (const [whose, series] of [['our', ours] as const, ["the rival's", rival] as const]) {
      if (series === null) continue;
      const samples = flat(series);
      if (samples.length < SAMPLES_LEAST)
        return `${whose} series ${when} has ${samples.length} samples, and below ${SAMPLES_LEAST} nothing can be said`;
      const odd = samples.filter((sample) => !(Number.isFinite(sample) && sample > 0)).length;
      if (odd > 0)
        return `${whose} series ${when} has ${odd} samples that are no numbers above 0, of which there is no ratio`;
    }
  }
  return null;
}

function percent(share: number): string {
  return `${(100 * Math.abs(share)).toFixed(1)} %`;
}

function sideOf(ratio: number): string {
  return `${percent(ratio - 1)} ${ratio < 1 ? 'lower' : 'higher'}`;
}

function judged(estimate: Estimate, smallest: number, better: 'lower' | 'higher', subject: string): Comparison {
  const ratio = Math.exp(estimate.shift);
  const interval = { low: Math.exp(estimate.low), high: Math.exp(estimate.high) };
  const seen = `${subject} is ${sideOf(ratio)} than before (99 %: ${sideOf(interval.low)} to ${sideOf(interval.high)})`;
  if (estimate.low <= 0 && estimate.high >= 0) {
    const half = (estimate.high - estimate.low) / 2;
    const found = Math.max(smallest, Math.exp(SURELY_FOUND * half) - 1);
    const why = `${seen}, which no change at all explains as well; one of ${percent(found)} would have been found`;
    return { judgement: 'noise', ratio, interval, why };
  }
  if (Math.abs(estimate.shift) < Math.log(1 + smallest))
    return { judgement: 'noise', ratio, interval, why: `${seen}, less than the ${percent(smallest)} worth naming` };
  const isBetter = ratio < 1 === (better === 'lower');
  const why = `${seen}, and ${better} is better`;
  return { judgement: isBetter ? 'better' : 'worse', ratio, interval, why };
}

/**
 * Judges a series of a later run against an earlier one; the test, its rates and its limits are in README.md.
 * Where both runs have the rival's series, ours is taken beside it, stretch of time by stretch of time, so that a slower machine cancels.
 */
export function compareSeries(before: ComparedRun, after: ComparedRun, options: ComparisonOptions): Comparison {
  const { better, of = 'p50' } = options;
  const hasRival = before.rival !== undefined && after.rival !== undefined;
  const toMaterial = ({ ours, rival }: ComparedRun): Material => ({ ours, rival: (hasRival ? rival : null) ?? null });
  const runs = [toMaterial(before), toMaterial(after)] as const;
  const unknown = (why: string): Comparison => ({ judgement: 'unknown', ratio: Number.NaN, interval: null, why });
  const blocked = obstacle(runs);
  if (blocked !== null) return unknown(blocked);
  const subject = `the ${of}${hasRival ? " beside the rival's" : ', without a rival in both runs,'}`;
  if (of === 'p99') {
    const estimate = estimateTail(...runs);
    if (estimate === null) return unknown(`a p99 needs more rounds: ${SAMPLES_FOR_TAIL}`);
    return judged(estimate, options.smallestEffect ?? SMALLEST_EFFECT.p99, better, subject);
  }
  const estimate = estimateTypical(...runs);
  if (estimate === null) return unknown('the rounds hang together so much that they are too few');
  const smallest = hasRival ? SMALLEST_EFFECT.p50 : SMALLEST_EFFECT.p50WithoutRival;
  return judged(estimate, options.smallestEffect ?? smallest, better, subject);
}
