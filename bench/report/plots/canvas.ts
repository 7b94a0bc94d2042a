/**
 * Owns what all drawings have in common: their sizes, a picture with a name and a description, text, axes and the places of rows.
 * Never names a colour: page.css does, for light and dark. Invariant: ours is told from a rival by weight, filling and dashes, not by colour alone.
 */
import { type Markup, markup, type Part, plain } from '../markup.ts';
import { toLines } from '../shown.ts';
import type { Scale } from './scale.ts';

/** Drawings are made twice, so that letters have the same size on a phone and on a desk. */
export const widths = { wide: 900, narrow: 358 } as const;

/** How broad a drawing is. */
export type Breadth = keyof typeof widths;

/** A letter's width, generously, in these letters of 12.5 pixels. */
export const LETTER = 6.9;
/** The same of those that are ours. */
export const BOLD_LETTER = 8;
/** Between both: of a label that may be either, where room is scarce. */
const MIXED_LETTER = 7.4;
const LINE = 15;

/** Coordinates need no more digits. */
export const round = (pixels: number) => Number(pixels.toFixed(1));

/** A whole picture. */
export interface Picture {
  readonly id: string;
  readonly breadth: Breadth;
  readonly height: number;
  readonly title: string;
  /** What a reader who sees nothing is told. */
  readonly description: string;
  readonly content: Part;
}

/** As SVG that can stand alone or in a page. */
export function toPicture({ id, breadth, height, title, description, content }: Picture): Markup {
  const [width, tall] = [widths[breadth], Math.ceil(height)];
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="plot ${breadth}" role="img" aria-labelledby="${id}-t ${id}-d" viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}"><title id="${id}-t">${plain(title)}</title><desc id="${id}-d">${plain(description)}</desc>${content}</svg>`;
}

/** Text at a place. */
export function text(x: number, y: number, content: string, kind: string): Markup {
  return markup`<text x="${round(x)}" y="${round(y)}" class="${kind}">${plain(content)}</text>`;
}

/** Where rows lie that share an axis: labels and figures beside the field on a desk, above it on a phone. */
export interface Field {
  readonly left: number;
  readonly right: number;
  readonly isNarrow: boolean;
  readonly labelLetters: number;
}

/** The field of rows, with room for figures on its right. */
export function toField(breadth: Breadth, labels: readonly string[], figures: number): Field {
  const width = widths[breadth];
  if (breadth === 'narrow')
    return { left: 4, right: width - 4, isNarrow: true, labelLetters: Math.floor((width - figures) / MIXED_LETTER) };
  const longest = Math.max(...labels.map(({ length }) => length));
  const labelLetters = Math.min(36, Math.max(10, longest));
  return { left: labelLetters * BOLD_LETTER + 14, right: width - figures, isNarrow: false, labelLetters };
}

/** A row's label: before the field in the middle of the row, or above it. */
export function rowLabel(field: Field, top: number, middle: number, label: string, isOurs: boolean): Markup {
  const kind = isOurs ? 'label ours' : 'label';
  if (field.isNarrow) return text(field.left, top + 13, toLines(label, field.labelLetters, 1)[0] ?? '', kind);
  const lines = toLines(label, field.labelLetters, 2);
  const first = middle + 4 - ((lines.length - 1) * LINE) / 2;
  return markup`${lines.map((line, at) => text(field.left - 14, first + at * LINE, line, `${kind} end`))}`;
}

/** Fine lines at an axis's round figures, and their names below. */
export function axis(
  field: Field,
  scale: Scale,
  range: { top: number; bottom: number },
  toTick: (figure: number) => string,
): Markup {
  const { top, bottom } = range;
  const ticks = scale.ticks(field.isNarrow ? 5 : 8).map((tick) => {
    const x = round(field.left + scale.toShare(tick) * (field.right - field.left));
    return markup`<line class="${tick === 0 ? 'grid zero' : 'grid'}" x1="${x}" x2="${x}" y1="${round(top)}" y2="${round(bottom + 4)}" />${text(x, bottom + 18, toTick(tick), 'tick middle')}`;
  });
  return markup`${ticks}`;
}
