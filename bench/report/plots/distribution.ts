/**
 * Owns how a spread of samples is drawn: one hill for each row along a common axis, its median as a dot and its 99th percentile as a stroke.
 * Never hides a tail: the axis ends where the samples do. Invariant: few samples are drawn one by one, since a hill over them would be an invention.
 */
import { type Markup, markup } from '../markup.ts';
import type { Series } from '../series.ts';
import { shorten, toDecimals, toRough } from '../shown.ts';
import { axis, type Breadth, type Field, LETTER, round, rowLabel, text, toField, toPicture } from './canvas.ts';
import { type Scale, scaleOf } from './scale.ts';
import { toTick } from './ticks.ts';

/** Fewer are drawn one by one. */
export const HILL_SAMPLES_LEAST = 20;
/** Points of a hill's outline. */
const STEPS = 64;
/** A hill's kernel is never finer than this share of the field. */
const KERNEL_LEAST = 0.004;
/** So many kernels beyond the outermost samples a hill has come down. */
const SLOPE = 2.6;
const HILL = 30;

/** Where along the field a hill is how high, both from 0 to 1. */
export interface HillPoint {
  readonly share: number;
  readonly height: number;
}

/** A density by a Gaussian kernel of Silverman's width, on the axis's own scale, as high as 1 at its top. */
export function hillOf(shares: readonly number[]): HillPoint[] {
  const sorted = [...shares].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  const deviation = Math.sqrt(sorted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sorted.length);
  const spread = Math.min(deviation, (at(0.75) - at(0.25)) / 1.34 || deviation);
  const kernel = Math.max(KERNEL_LEAST, 0.9 * spread * sorted.length ** -0.2);
  const [from, until] = [Math.max(0, at(0) - SLOPE * kernel), Math.min(1, at(1) + SLOPE * kernel)];
  const heights = Array.from({ length: STEPS + 1 }, (_, step) => {
    const share = from + (step / STEPS) * (until - from);
    return { share, height: sorted.reduce((sum, each) => sum + Math.exp(-0.5 * ((share - each) / kernel) ** 2), 0) };
  });
  const top = Math.max(...heights.map(({ height }) => height));
  return heights.map(({ share, height }) => ({ share, height: height / top }));
}

function hill(field: Field, scale: Scale, { samples, isOurs }: Series, base: number): Markup {
  const toX = (share: number) => round(field.left + share * (field.right - field.left));
  const points = hillOf(samples.map(scale.toShare));
  const outline = points.map(({ share, height }) => `${toX(share)} ${round(base - height * HILL)}`);
  const [from, until] = [toX(points[0]?.share ?? 0), toX(points.at(-1)?.share ?? 1)];
  return markup`<path class="${isOurs ? 'hill ours' : 'hill'}" d="M${from} ${round(base)}L${outline.join('L')}L${until} ${round(base)}Z" />`;
}

function oneByOne(field: Field, scale: Scale, { samples, isOurs }: Series, base: number): Markup {
  const dots = samples.map((sample) => {
    const x = round(field.left + scale.toShare(sample) * (field.right - field.left));
    return markup`<line class="${isOurs ? 'sample ours' : 'sample'}" x1="${x}" x2="${x}" y1="${round(base - 10)}" y2="${round(base)}" />`;
  });
  return markup`${dots}`;
}

/** The dot of the median, the stroke of the 99th percentile and what lies between. */
function marks(field: Field, scale: Scale, { summary, isOurs }: Series, base: number): Markup {
  const at = (figure: number) => round(field.left + scale.toShare(figure) * (field.right - field.left));
  const [middle, far] = [at(summary.p50), at(summary.p99)];
  const kind = isOurs ? ' ours' : '';
  return markup`<line class="reach${kind}" x1="${middle}" x2="${far}" y1="${round(base)}" y2="${round(base)}" /><line class="far${kind}" x1="${far}" x2="${far}" y1="${round(base - 6)}" y2="${round(base + 6)}" /><circle class="dot${kind}" cx="${middle}" cy="${round(base)}" r="4" />`;
}

/** What is printed of a row. */
interface ShownFigures {
  readonly p50: string;
  readonly p99: string;
}

const inOne = ({ p50, p99 }: ShownFigures) => `${p50} · ${p99}`;

function figures(
  field: Field,
  base: number,
  top: number,
  shown: { p50: string; p99: string },
  isOurs: boolean,
): Markup {
  const kind = isOurs ? 'figure end ours' : 'figure end';
  if (field.isNarrow) return text(field.right, top + 13, inOne(shown), kind);
  return markup`${text(field.right + 66, base - 2, shown.p50, kind)}${text(field.right + 132, base - 2, shown.p99, 'figure end')}`;
}

/** Rows in their order; null when none has a sample. */
export function drawDistribution(title: string, rows: readonly Series[], id: string, breadth: Breadth): Markup | null {
  if (rows.length === 0) return null;
  const scale = scaleOf(
    rows.flatMap(({ samples }) => samples),
    rows.map(({ summary }) => summary.p50),
  );
  const { labels } = shorten(rows.map(({ label }) => label));
  const decimals = toDecimals(rows.map(({ summary }) => summary.p50));
  const printed = rows.map(({ isRough, summary: { p50, p99 } }) => ({
    p50: toRough(p50, decimals, isRough),
    p99: toRough(p99, decimals, isRough),
  }));
  const longest = Math.max(...printed.map((shown) => inOne(shown).length));
  const field = toField(breadth, labels, breadth === 'wide' ? 140 : longest * LETTER + 12);
  const [head, step, above] = [20, field.isNarrow ? 60 : 42, field.isNarrow ? 16 : 0];
  const bottom = head + rows.length * step + 4;
  const drawn = rows.map((row, at) => {
    const [top, base] = [head + at * step, head + at * step + above + HILL + 6];
    const shown = printed[at] ?? { p50: '', p99: '' };
    const outline = row.samples.length < HILL_SAMPLES_LEAST ? oneByOne : hill;
    return markup`<g><title>${`${row.label}: p50 ${shown.p50} ${row.unit}, p99 ${shown.p99} ${row.unit}, ${row.samples.length} samples`}</title>${rowLabel(field, top, base - 8, labels[at] ?? '', row.isOurs)}${outline(field, scale, row, base)}${marks(field, scale, row, base)}${figures(field, base, top, shown, row.isOurs)}</g>`;
  });
  const heads = field.isNarrow
    ? text(field.right, 12, 'p50 · p99', 'tick end')
    : markup`${text(field.right + 66, 12, 'p50', 'tick end')}${text(field.right + 132, 12, 'p99', 'tick end')}`;
  const ticks = axis(field, scale, { top: head, bottom }, toTick(rows[0]?.unit ?? ''));
  const description = printed
    .map(({ p50, p99 }, at) => `${labels[at]}: median ${p50}, 99th percentile ${p99}`)
    .join('; ');
  return toPicture({ id, breadth, height: bottom + 26, title, description, content: [ticks, heads, drawn] });
}
