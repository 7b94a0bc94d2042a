/**
 * Owns how figures are put into a sentence: rounded to what can be read, and a multiple said as faster, slower or as much.
 * Never decides which figure matters.
 */

/** Three digits, without a tail of zeroes: 0.523, 12.3, 456, 12,300. */
export function toFigure(value: number): string {
  if (!Number.isFinite(value)) return 'nothing';
  return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** A duration that its size chose the unit of; `ms` in milliseconds. */
export function toDuration(ms: number): string {
  if (Math.abs(ms) >= 1000) return `${toFigure(ms / 1000)} s`;
  return Math.abs(ms) < 0.1 ? `${toFigure(ms * 1000)} µs` : `${toFigure(ms)} ms`;
}

/** A relative difference in percent, with its sign: +4.6 %; `share` of 1. */
export function toSignedPercent(share: number): string {
  return `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;
}

/** `0.5 × go-judge's 4.1 ms`, or nothing to say of a rival that is not there. */
export function toMultiple(ours: number, theirs: number, rival: string, unit = 'ms'): string {
  return Number.isFinite(theirs) && theirs > 0
    ? `, ${toFigure(ours / theirs)} × ${rival} (${toFigure(theirs)} ${unit})`
    : `; ${rival} is absent`;
}
