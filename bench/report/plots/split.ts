/**
 * Owns how the parts of a time are drawn: stacked along one bar, each named in it or right below it.
 * Never claims that parts are all there is. Invariant: bars of one drawing have one scale; what is printed as their sum is the sum of the parts' medians.
 */

import type { Plot } from '../../recording/recording.ts';
import { type Markup, markup } from '../markup.ts';
import { pick, type Series } from '../series.ts';
import { toDecimals, toLines, toRough } from '../shown.ts';
import { BOLD_LETTER, type Breadth, LETTER, round, text, toPicture, widths } from './canvas.ts';

const THICK = 28;
const LINE = 19;
/** Parts are told apart by so many shades, over and over. */
const SHADES = 5;

/** A drawing of what times are made of. */
export type SplitPlot = Extract<Plot, { kind: 'split' }>;

interface Portion {
  readonly name: string;
  readonly figure: number;
  readonly shown: string;
  readonly shade: number;
}

interface Bar {
  readonly label: string;
  readonly isOurs: boolean;
  readonly unit: string;
  readonly total: number;
  readonly shown: string;
  readonly portions: readonly Portion[];
}

function toBars({ bars }: SplitPlot, series: readonly Series[]): Bar[] {
  const sums = bars.map(({ parts }) =>
    pick(
      series,
      parts.map(({ row }) => row),
    ).reduce((sum, { summary }) => sum + summary.p50, 0),
  );
  const decimals = toDecimals([Math.min(...sums)]);
  return bars.flatMap(({ label, parts }) => {
    const found = parts.flatMap((part, at) => pick(series, [part.row]).map((row) => ({ ...part, row, at })));
    const portions = found.map(({ label, row, at }) => {
      const figure = Math.max(0, row.summary.p50);
      return { name: label, figure, shown: toRough(row.summary.p50, decimals, row.isRough), shade: at % SHADES };
    });
    const total = portions.reduce((sum, { figure }) => sum + figure, 0);
    const isOurs = found.some(({ row }) => row.isOurs);
    const unit = found[0]?.row.unit ?? '';
    return portions.length === 0
      ? []
      : [
          {
            ...{ label, isOurs, unit, total, portions },
            shown: `${toRough(
              total,
              decimals,
              found.some(({ row }) => row.isRough),
            )} ${unit}`,
          },
        ];
  });
}

/** Names that did not fit into the bar, in lines below it, each behind a patch of its shade. */
function named(portions: readonly Portion[], { top, width, kind }: { top: number; width: number; kind: string }) {
  let [x, y] = [4, top];
  const content = portions.map(({ name, shown, shade }) => {
    const words = `${toLines(name, 36, 1)[0] ?? ''} ${shown}`;
    const wide = words.length * LETTER + 16;
    if (x > 4 && x + wide > width) [x, y] = [4, y + LINE];
    const patch = markup`<rect class="part ${kind} shade-${shade}" x="${round(x)}" y="${y - 9}" width="10" height="10" />${text(x + 15, y, words, 'tick')}`;
    x += wide + 14;
    return patch;
  });
  return { content, bottom: portions.length === 0 ? top - LINE : y };
}

function drawBar(bar: Bar, longest: number, top: number, breadth: Breadth): { content: Markup; bottom: number } {
  const width = widths[breadth];
  const kind = bar.isOurs ? 'ours' : 'rival';
  const letters = Math.max(8, Math.floor(width / BOLD_LETTER) - bar.shown.length - 2);
  let x = 4;
  const unnamed: Portion[] = [];
  const pieces = bar.portions.map((portion) => {
    const { name, figure, shown, shade } = portion;
    const wide = (figure / (longest || 1)) * (width - 8);
    const words = [`${name} ${shown}`, name].find((each) => each.length * LETTER + 14 <= wide);
    if (words !== `${name} ${shown}`) unnamed.push(portion);
    const inside = words === `${name} ${shown}` ? text(x + 7, top + 22 + THICK / 2 + 4, words, 'inside') : null;
    const piece = markup`<g><title>${`${name}: ${shown} ${bar.unit}, ${Math.round((100 * figure) / (bar.total || 1))} %`}</title><rect class="part ${kind} shade-${shade}" x="${round(x)}" y="${top + 22}" width="${round(Math.max(0.5, wide - 1.5))}" height="${THICK}" />${inside}</g>`;
    x += wide;
    return piece;
  });
  const below = named(unnamed, { top: top + 22 + THICK + LINE, width, kind });
  const sum = text(width - 4, top + 14, bar.shown, `figure end ${kind}`);
  return {
    content: markup`${text(4, top + 14, toLines(bar.label, letters, 1)[0] ?? '', `label ${kind}`)}${sum}${pieces}${below.content}`,
    bottom: below.bottom,
  };
}

/** Bars in their order; null when no part has a sample. */
export function drawSplit(plot: SplitPlot, series: readonly Series[], id: string, breadth: Breadth): Markup | null {
  const bars = toBars(plot, series);
  if (bars.length === 0) return null;
  const longest = Math.max(...bars.map(({ total }) => total));
  let top = 2;
  const content = bars.map((bar) => {
    const drawn = drawBar(bar, longest, top, breadth);
    top = drawn.bottom + 18;
    return drawn.content;
  });
  const description = bars
    .map(
      ({ label, unit, portions }) =>
        `${label}: ${portions.map(({ name, shown }) => `${name} ${shown} ${unit}`).join(', ')}`,
    )
    .join('; ');
  return toPicture({ id, breadth, height: top - 6, title: plot.title, description, content });
}
