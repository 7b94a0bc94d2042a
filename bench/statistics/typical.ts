/**
 * Owns typical values: where a group of rounds lies, and by how much it lies above another, both after Hodges and Lehmann (1963).
 * Never a mean, which one spike moves, and not the median either, which needs half as many rounds again for the same certainty.
 * Invariant: up to 29 % of the rounds may be wild without carrying the result away.
 */
import { ascending } from './quantiles.ts';

/** Steps of halving: enough for differences of logarithms to be right to the last printed digit. */
const HALVINGS = 34;

/** How many of all differences x - y are at most `least`; both sorted. */
function countAtMost(xs: Float64Array, ys: Float64Array, least: number): number {
  let [count, at] = [0, 0];
  // As x grows, fewer y are far enough above it: both groups are walked once.
  for (const x of xs) {
    while (at < ys.length && x - (ys[at] ?? 0) > least) at++;
    count += ys.length - at;
  }
  return count;
}

/** The median of all differences x - y of two sorted groups, without making them: halving the range until it is found. */
function medianDifference(xs: Float64Array, ys: Float64Array): number {
  let low = (xs[0] ?? Number.NaN) - (ys.at(-1) ?? Number.NaN);
  let high = (xs.at(-1) ?? Number.NaN) - (ys[0] ?? Number.NaN);
  const half = (xs.length * ys.length) / 2;
  for (let halving = 0; halving < HALVINGS && low < high; halving++) {
    const middle = (low + high) / 2;
    if (countAtMost(xs, ys, middle) >= half) high = middle;
    else low = middle;
  }
  // The upper end, since it is the one that is hit exactly: of two equal groups it is 0.
  return high;
}

function logarithms(samples: readonly number[]): Float64Array {
  return ascending(samples.map(Math.log));
}

/** The logarithm of the typical factor between rounds of ours and of the rival: the median over all pairs; samples above 0. */
export function typicalFactor(ours: readonly number[], rival: readonly number[]): number {
  return medianDifference(logarithms(ours), logarithms(rival));
}

/** The logarithm of the typical sample: the median over the middles of all pairs; samples above 0. */
export function typicalValue(samples: readonly number[]): number {
  const sorted = logarithms(samples);
  return medianDifference(sorted, sorted.map((each) => -each).reverse()) / 2;
}

/** By how much these values lie above the others: the median over all pairs, NaN where one side is empty. */
export function typicalShift(values: readonly number[], others: readonly number[]): number {
  return medianDifference(ascending(values), ascending(others));
}
