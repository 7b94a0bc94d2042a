/**
 * Owns one script's field: its label, what it is for, an editor that grows with it. Never runs it.
 */
import { make } from '../foundation/elements.ts';
import { Editor } from './editor.ts';

/** What is said about a script. */
export interface ScriptTerms {
  readonly title: string;
  readonly purpose: string;
  readonly hint: string;
  /** Where it stands in a request. */
  readonly pointer: string;
}

/** See the head of this file. */
export class ScriptEditor {
  readonly root: HTMLElement;
  readonly #editor: Editor;

  constructor({ title, purpose, hint, pointer }: ScriptTerms, changed: () => void) {
    this.#editor = new Editor({ label: `${title} script`, hint, isSmall: true, changed });
    const head = make('p', { class: 'script-head' }, make('b', {}, title), ' ', make('span', {}, purpose));
    const frame = make('div', { class: 'frame' }, this.#editor.root);
    this.root = make('div', { class: 'script', 'data-pointer': pointer }, head, frame);
  }

  get text(): string {
    return this.#editor.text;
  }

  show(text: string): void {
    if (text !== this.#editor.text) this.#editor.show(this.#editor.makeState(text), 'sh');
  }
}
