/**
 * Owns how figures are written at an axis, where there is room for few letters.
 * Never rounds what a tick stands for: ticks are round figures already. Invariant: a unit that is not written there is in the caption.
 */
import { toFigure } from '../../wording.ts';

/** Milliseconds from here on are written as seconds. */
const LONG_MS = 10_000;

/** The name of a round figure of this unit. */
export function toTick(unit: string): (figure: number) => string {
  return (figure) => {
    if (unit === 'ms' && Math.abs(figure) >= LONG_MS) return `${toFigure(figure / 1000)} s`.replace(/^-/, '−');
    return figure === 0 ? '0' : toFigure(figure).replace(/^-/, '−');
  };
}
