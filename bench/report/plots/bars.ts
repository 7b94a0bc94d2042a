/**
 * Owns how medians are drawn beside each other: bars from zero, with the interval that each is known within as a whisker.
 * Never begins elsewhere than at zero. Invariant: bars of different units are never on one scale.
 */
import { toFigure } from '../../wording.ts';
import { type Markup, markup } from '../markup.ts';
import type { Series } from '../series.ts';
import { shorten, toDecimals, toRough } from '../shown.ts';
import { BOLD_LETTER, type Breadth, type Field, round, rowLabel, text, toField, toPicture } from './canvas.ts';

const THICK = 14;
/** What figures behind bars may take from them. */
const ROOM_MOST = 150;

/** From where to where each unit's bars go, zero included. */
function reachOf(rows: readonly Series[], unit: string): { low: number; high: number } {
  const figures = rows
    .filter((row) => row.unit === unit)
    .flatMap(({ summary, p50Interval }) => [summary.p50, p50Interval?.low ?? 0, p50Interval?.high ?? 0]);
  return { low: Math.min(0, ...figures), high: Math.max(0, ...figures) };
}

function whisker(from: number, until: number, middle: number): Markup {
  const ends = [from, until].map(
    (x) => markup`<line class="whisker" x1="${x}" x2="${x}" y1="${round(middle - 4)}" y2="${round(middle + 4)}" />`,
  );
  return markup`<line class="whisker" x1="${from}" x2="${until}" y1="${round(middle)}" y2="${round(middle)}" />${ends}`;
}

function bar(field: Field, rows: readonly Series[], row: Series, middle: number, shown: string): Markup {
  const { low, high } = reachOf(rows, row.unit);
  const at = (figure: number) => round(field.left + ((figure - low) / (high - low || 1)) * (field.right - field.left));
  const [zero, end] = [at(0), at(row.summary.p50)];
  const outermost = Math.max(zero, end, row.p50Interval === null ? 0 : at(row.p50Interval.high));
  const body = markup`<rect class="${row.isOurs ? 'bar ours' : 'bar'}" x="${Math.min(zero, end)}" y="${round(middle - THICK / 2)}" width="${round(Math.max(1, Math.abs(end - zero)))}" height="${THICK}" />`;
  const interval = row.p50Interval === null ? null : whisker(at(row.p50Interval.low), at(row.p50Interval.high), middle);
  return markup`${body}${interval}${text(outermost + 8, middle + 4, shown, row.isOurs ? 'figure ours' : 'figure')}`;
}

/** Rows in their order; null when none has a sample. */
export function drawBars(title: string, rows: readonly Series[], id: string, breadth: Breadth): Markup | null {
  if (rows.length === 0) return null;
  const { labels } = shorten(rows.map(({ label }) => label));
  const shown = rows.map(({ summary, unit, isRough }) => {
    const alike = rows.filter((row) => row.unit === unit).map((row) => row.summary.p50);
    return `${toRough(summary.p50, toDecimals(alike), isRough)} ${unit}`;
  });
  const room = Math.min(ROOM_MOST, Math.max(...shown.map(({ length }) => length)) * BOLD_LETTER + 12);
  const beside = toField(breadth, labels, breadth === 'wide' ? room : 0);
  const field = beside.isNarrow ? { ...beside, right: beside.right - room } : beside;
  const step = field.isNarrow ? 42 : 36;
  const drawn = rows.map((row, at) => {
    const top = at * step + 4;
    const middle = field.isNarrow ? top + 27 : top + step / 2;
    const { p50Interval: within } = row;
    const known = within === null ? '' : `, between ${toFigure(within.low)} and ${toFigure(within.high)} at 95 %`;
    return markup`<g><title>${`${row.label}: ${shown[at] ?? ''}${known}`}</title>${rowLabel(field, top, middle, labels[at] ?? '', row.isOurs)}${bar(field, rows, row, middle, shown[at] ?? '')}</g>`;
  });
  const description = rows.map((_, at) => `${labels[at]}: ${shown[at]}`).join('; ');
  return toPicture({ id, breadth, height: rows.length * step + 8, title, description, content: drawn });
}
