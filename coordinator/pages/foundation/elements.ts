/**
 * Owns how elements of the page are made: by name, attributes and text. Never takes markup: whatever comes from the API becomes text.
 * Invariant: nothing here, and nothing else in a page, assigns HTML.
 */

/** What stands in an element. */
export type Child = Node | string | null;

/** An element of this name with these attributes and children; texts are texts. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A button that does something. */
export function makeButton(text: string, act: () => unknown, attributes: Readonly<Record<string, string>> = {}) {
  const button = make('button', { type: 'button', ...attributes }, text);
  button.addEventListener('click', () => void act());
  return button;
}

/** Gives an element this text, if it has another. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Names and what they are, as a list. */
export function makeFacts(facts: Readonly<Record<string, Child>>): HTMLElement {
  const rows = Object.entries(facts).map(([name, value]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, value)),
  );
  return make('dl', { class: 'facts' }, ...rows);
}

/** A bar of which a part is filled; the text beside it says the same. */
export function makeBar(part: number, text: string): HTMLElement {
  const fill = make('span', { class: 'fill' });
  fill.style.width = `${Math.round(100 * Math.min(1, Math.max(0, part)))}%`;
  return make(
    'span',
    { class: 'bar' },
    make('span', { class: 'track', 'aria-hidden': 'true' }, fill),
    make('span', {}, text),
  );
}

/** A word about a state, in a colour that goes with it. */
export function makeMark(text: string, kind: 'good' | 'wary' | 'bad' | 'plain'): HTMLElement {
  return make('span', { class: `mark ${kind}` }, text);
}
