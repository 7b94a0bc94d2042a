/**
 * Owns which drawing a plot of a recording becomes, in both sizes, with a caption that says how to read it.
 * Never fails on a plot that names rows which are not there: it draws the others, and says so when there is none.
 */

import type { Plot } from '../../recording/recording.ts';
import type { Interval } from '../../statistics/quantiles.ts';
import { type Markup, markup, plain, prose } from '../markup.ts';
import { pick, type Series } from '../series.ts';
import { shorten } from '../shown.ts';
import { drawBars } from './bars.ts';
import type { Breadth } from './canvas.ts';
import { describeKnees, drawCurve, toCurveLines } from './curve.ts';
import { drawDistribution, HILL_SAMPLES_LEAST } from './distribution.ts';
import { scaleOf } from './scale.ts';
import { drawSplit } from './split.ts';

/** What a drawing is of. */
export interface Drawable {
  readonly series: readonly Series[];
  readonly isMoreBetter: boolean;
}

interface Drawing {
  readonly caption: readonly string[];
  draw(id: string, breadth: Breadth): Markup | null;
}

const unitsOf = (rows: readonly Series[]) => [...new Set(rows.map(({ unit }) => unit))].join(', ');

/** What is drawn of medians: whiskers are only there where samples are enough. */
function mediansOf(intervals: readonly (Interval | null)[]): string {
  const isKnown = intervals.some((interval) => interval !== null);
  return isKnown ? 'medians, with the interval that each is within at 95 %' : 'medians';
}

function spread(title: string, rows: readonly Series[]): Drawing {
  const scale = scaleOf(
    rows.flatMap(({ samples }) => samples),
    rows.map(({ summary }) => summary.p50),
  );
  const { shared } = shorten(rows.map(({ label }) => label));
  const kinds = [
    ...(rows.some(({ samples }) => samples.length >= HILL_SAMPLES_LEAST)
      ? ['each hill is scaled to its own height']
      : []),
    ...(rows.some(({ samples }) => samples.length < HILL_SAMPLES_LEAST)
      ? ['strokes above the line: single samples']
      : []),
  ];
  return {
    caption: [
      ...shared.filter((words) => !title.includes(words)),
      `in ${unitsOf(rows)}, ${scale.kind}`,
      `dot: median; stroke through the line: 99th percentile; ${kinds.join('; ')}`,
    ],
    draw: (id, breadth) => drawDistribution(title, rows, id, breadth),
  };
}

function bars(title: string, rows: readonly Series[]): Drawing {
  const { shared } = shorten(rows.map(({ label }) => label));
  return {
    caption: [
      ...shared.filter((words) => !title.includes(words)),
      mediansOf(rows.map(({ p50Interval }) => p50Interval)),
    ],
    draw: (id, breadth) => drawBars(title, rows, id, breadth),
  };
}

function toDrawing(plot: Plot, { series, isMoreBetter }: Drawable): Drawing {
  if (plot.kind === 'distribution') return spread(plot.title, pick(series, plot.rows));
  if (plot.kind === 'bars') return bars(plot.title, pick(series, plot.rows));
  if (plot.kind === 'split')
    return {
      caption: ['medians of the parts, on one scale; the median of the whole need not be their sum'],
      draw: (id, breadth) => drawSplit(plot, series, id, breadth),
    };
  const lines = toCurveLines(plot, series, isMoreBetter);
  const unit = [...new Set(lines.map((line) => line.unit))].join(', ');
  return {
    caption: [
      `upright: ${unit}; across: ${plot.x}; ${mediansOf(lines.flatMap(({ points }) => points.map(({ interval }) => interval)))}`,
      ...(isMoreBetter ? [describeKnees(lines)] : []),
    ],
    draw: (id, breadth) => drawCurve(plot, lines, id, breadth),
  };
}

/** One plot as a figure of a page; `id` is the only one of its kind there. */
export function toFigureElement(plot: Plot, drawable: Drawable, id: string): Markup {
  const { caption, draw } = toDrawing(plot, drawable);
  const [wide, narrow] = [draw(`${id}-w`, 'wide'), draw(`${id}-n`, 'narrow')];
  const said =
    wide === null
      ? 'Nothing was measured that could be drawn here.'
      : sentences([...(drawable.series.some(({ isRough }) => isRough) ? ['of a noisy run'] : []), ...caption]);
  return markup`<figure><h3>${prose(plot.title)}</h3>${wide}${narrow}<figcaption>${said}</figcaption></figure>\n`;
}

function sentences(parts: readonly string[]): string {
  return parts
    .map(plain)
    .map((part) => `${part.slice(0, 1).toUpperCase()}${part.slice(1)}`.replace(/\.?$/, '.'))
    .join(' ');
}
