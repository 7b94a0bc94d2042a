/**
 * Owns how a figure is drawn that changes with another one: a line for each contender, whiskers where the median is known within, the knee marked.
 * Never draws between what was measured but straight lines. Invariant: the upright axis begins at zero; a knee is marked only where more is better.
 */

import type { Plot } from '../../recording/recording.ts';
import type { Interval } from '../../statistics/quantiles.ts';
import { toFigure } from '../../wording.ts';
import { type Markup, markup } from '../markup.ts';
import { pick, type Series } from '../series.ts';
import { toDecimals, toLines, toRough } from '../shown.ts';
import { BOLD_LETTER, type Breadth, LETTER, round, text, toPicture, widths } from './canvas.ts';
import { type CurvePoint, kneeOf } from './knee.ts';
import { linearScale, type Scale } from './scale.ts';
import { toTick } from './ticks.ts';

/** A drawing of a figure by another one. */
export type CurvePlot = Extract<Plot, { kind: 'curve' }>;

/** One contender. */
export interface CurveLine {
  readonly label: string;
  readonly isOurs: boolean;
  readonly unit: string;
  readonly isRough: boolean;
  readonly points: readonly (CurvePoint & { readonly interval: Interval | null; readonly shown: string })[];
  /** The how manieth of ours or of the rivals, from 0. */
  readonly turn: number;
  /** Null where there is none, or where less is better. */
  readonly knee: CurvePoint | null;
}

/** How lines are told apart without colours: strokes and the points on them. */
const dashes = { ours: ['', '14 3'], rival: ['6 4', '2 4', '9 3 2 3'] } as const;
/** Figures so far apart are shown by their logarithm. */
const WIDE = 8;
/** Names at the ends of lines are broken after so many letters, and their lines so far apart. */
const NAME_LETTERS = 24;
const NAME_LINE = 16;
/** What there is room for behind a piece of the line. */
const NARROW_LETTERS = 40;

/** The lines with something on them. */
export function toCurveLines(plot: CurvePlot, series: readonly Series[], isMoreBetter: boolean): CurveLine[] {
  const rows = plot.lines.map(({ points }) =>
    points.flatMap(({ x, row }) => pick(series, [row]).map((found) => ({ x, found }))).sort((a, b) => a.x - b.x),
  );
  const decimals = toDecimals(rows.flat().map(({ found }) => found.summary.p50));
  const turns = { ours: 0, rival: 0 };
  return plot.lines.flatMap(({ label }, at) => {
    const found = rows[at] ?? [];
    const points = found.map(({ x, found }) => ({
      ...{ x, y: found.summary.p50, interval: found.p50Interval },
      shown: toRough(found.summary.p50, decimals, found.isRough),
    }));
    const isOurs = found.some((each) => each.found.isOurs);
    const knee = isMoreBetter ? kneeOf(points) : null;
    if (points.length === 0) return [];
    const turn = turns[isOurs ? 'ours' : 'rival']++;
    const isRough = found.some((each) => each.found.isRough);
    return [{ label, isOurs, unit: found[0]?.found.unit ?? '', isRough, points, turn, knee }];
  });
}

interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly toX: (x: number) => number;
  readonly toY: (y: number) => number;
  readonly isNarrow: boolean;
}

function acrossOf(xs: readonly number[]): (x: number) => number {
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const bend = low > 0 && high / low >= WIDE ? Math.log : (x: number) => x;
  return (x) => (high === low ? 0.5 : (bend(x) - bend(low)) / (bend(high) - bend(low)));
}

function toFrame(lines: readonly CurveLine[], breadth: Breadth): { frame: Frame; upright: Scale } {
  const points = lines.flatMap((line) => line.points);
  const across = acrossOf(points.map(({ x }) => x));
  const low = Math.min(0, ...points.map(({ y, interval }) => interval?.low ?? y));
  const high = Math.max(0, ...points.map(({ y, interval }) => Math.max(y, interval?.high ?? y)));
  const upright = linearScale(low, (high || 1) * 1.06);
  const isNarrow = breadth === 'narrow';
  const names = lines.flatMap(({ label }) => toLines(label, NAME_LETTERS, 2)).map(({ length }) => length);
  const edge = { left: 58, right: widths[breadth] - (isNarrow ? 16 : Math.max(...names) * BOLD_LETTER + 18) };
  const top = isNarrow ? lines.length * 20 + 28 : 26;
  const bottom = top + (isNarrow ? 210 : 270);
  const toX = (x: number) => round(edge.left + 12 + across(x) * (edge.right - edge.left - 24));
  const toY = (y: number) => round(bottom - upright.toShare(y) * (bottom - top));
  return { frame: { ...edge, top, bottom, toX, toY, isNarrow }, upright };
}

function grid(
  { left, right, top, bottom, toX, toY }: Frame,
  upright: Scale,
  { x, xs, unit }: { x: string; xs: readonly number[]; unit: string },
) {
  const levels = upright
    .ticks(5)
    .map(
      (tick) =>
        markup`<line class="${tick === 0 ? 'grid zero' : 'grid'}" x1="${left}" x2="${right}" y1="${toY(tick)}" y2="${toY(tick)}" />${text(left - 8, toY(tick) + 4, toTick(unit)(tick), 'tick end')}`,
    );
  let free = 0;
  const steps = xs.map((each) => {
    const [at, name] = [toX(each), toFigure(each)];
    if (at - (name.length * LETTER) / 2 < free) return null;
    free = at + (name.length * LETTER) / 2 + 6;
    return text(at, bottom + 18, name, 'tick middle');
  });
  return [levels, steps, text(0, top - 12, unit, 'tick'), text((left + right) / 2, bottom + 37, x, 'tick middle')];
}

/** A line's stroke, solid for ours and dashed for rivals. */
function stroke({ isOurs, turn }: CurveLine, path: string): Markup {
  const list = dashes[isOurs ? 'ours' : 'rival'];
  const dash = list[turn % list.length] ?? '';
  const dashed = dash === '' ? null : markup` stroke-dasharray="${dash}"`;
  return markup`<path class="${isOurs ? 'curve ours' : 'curve'}"${dashed} d="${path}" />`;
}

/** A line's points: filled for ours and hollow for rivals; discs, then squares, then diamonds. */
function pointMark(x: number, y: number, { isOurs, turn }: CurveLine): Markup {
  const kind = isOurs ? 'point ours' : 'point';
  if (turn % 3 === 0) return markup`<circle class="${kind}" cx="${x}" cy="${y}" r="4" />`;
  const turned = turn % 3 === 2 ? ' rotate(45)' : '';
  return markup`<rect class="${kind}" x="-3.6" y="-3.6" width="7.2" height="7.2" transform="translate(${x} ${y})${turned}" />`;
}

function drawLine({ toX, toY }: Frame, line: CurveLine): Markup {
  const places = line.points.map(({ x, y }) => `${toX(x)} ${toY(y)}`);
  const points = line.points.map(({ x, y, interval, shown }) => {
    const [at, kind] = [toX(x), line.isOurs ? 'whisker ours' : 'whisker'];
    const whisker =
      interval === null
        ? null
        : markup`<line class="${kind}" x1="${at}" x2="${at}" y1="${toY(interval.low)}" y2="${toY(interval.high)}" />`;
    return markup`<g><title>${`${line.label} at ${toFigure(x)}: ${shown} ${line.unit}`}</title>${whisker}${pointMark(at, toY(y), line)}</g>`;
  });
  return markup`${stroke(line, `M${places.join('L')}`)}${points}`;
}

/** A ring around the knee, and for ours what it means. */
function kneeMark({ toX, toY, bottom, right }: Frame, line: CurveLine): Markup | null {
  if (line.knee === null) return null;
  const [at, height] = [toX(line.knee.x), toY(line.knee.y)];
  const ring = markup`<circle class="knee${line.isOurs ? ' ours' : ''}" cx="${at}" cy="${height}" r="8.5" data-knee="${line.knee.x}" />`;
  if (!line.isOurs) return ring;
  const words = `knee at ${line.isRough ? '≈ ' : ''}${toFigure(line.knee.x)}`;
  const isLate = at + words.length * LETTER + 10 > right;
  return markup`<line class="knee-line" x1="${at}" x2="${at}" y1="${round(height + 9)}" y2="${bottom}" />${ring}${text(at + (isLate ? -8 : 8), bottom - 10, words, isLate ? 'note end' : 'note')}`;
}

/** Names beside the ends of lines, moved apart; on a phone above them all, behind a piece of the line. */
function names({ left, right, toX, toY, isNarrow }: Frame, lines: readonly CurveLine[]): Markup[] {
  if (isNarrow)
    return lines.map((line, at) => {
      const y = at * 20 + 12;
      return markup`${stroke(line, `M4 ${y - 4}L38 ${y - 4}`)}${pointMark(21, y - 4, line)}${text(left - 10, y, toLines(line.label, NARROW_LETTERS, 1)[0] ?? '', line.isOurs ? 'label ours' : 'label')}`;
    });
  let free = 0;
  return lines
    .map((line) => ({ line, end: line.points.at(-1) }))
    .flatMap(({ line, end }) => (end === undefined ? [] : [{ line, x: toX(end.x), y: toY(end.y) + 4 }]))
    .sort((a, b) => a.y - b.y)
    .map(({ line, x, y }) => {
      const words = toLines(line.label, NAME_LETTERS, 2);
      const placed = Math.max(y - ((words.length - 1) * NAME_LINE) / 2, free);
      free = placed + words.length * NAME_LINE + 2;
      const kind = line.isOurs ? 'label ours' : 'label';
      return markup`${words.map((each, at) => text(Math.max(x + 14, right - 4), placed + at * NAME_LINE, each, kind))}`;
    });
}

/** Lines in their order; null when none has a sample. */
export function drawCurve(plot: CurvePlot, lines: readonly CurveLine[], id: string, breadth: Breadth): Markup | null {
  if (lines.length === 0) return null;
  const { frame, upright } = toFrame(lines, breadth);
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const unit = lines[0]?.unit ?? '';
  const content = [
    grid(frame, upright, { x: plot.x, xs, unit }),
    // Ours lies above the others.
    lines.map((line) => (line.isOurs ? null : [drawLine(frame, line), kneeMark(frame, line)])),
    lines.map((line) => (line.isOurs ? [drawLine(frame, line), kneeMark(frame, line)] : null)),
    names(frame, lines),
  ];
  const description = lines
    .map(({ label, points }) => `${label}: ${points.map(({ x, shown }) => `${shown} at ${toFigure(x)}`).join(', ')}`)
    .join('; ');
  return toPicture({ id, breadth, height: frame.bottom + 46, title: plot.title, description, content });
}

/** What a caption says of the knees. */
export function describeKnees(lines: readonly CurveLine[]): string {
  const said = lines.map(({ label, knee, points }) =>
    knee === null
      ? `${label}: still climbing at ${toFigure(points.at(-1)?.x ?? Number.NaN)}`
      : `${label}: at ${toFigure(knee.x)}`,
  );
  return `knee (ringed), where nine tenths of the most seen are reached: ${said.join('; ')}`;
}
