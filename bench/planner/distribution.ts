/**
 * Owns distributions of durations as a mix declares them: their schema, their quantiles, their means, and draws from them.
 * Never draws by itself: whoever draws says the share, so that a seed reproduces every draw. Milliseconds.
 * Invariant: a stratified draw of n has exactly one value of each n-th of the distribution: the load that is offered is the load that was meant.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { Random } from '../../shared/clock.ts';
import { Closed } from '../../shared/model/closed.ts';

const milliseconds = (description: string) => Type.Number({ minimum: 0, maximum: 3_600_000, description });

/** How long something takes; milliseconds. */
export const Distribution = Type.Union(
  [
    Closed({ kind: Type.Literal('constant'), ms: milliseconds('Always.') }),
    Closed({ kind: Type.Literal('exponential'), meanMs: milliseconds('On average.') }),
    Closed({
      kind: Type.Literal('lognormal'),
      medianMs: milliseconds('Half take less.'),
      p99Ms: milliseconds('One in a hundred takes more.'),
    }),
    Closed({
      kind: Type.Literal('empirical'),
      samplesMs: Type.Array(milliseconds('As seen.'), {
        minItems: 1,
        maxItems: 10_000,
        description: 'Each as likely.',
      }),
    }),
  ],
  { description: 'constant, exponential, lognormal or empirical; milliseconds.' },
);
export type Distribution = Static<typeof Distribution>;

/** Standard normal quantile of 0.99. */
const Z99 = 2.3263478740408408;
/** Beyond this the tails of what has no end are cut. */
const SHARE_MAX = 0.99995;

/** What is wrong with a distribution beyond its shape, as the end of a sentence; null: nothing. */
export function flawOf(distribution: Distribution): string | null {
  if (distribution.kind !== 'lognormal' || distribution.p99Ms >= distribution.medianMs) return null;
  const { medianMs, p99Ms } = distribution;
  return `has a p99Ms of ${p99Ms} below its medianMs of ${medianMs}: set p99Ms to at least ${medianMs}`;
}

/** The value below which this share (0..1) lies. */
export function quantile(distribution: Distribution, share: number): number {
  switch (distribution.kind) {
    case 'constant':
      return distribution.ms;
    case 'exponential':
      return -Math.log(1 - Math.min(SHARE_MAX, share)) * distribution.meanMs;
    case 'lognormal': {
      const { medianMs, p99Ms } = distribution;
      if (medianMs === 0) return 0;
      const sigma = Math.log(p99Ms / medianMs) / Z99;
      return medianMs * Math.exp(sigma * normalQuantile(Math.min(SHARE_MAX, Math.max(1 - SHARE_MAX, share))));
    }
    case 'empirical': {
      const sorted = distribution.samplesMs.toSorted((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    }
  }
}

/** Its mean, by its quantiles: also of a lognormal whose tail is cut. */
export function meanOf(distribution: Distribution): number {
  const steps = distribution.kind === 'empirical' ? distribution.samplesMs.length : 4000;
  const values = stratify(distribution, steps);
  return values.reduce((sum, value) => sum + value, 0) / steps;
}

/** One value of each `count`-th of it, smallest first. */
export function stratify(distribution: Distribution, count: number): number[] {
  if (distribution.kind !== 'empirical')
    return Array.from({ length: count }, (_, index) => quantile(distribution, (index + 0.5) / count));
  const sorted = distribution.samplesMs.toSorted((a, b) => a - b);
  return Array.from({ length: count }, (_, index) => sorted[Math.floor(((index + 0.5) / count) * sorted.length)] ?? 0);
}

/** The same list in an order that follows from chance alone (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[], random: Pick<Random, 'next'>): Item[] {
  const list = [...items];
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random.next() * (last + 1));
    [list[last], list[other]] = [list[other] as Item, list[last] as Item];
  }
  return list;
}

/** The quantile of the standard normal distribution; Acklam's rational approximation, error below 1.2e-9 of the value. */
export function normalQuantile(share: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const polynomial = (factors: readonly number[], at: number) => factors.reduce((sum, factor) => sum * at + factor, 0);
  const low = 0.02425;
  if (share < low || share > 1 - low) {
    const q = Math.sqrt(-2 * Math.log(Math.min(share, 1 - share)));
    const tail = polynomial(c, q) / (polynomial(d, q) * q + 1);
    return share < low ? tail : -tail;
  }
  const q = share - 0.5;
  const r = q * q;
  return (polynomial(a, r) * q) / (polynomial(b, r) * r + 1);
}
