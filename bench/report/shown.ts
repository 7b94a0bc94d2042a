/**
 * Owns how figures and labels look in a report: as many decimals for a column as its typical figure needs, a true minus, labels without what all share.
 * Never changes a figure beyond rounding it. Invariant: what is not zero is not shown as zero.
 */
import { toFigure } from '../wording.ts';

/** A column shows at most so many. */
const DECIMALS_MOST = 3;
/** Digits that the typical figure of a column is shown with. */
const DIGITS = 3;

/** Decimals for figures that stand below each other: three digits of the one in the middle, and not many more of the largest. */
export function toDecimals(figures: readonly number[]): number {
  const sizes = figures
    .map(Math.abs)
    .filter((size) => size > 0 && Number.isFinite(size))
    .sort((a, b) => a - b);
  const typical = sizes[Math.floor(sizes.length / 2)] ?? 1;
  const decimalsOf = (size: number, digits: number) => Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const ofLargest = Math.max(DIGITS - 1, decimalsOf(sizes.at(-1) ?? 1, DIGITS + 1));
  return Math.min(DECIMALS_MOST, decimalsOf(typical, DIGITS), ofLargest);
}

/** Less than this is only said to be less. */
const LEAST = 0.001;

/** A figure with so many decimals, or with as many as it needs where those would show nothing of it. */
export function toShown(figure: number, decimals: number): string {
  if (!Number.isFinite(figure)) return '–';
  const fixed = figure.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  if (figure === 0 || Number(fixed.replaceAll(',', '')) !== 0) return fixed.replace(/^-/, '−');
  if (Math.abs(figure) >= LEAST) return toFigure(Number(figure.toPrecision(2))).replace(/^-/, '−');
  return figure > 0 ? `< ${LEAST}` : `> −${LEAST}`;
}

/** The same, said to be rough where it is. */
export function toRough(figure: number, decimals: number, isRough: boolean): string {
  const shown = toShown(figure, decimals);
  return isRough && Number.isFinite(figure) ? `≈ ${shown}` : shown;
}

/** Labels beside each other, without the words that all begin or end with; and those words. */
export interface ShortLabels {
  readonly labels: readonly string[];
  readonly shared: readonly string[];
}

const withoutEnd = (text: string) => text.replace(/[,:]$/, '');

/** How many lists begin with the same words, leaving one to each. */
function countShared(lists: readonly (readonly string[])[]): number {
  const most = Math.min(...lists.map(({ length }) => length)) - 1;
  let count = 0;
  while (count < most && lists.every((list) => list[count] === lists[0]?.[count])) count++;
  return count;
}

/** `cpu: ours, back to back` and `cpu: theirs, back to back` become `ours` and `theirs`. */
export function shorten(labels: readonly string[]): ShortLabels {
  if (labels.length < 2) return { labels, shared: [] };
  const words = labels.map((label) => label.split(/(?<=[,:]) /));
  const end = countShared(words.map((list) => [...list].reverse()));
  const heads = words.map((list) => list.slice(0, list.length - end));
  const start = countShared(heads);
  const first = words[0] ?? [];
  const shared = [...first.slice(0, start), ...first.slice(first.length - end)].map(withoutEnd);
  return { labels: heads.map((list) => withoutEnd(list.slice(start).join(' '))), shared };
}

/** Lines of at most so many letters, broken at spaces; what does not fit into `most` lines ends with an ellipsis. */
export function toLines(text: string, letters: number, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= letters) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  const isCut = lines.length > most;
  return lines
    .slice(0, most)
    .map((line, at) => (line.length > letters || (isCut && at === most - 1) ? `${line.slice(0, letters - 1)}…` : line));
}
