/**
 * Owns the one way in which text gets into a page: a template whose values are escaped unless they are markup already.
 * Never trusts a recording: labels, problems and notes are whatever a file says.
 * Invariant: what it makes is well-formed as XML too, so that a page and each of its drawings can be checked by any parser.
 */

/** Made by `markup` alone. */
export class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template takes; nothing is written for null. */
export type Part = Markup | string | number | null | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** What XML has no way to write, and what turns the direction of the text around it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is for.
const UNSAYABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(UNSAYABLE, '\ufffd')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

function toText(part: Part): string {
  if (part === null) return '';
  if (part instanceof Markup) return String(part);
  return typeof part === 'object' ? part.map(toText).join('') : escaped(String(part));
}

/** Markup with these values in it. */
export function markup(pieces: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(pieces.reduce((text, piece, at) => `${text}${toText(parts[at - 1] ?? null)}${piece}`));
}

/** A sentence whose words between backticks are code. */
export function prose(text: string): Markup {
  const pieces = text.split(/`([^`]+)`/);
  return markup`${pieces.map((piece, at) => (at % 2 === 1 ? markup`<code>${piece}</code>` : piece))}`;
}

/** The same where there are no fonts to change. */
export function plain(text: string): string {
  return text.replaceAll('`', '');
}
