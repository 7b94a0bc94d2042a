/**
 * Owns what every page has around its content: its fixed places, what its HTML says of the instance, the links to other pages, news of what was done.
 * Never shows data. Invariant: what its HTML says is known when the coordinator starts, and the same for everybody.
 */
import { make } from './elements.ts';
import { after } from './page-clock.ts';

/** One of the page's fixed places. */
export function place(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const facts = document.documentElement.dataset;
/** Does the API need a key? */
export const isKeyed = facts['keyed'] === 'true';
/** The pages that this coordinator serves. */
export const servedPages: readonly string[] = (facts['pages'] ?? '').split(' ');

/** Links to the other pages that are served. */
export function makePageLinks(own: string): HTMLElement[] {
  return servedPages
    .filter((name) => name !== own && name !== '')
    .map((name) =>
      make('a', { class: 'page-link', href: `../${name}/` }, name.charAt(0).toUpperCase() + name.slice(1)),
    );
}

/** How long what was done stays to be read. */
const NEWS_MS = 10_000;

/** Says something that has happened, also to those who don't see the page. */
export class News {
  readonly #root: HTMLElement;
  #hushed: () => void = () => undefined;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Nothing is said by an empty text. */
  tell(text: string): void {
    this.#hushed();
    this.#root.textContent = text;
    this.#root.classList.toggle('unseen', text === '');
    if (text !== '') this.#hushed = after(NEWS_MS, () => this.tell(''));
  }
}
