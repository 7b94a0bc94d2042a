/**
 * Owns how a spread of samples is drawn: one hill for each row along a common axis, its median as a dot and its 99th percentile as a stroke.
 * Never hides a tail: the axis ends where the samples do. Invariant: few samples are drawn one by one, since a hill over them would be an invention.
 */
import { type Markup, markup } from '../markup.ts';
import type { Series } from '../series.ts';
import { shorten, toDecimals, toShown } from '../shown.ts';
import { axis, type Breadth, type Field, round, rowLabel, text, toField, toPicture } from './canvas.ts';
import { type Scale, scaleOf } from './scale.ts';
import { toTick } from './ticks.ts';

/** Fewer are drawn one by one. */
export const HILL_SAMPLES_LEAST = 20;
/** Points of a hill's outline. */
const STEPS = 90;
/** A hill's kernel is never finer than this share of the field. */
const KERNEL_LEAST = 0.006;
/** Where a hill is lower than this share of its top, its outline is left out. */
const FLAT = 0.003;
const HILL = 30;

/** Heights between 0 and 1 along the field: a density by a Gaussian kernel of Silverman's width, on the axis's own scale. */
export function hillOf(shares: readonly number[]): number[] {
  const sorted = [...shares].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
  const deviation = Math.sqrt(sorted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / sorted.length);
  const spread = Math.min(deviation, (at(0.75) - at(0.25)) / 1.34 || deviation);
  const kernel = Math.max(KERNEL_LEAST, 0.9 * spread * sorted.length ** -0.2);
  const heights = Array.from({ length: STEPS + 1 }, (_, step) =>
    sorted.reduce((sum, share) => sum + Math.exp(-0.5 * ((step / STEPS - share) / kernel) ** 2), 0),
  );
  const top = Math.max(...heights);
  return heights.map((height) => height / top);
}

function hill(field: Field, scale: Scale, { samples, isOurs }: Series, base: number): Markup {
  const width = field.right - field.left;
  const heights = hillOf(samples.map(scale.toShare));
  const shown = heights.map((height, step) => (height > FLAT ? step : -1)).filter((step) => step >= 0);
  const [first, last] = [Math.max(0, (shown[0] ?? 0) - 1), Math.min(STEPS, (shown.at(-1) ?? STEPS) + 1)];
  const points = Array.from({ length: last - first + 1 }, (_, at) => {
    const step = first + at;
    return `${round(field.left + (step / STEPS) * width)} ${round(base - (heights[step] ?? 0) * HILL)}`;
  });
  const from = round(field.left + (first / STEPS) * width);
  const until = round(field.left + (last / STEPS) * width);
  return markup`<path class="${isOurs ? 'hill ours' : 'hill'}" d="M${from} ${round(base)}L${points.join('L')}L${until} ${round(base)}Z" />`;
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

function figures(
  field: Field,
  base: number,
  top: number,
  shown: { p50: string; p99: string },
  isOurs: boolean,
): Markup {
  const kind = isOurs ? 'figure end ours' : 'figure end';
  if (field.isNarrow) return text(field.right, top + 13, `${shown.p50} · ${shown.p99}`, kind);
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
  const field = toField(breadth, labels, breadth === 'wide' ? 140 : 116);
  const [head, step, above] = [20, field.isNarrow ? 60 : 42, field.isNarrow ? 16 : 0];
  const decimals = toDecimals(rows.map(({ summary }) => summary.p50));
  const bottom = head + rows.length * step + 4;
  const drawn = rows.map((row, at) => {
    const [top, base] = [head + at * step, head + at * step + above + HILL + 6];
    const shown = { p50: toShown(row.summary.p50, decimals), p99: toShown(row.summary.p99, decimals) };
    const outline = row.samples.length < HILL_SAMPLES_LEAST ? oneByOne : hill;
    return markup`<g><title>${`${row.label}: p50 ${shown.p50} ${row.unit}, p99 ${shown.p99} ${row.unit}, ${row.samples.length} samples`}</title>${rowLabel(field, top, base - 8, labels[at] ?? '', row.isOurs)}${outline(field, scale, row, base)}${marks(field, scale, row, base)}${figures(field, base, top, shown, row.isOurs)}</g>`;
  });
  const heads = field.isNarrow
    ? text(field.right, 12, 'p50 · p99', 'tick end')
    : markup`${text(field.right + 66, 12, 'p50', 'tick end')}${text(field.right + 132, 12, 'p99', 'tick end')}`;
  const ticks = axis(field, scale, { top: head, bottom }, toTick(rows[0]?.unit ?? ''));
  const description = rows
    .map(
      ({ summary }, at) =>
        `${labels[at]}: median ${toShown(summary.p50, decimals)}, 99th percentile ${toShown(summary.p99, decimals)}`,
    )
    .join('; ');
  return toPicture({ id, breadth, height: bottom + 26, title, description, content: [ticks, heads, drawn] });
}
