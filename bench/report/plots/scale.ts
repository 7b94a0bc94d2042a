/**
 * Owns how figures lie along an axis: evenly, by their logarithm, or by their logarithm on both sides of zero; and which few of them are named.
 * Never cuts samples off. Invariant: the lowest and the highest lie within 0 and 1.
 */

/** How figures are spread. */
export type ScaleKind = 'linear' | 'logarithmic' | 'logarithmic on both sides of zero';

/** One axis. */
export interface Scale {
  readonly kind: ScaleKind;
  /** 0 where the axis begins, 1 where it ends. */
  toShare(figure: number): number;
  /** At most about so many round figures, ascending. */
  ticks(most: number): number[];
}

/** From where on a range is so wide that evenly spread figures would hide the small ones. */
const WIDE = 8;
/** Of the axis, on each side of the figures. */
const MARGIN = 0.03;
const ROUND = [1, 2, 5];

/** The step of 1, 2 or 5 times a power of ten that makes at most `most` of a range. */
function roundStep(range: number, most: number): number {
  const power = 10 ** Math.floor(Math.log10(range / most));
  return [...ROUND, 10].map((factor) => factor * power).find((step) => range / step <= most) ?? range;
}

function evenTicks(low: number, high: number, most: number): number[] {
  if (!(high > low)) return [low];
  const step = roundStep(high - low, most);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, at) =>
    Number(((first + at) * step).toFixed(9)),
  );
}

/** Evenly from exactly `low` to `high`. */
export function linearScale(low: number, high: number): Scale {
  const range = high - low || 1;
  return {
    kind: 'linear',
    toShare: (figure) => (figure - low) / range,
    ticks: (most) => evenTicks(low, high, most),
  };
}

/** By a function that grows; ticks are tried in the order of their weight, and those too near to a heavier one left out. */
function bentScale(
  kind: ScaleKind,
  { low, high, bend }: { low: number; high: number; bend: (figure: number) => number },
  candidates: readonly number[],
): Scale {
  const [from, until] = [bend(low), bend(high)];
  const margin = (until - from) * MARGIN;
  const toShare = (figure: number) => (bend(figure) - from + margin) / (until - from + 2 * margin);
  const ticks = (most: number) => {
    const taken: number[] = [];
    for (const each of candidates) {
      const share = toShare(each);
      const isFree = taken.every((other) => Math.abs(toShare(other) - share) >= 0.9 / most);
      if (share >= 0 && share <= 1 && isFree) taken.push(each);
    }
    return taken.sort((a, b) => a - b);
  };
  return { kind, toShare, ticks };
}

function powersBetween(low: number, high: number): number[] {
  const [from, until] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: until - from + 1 }, (_, at) => Number(`1e${from + at}`));
}

function logarithmicScale(low: number, high: number): Scale {
  const powers = powersBetween(low, high);
  const candidates = ROUND.flatMap((factor) => powers.map((power) => Number((factor * power).toPrecision(3))));
  return bentScale('logarithmic', { low, high, bend: Math.log10 }, candidates);
}

/** Even up to `fine` on both sides of zero, by the logarithm beyond. */
function twoSidedScale(low: number, high: number, fine: number): Scale {
  const bend = (figure: number) => Math.sign(figure) * Math.log10(1 + Math.abs(figure) / fine);
  const powers = powersBetween(fine, Math.max(Math.abs(low), Math.abs(high))).reverse();
  return bentScale('logarithmic on both sides of zero', { low, high, bend }, [
    0,
    ...powers,
    ...powers.map((each) => -each),
  ]);
}

/** The scale on which all of these can be told apart. */
export function scaleOf(figures: readonly number[], typical: readonly number[]): Scale {
  const low = figures.reduce((least, each) => Math.min(least, each), Number.POSITIVE_INFINITY);
  const high = figures.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY);
  if (low > 0 && high / low >= WIDE) return logarithmicScale(low, high);
  const sizes = typical.map(Math.abs).filter((size) => size > 0);
  const fine = 10 ** Math.floor(Math.log10(Math.min(...sizes, high)));
  if (low <= 0 && high > 0 && high / fine >= WIDE * WIDE) return twoSidedScale(low, high, fine);
  const margin = (high - low || Math.abs(high) || 1) * MARGIN;
  return linearScale(low - margin, high + margin);
}
