/**
 * Owns what is said about one series: percentiles, and how well each is known.
 * Never assumes a distribution, throws samples away or reads a clock; the bootstrap's seed is fixed.
 * Invariant: a percentile is by nearest rank; an interval that the count can't carry is null, never a guess.
 */
import { Generator } from './generator.ts';

/** From where to where a figure may be; both ends included. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** What a table shows of one series, in the unit of its samples. */
export interface Summary {
  /** All of them, in time order. */
  readonly samples: readonly number[];
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  /** 95 %; the wider of what order statistics and the bootstrap of blocks say. */
  readonly p50Interval: Interval | null;
  /** 95 %, by order statistics, widened where samples above the p99 come in clusters. */
  readonly p99Interval: Interval | null;
}

const CONFIDENCE = 0.95;
const RESAMPLES = 500;
const BOOTSTRAP_SEED = 1;
/** A bootstrap of fewer samples says nothing that order statistics don't. */
const BOOTSTRAP_COUNT_LEAST = 32;
/** A block of the bootstrap is a sixteenth of the series (25 of 400 rounds): what lasts less long than that is kept together. */
const BLOCKS_OF_SERIES = 16;
/** What chi-squared over its 15 degrees of freedom stays below in 95 of 100 cases. */
const DISPERSION_OF_CHANCE = 1.67;

/** Numbers in ascending order; the argument stays as it is. */
export function ascending(samples: readonly number[]): Float64Array {
  return Float64Array.from(samples).sort();
}

/** The value at which `share` (0..1) of sorted samples are done, by nearest rank; NaN without samples. */
function atShare(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

/** The value at which `share` (0..1) of the samples are done, by nearest rank; NaN without samples, or if one is not a number. */
export function percentile(samples: readonly number[], share: number): number {
  return samples.some(Number.isNaN) ? Number.NaN : atShare(ascending(samples), share);
}

/**
 * Ranks (from 1) of the order statistics between which a quantile lies: with B of `count` samples below it, binomial,
 * P(B < low) and P(B >= high) are at most half of what confidence leaves. Null where no such samples exist.
 * By the textbook's interval for quantiles (David and Nagaraja, Order Statistics, 7.1).
 */
function ranks(count: number, share: number, confidence: number): Interval | null {
  const tail = (1 - confidence) / 2;
  const mode = Math.min(count, Math.floor((count + 1) * share));
  const weights = new Float64Array(count + 1);
  const odds = share / (1 - share);
  weights[mode] = 1;
  for (let at = mode; at < count; at++) weights[at + 1] = ((weights[at] ?? 0) * odds * (count - at)) / (at + 1);
  for (let at = mode; at > 0; at--) weights[at - 1] = ((weights[at] ?? 0) * at) / (odds * (count - at + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let low = 0;
  for (let below = weights[0] ?? 0; low < count && below / total <= tail; below += weights[low] ?? 0) low++;
  let high = count + 1;
  for (let above = weights[count] ?? 0; high > 1 && above / total <= tail; above += weights[high - 1] ?? 0) high--;
  return low >= 1 && high <= count ? { low, high } : null;
}

/**
 * An interval for a quantile (share within 0..1) from order statistics alone; null where the count can't carry it: a median at 95 % needs 6
 * samples, a p99 368. It takes samples to be independent: where they are not, `dispersion` (how many times more than binomial the number
 * below the quantile varies) moves both ranks outwards by its root.
 */
export function quantileInterval(
  samples: readonly number[],
  share: number,
  confidence: number = CONFIDENCE,
  dispersion = 1,
): Interval | null {
  const count = samples.length;
  if (!(share > 0 && share < 1 && confidence > 0 && confidence < 1) || samples.some(Number.isNaN)) return null;
  const exact = ranks(count, share, confidence);
  if (exact === null) return null;
  const [centre, wider] = [share * count + 0.5, Math.sqrt(Math.max(1, dispersion))];
  const low = wider === 1 ? exact.low : Math.floor(centre - (centre - exact.low) * wider);
  const high = wider === 1 ? exact.high : Math.ceil(centre + (exact.high - centre) * wider);
  if (low < 1 || high > count) return null;
  const sorted = ascending(samples);
  return { low: sorted[low - 1] ?? Number.NaN, high: sorted[high - 1] ?? Number.NaN };
}

/**
 * How many times more than binomial the number of samples above a quantile varies between sixteenths of the series: above 1 where slow
 * rounds come in clusters or the machine drifts, and 1 where it varies no more than nineteen of twenty independent series do.
 */
export function dispersionOf(samples: readonly number[], share: number): number {
  const least = percentile(samples, share);
  const above = samples.map((sample) => (sample > least ? 1 : 0));
  const expected = above.reduce<number>((sum, one) => sum + one, 0) / samples.length;
  if (samples.length < 2 * BLOCKS_OF_SERIES || expected === 0) return 1;
  let squares = 0;
  for (let block = 0; block < BLOCKS_OF_SERIES; block++) {
    const from = Math.round((block * samples.length) / BLOCKS_OF_SERIES);
    const until = Math.round(((block + 1) * samples.length) / BLOCKS_OF_SERIES);
    const seen = above.slice(from, until).reduce<number>((sum, one) => sum + one, 0);
    squares += (seen - expected * (until - from)) ** 2 / ((until - from) * expected * (1 - expected));
  }
  const dispersion = squares / (BLOCKS_OF_SERIES - 1);
  return dispersion > DISPERSION_OF_CHANCE ? dispersion : 1;
}

/**
 * An interval for the median of samples in time order, by moving-block bootstrap (Künsch 1989): whole stretches of time are drawn, so that
 * what lasts (a neighbour for half a second, a frequency) is drawn whole and widens the interval, which order statistics can't see.
 * The same samples and seed give the same interval; null below 32 samples.
 */
export function medianByBlocks(
  samples: readonly number[],
  confidence: number = CONFIDENCE,
  seed = BOOTSTRAP_SEED,
): Interval | null {
  const count = samples.length;
  if (count < BOOTSTRAP_COUNT_LEAST || samples.some(Number.isNaN)) return null;
  const order = Uint32Array.from(samples.keys()).sort((a, b) => (samples[a] ?? 0) - (samples[b] ?? 0));
  const block = Math.ceil(count / BLOCKS_OF_SERIES);
  const drawn = Math.ceil(count / block);
  const half = Math.ceil((drawn * block) / 2);
  const generator = new Generator(seed);
  const medians = new Float64Array(RESAMPLES);
  const times = new Int32Array(count + 1);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    // How often each sample was drawn, from where blocks begin and end; so a draw costs two steps and not one per sample.
    times.fill(0);
    for (let each = 0; each < drawn; each++) {
      const from = generator.below(count - block + 1);
      times[from] = (times[from] ?? 0) + 1;
      times[from + block] = (times[from + block] ?? 0) - 1;
    }
    for (let at = 1; at < count; at++) times[at] = (times[at] ?? 0) + (times[at - 1] ?? 0);
    let [rank, below] = [-1, 0];
    while (below < half && rank < count - 1) below += times[order[++rank] ?? 0] ?? 0;
    medians[resample] = samples[order[rank] ?? 0] ?? Number.NaN;
  }
  medians.sort();
  const tail = (1 - confidence) / 2;
  return { low: atShare(medians, tail), high: atShare(medians, 1 - tail) };
}

/** An interval of 95 % for the median of samples in time order: what order statistics and the bootstrap of blocks say, both included. */
export function medianInterval(samples: readonly number[]): Interval | null {
  const [exact, byBlocks] = [quantileInterval(samples, 0.5), medianByBlocks(samples)];
  if (exact === null || byBlocks === null) return exact;
  return { low: Math.min(exact.low, byBlocks.low), high: Math.max(exact.high, byBlocks.high) };
}

/** The summary of one series, its samples in time order. */
export function summarise(samples: readonly number[]): Summary {
  return {
    // Whoever took them may go on with the list.
    samples: [...samples],
    count: samples.length,
    p50: percentile(samples, 0.5),
    p90: percentile(samples, 0.9),
    p99: percentile(samples, 0.99),
    p50Interval: medianInterval(samples),
    p99Interval: quantileInterval(samples, 0.99, CONFIDENCE, dispersionOf(samples, 0.99)),
  };
}
