/**
 * Owns the table of an answer: each row's samples, percentiles and interval, and how many times its rival's median it is.
 * Never leaves a row out. Invariant: figures of a noisy answer are written as rough ones, wherever they stand.
 */
import { type Markup, markup } from './markup.ts';
import type { Series } from './series.ts';
import { shorten, toDecimals, toRough, toShown } from './shown.ts';

/** A multiple is shown with so many decimals. */
const RATIO_DECIMALS = 2;

/** A multiple of less than nothing says nothing: a program can seem to end a hair before its limit. */
export function ratioOf({ summary }: Series, rival: Series | undefined): number | null {
  return rival !== undefined && summary.p50 > 0 && rival.summary.p50 > 0 ? summary.p50 / rival.summary.p50 : null;
}

function toInterval({ p50Interval }: Series, decimals: number): string {
  if (p50Interval === null) return '–';
  return `${toShown(p50Interval.low, decimals)} to ${toShown(p50Interval.high, decimals)}`;
}

/** The ratio, and whose median it is a multiple of. */
function ratioCells(row: Series, rival: Series | undefined): Markup {
  const ratio = ratioOf(row, rival);
  if (ratio === null || rival === undefined) return markup`<td></td><td></td>`;
  const [, name = rival.label] = shorten([row.label, rival.label]).labels;
  return markup`<td class="ratio">${toRough(ratio, RATIO_DECIMALS, row.isRough || rival.isRough)} ×</td><td class="of">${name}</td>`;
}

/** All rows in their order; null without any. */
export function toTable(question: string, rows: readonly Series[]): Markup | null {
  if (rows.length === 0) return null;
  const [isRough, hasRivals] = [rows.some((row) => row.isRough), rows.some(({ isOurs }) => !isOurs)];
  const hasRatios = rows.some(({ against }) => against !== null);
  const lines = rows.map((row) => {
    const { label, unit, summary, against } = row;
    const alike = rows.filter((each) => each.unit === unit).map((each) => each.summary.p50);
    const decimals = toDecimals(alike);
    const shown = (figure: number) => toRough(figure, decimals, row.isRough);
    const rival = rows.find((each) => each.label === against);
    return markup`<tr${row.isOurs && hasRivals ? markup` class="ours"` : null}><th scope="row">${label}</th><td>${summary.count.toLocaleString('en-US')}</td><td class="p50">${shown(summary.p50)}</td><td class="interval">${toInterval(row, decimals)}</td><td>${shown(summary.p90)}</td><td>${shown(summary.p99)}</td><td class="unit">${unit}</td>${hasRatios ? ratioCells(row, rival) : null}</tr>\n`;
  });
  const ratioHeads = hasRatios ? markup`<th scope="col">p50 is</th><th scope="col" class="of">that of</th>` : null;
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="Figures: ${question}"><table${isRough ? markup` class="rough"` : null}><thead><tr><th scope="col"></th><th scope="col">samples</th><th scope="col">p50</th><th scope="col">within, 95 %</th><th scope="col">p90</th><th scope="col">p99</th><th scope="col" class="unit">unit</th>${ratioHeads}</tr></thead><tbody>
${lines}</tbody></table></div>\n`;
}
