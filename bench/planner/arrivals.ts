/**
 * Owns when what of a mix arrives: an open-loop schedule that follows from a seed. Poisson arrivals, or those of the mix's curve.
 * Never waits for anything: whoever offers it sends each at its time, whatever came back. Milliseconds from the start.
 * Invariants: a schedule has exactly rate × time arrivals, and every distribution in it is stratified: a Poisson process given its count, so that two
 * probes at one rate offer the same load and differ in its order only.
 */
import type { Random } from '../../shared/clock.ts';
import { SeededNumbers } from '../../test/support/seeded-numbers.ts';
import { shuffled, stratify } from './distribution.ts';
import type { Mix } from './mix.ts';

/** One submission. */
export interface Arrival {
  readonly atMs: number;
  /** Which of the mix's environments. */
  readonly environment: number;
  /** Of its program; null: a native request, which takes what it takes. */
  readonly cpuTimeMs: number | null;
}

/** Chance that follows from a text. */
export function seededRandom(seed: string): Pick<Random, 'next'> {
  const numbers = new SeededNumbers(seed);
  return { next: () => numbers.below(0x1_0000_0000) / 0x1_0000_0000 };
}

/** How many there are when `rate` a second come at the peak for so long. */
export function countOf(mix: Mix, ratePerSecond: number, durationMs: number): number {
  return Math.max(1, Math.round((ratePerSecond * durationMs * meanShareOfPeak(mix)) / 1000));
}

/** The mean of the curve, of its peak; 1 without a curve. */
export function meanShareOfPeak({ arrivals }: Pick<Mix, 'arrivals'>): number {
  if (arrivals === undefined) return 1;
  const totalMs = arrivals.reduce((sum, { forMs }) => sum + forMs, 0);
  return arrivals.reduce((sum, { forMs, shareOfPeak }) => sum + forMs * shareOfPeak, 0) / totalMs;
}

/** Times of `count` arrivals, in order: uniform by the curve's cumulated rate, which is what a Poisson process is when its count is known. */
function timesOf(mix: Mix, count: number, durationMs: number, random: Pick<Random, 'next'>): number[] {
  const { arrivals = [{ forMs: durationMs, shareOfPeak: 1 }] } = mix;
  const curveMs = arrivals.reduce((sum, { forMs }) => sum + forMs, 0);
  const times: number[] = [];
  while (times.length < count) {
    const atMs = random.next() * durationMs;
    let within = ((atMs / durationMs) * curveMs) % curveMs;
    // A curve is pressed into the probe's time: what counts is its shape.
    const piece = arrivals.find(({ forMs }) => {
      within -= forMs;
      return within < 0;
    });
    if (random.next() < (piece?.shareOfPeak ?? 1)) times.push(atMs);
  }
  return times.sort((a, b) => a - b);
}

/** So many of each environment, by their shares; what rounding leaves goes to those that lost most by it. */
function countsOf(shares: readonly number[], count: number): number[] {
  const exact = shares.map((share) => share * count);
  const counts = exact.map(Math.floor);
  const order = exact.map((each, index) => ({ index, lost: each - Math.floor(each) })).sort((a, b) => b.lost - a.lost);
  const left = count - counts.reduce((sum, each) => sum + each, 0);
  for (const { index } of order.slice(0, left)) counts[index] = (counts[index] ?? 0) + 1;
  return counts;
}

/** The schedule of a mix at a rate (a second, at the peak) over a time. */
export function scheduleOf(mix: Mix, ratePerSecond: number, durationMs: number, seed: string): Arrival[] {
  const random = seededRandom(seed);
  const count = countOf(mix, ratePerSecond, durationMs);
  const shares = mix.environments.map(({ share }) => share);
  const what = countsOf(shares, count).flatMap((each, index): Omit<Arrival, 'atMs'>[] => {
    const environment = mix.environments[index];
    if (environment === undefined || !('program' in environment))
      return Array.from({ length: each }, () => ({ environment: index, cpuTimeMs: null }));
    return stratify(environment.program.cpuTimeMs, each).map((cpuTimeMs) => ({ environment: index, cpuTimeMs }));
  });
  const order = shuffled(what, random);
  return timesOf(mix, count, durationMs, random).map((atMs, index) => ({
    atMs,
    ...(order[index] ?? { environment: 0, cpuTimeMs: null }),
  }));
}
