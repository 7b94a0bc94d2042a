/**
 * Owns offering a link to the request: making it, showing it, copying it. Never opens one.
 */
import { make, makeButton, setText } from '../foundation/elements.ts';
import type { Draft } from './request-parts.ts';
import { toFragment } from './share-link.ts';

/** See the head of this file. */
export class SharePanel {
  readonly root = make('div', { class: 'share', hidden: '' });
  readonly button: HTMLButtonElement;
  readonly #link = make('input', { id: 'link', type: 'text', readonly: '' });
  readonly #said = make('p', { class: 'hint', role: 'status' });
  readonly #row: HTMLElement;

  constructor(draft: () => Draft) {
    this.button = makeButton('Share', () => this.#share(draft()));
    const copy = makeButton('Copy', () => this.#copy());
    this.#row = make('div', { class: 'link-row' }, make('label', { for: 'link' }, 'Link'), this.#link, copy);
    this.root.append(this.#row, this.#said);
  }

  /** The request is another one now. */
  clear(): void {
    this.root.hidden = true;
  }

  async #share(draft: Draft): Promise<void> {
    try {
      const fragment = await toFragment(draft);
      history.replaceState(null, '', fragment);
      this.#link.value = location.href;
      this.#row.hidden = false;
      setText(
        this.#said,
        'All of the request is in the link itself, and nowhere else. Whoever opens it sees it, and may run it.',
      );
      this.root.hidden = false;
      this.#link.focus();
      this.#link.select();
    } catch (error) {
      this.#row.hidden = true;
      this.root.hidden = false;
      setText(this.#said, error instanceof Error ? error.message : String(error));
    }
  }

  async #copy(): Promise<void> {
    this.#link.select();
    try {
      await navigator.clipboard.writeText(this.#link.value);
      setText(this.#said, 'Copied.');
    } catch {
      setText(this.#said, 'This browser does not let a page copy: the link is selected, copy it by hand.');
    }
  }
}
