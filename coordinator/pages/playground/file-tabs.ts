/**
 * Owns the files of a request as tabs over one editor: choosing, adding, renaming and removing them. Never runs one.
 * Invariants: each path is there once; one file is shown whenever there is one; what is not text is kept as it is, and not edited.
 */
import { make, makeButton, setText } from '../foundation/elements.ts';
import { Editor, type EditorText } from './editor.ts';
import { toEnding } from './languages.ts';
import type { DraftFile } from './request-parts.ts';

interface OpenFile {
  path: string;
  state: EditorText;
  /** What it came as; its text may have been changed since. */
  readonly given: DraftFile;
}

/** What tabs are for. */
export interface FileTabsTerms {
  /** A word that no other tabs on the page have. */
  readonly name: string;
  readonly title: string;
  /** Where the files stand in a request. */
  readonly pointer: string;
  readonly changed: () => void;
}

/** See the head of this file. */
export class FileTabs {
  readonly root: HTMLElement;
  readonly #terms: FileTabsTerms;
  readonly #editor: Editor;
  readonly #list: HTMLElement;
  readonly #panel: HTMLElement;
  readonly #binary = make('p', { class: 'binary' }, 'These bytes are no text: they go with the request as they are.');
  readonly #path: HTMLInputElement;
  readonly #refusal: HTMLElement;
  readonly #remove: HTMLButtonElement;
  #files: OpenFile[] = [];
  #shown: OpenFile | null = null;

  constructor(terms: FileTabsTerms) {
    const { name, title, pointer, changed } = terms;
    this.#terms = terms;
    this.#editor = new Editor({ label: title, changed });
    this.#list = make('div', { class: 'tabs', role: 'tablist', 'aria-label': title });
    this.#path = make('input', {
      id: `${name}-path`,
      type: 'text',
      class: 'path',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    this.#path.setAttribute('aria-describedby', `${name}-refusal`);
    this.#refusal = make('p', { id: `${name}-refusal`, class: 'refusal', role: 'alert' });
    this.#path.addEventListener('change', () => this.#rename(this.#path.value.trim()));
    this.#remove = makeButton('Remove', () => this.#removeShown(), { class: 'quiet' });
    this.#panel = make(
      'div',
      { class: 'panel', role: 'tabpanel', id: `${name}-panel` },
      this.#editor.root,
      this.#binary,
    );
    const add = makeButton('Add file', () => this.#add(), { class: 'quiet' });
    const tools = make('div', { class: 'file-tools' }, make('label', {}, 'Name ', this.#path), this.#remove);
    this.root = make(
      'div',
      { class: 'frame files', 'data-pointer': pointer },
      make('div', { class: 'tab-row' }, this.#list, add),
      this.#panel,
      tools,
      this.#refusal,
    );
    this.#list.addEventListener('keydown', (event) => this.#press(event));
  }

  /** The files as they are now. */
  get files(): DraftFile[] {
    return this.#files.map((file) => {
      const { given, path } = file;
      if (given.encoding === 'base64') return { ...given, path };
      const content = (file === this.#shown ? this.#editor.state : file.state).doc.toString();
      return { ...given, path, content };
    });
  }

  /** These files, and no others; the first of them is shown. */
  open(files: readonly DraftFile[], first: string | undefined = files[0]?.path): void {
    this.#shown = null;
    this.#files = files.map((given) => ({ path: given.path, given, state: this.#toState(given) }));
    this.#show(this.#files.find(({ path }) => path === first) ?? this.#files[0] ?? null);
  }

  #toState({ content, encoding }: DraftFile): EditorText {
    return this.#editor.makeState(encoding === 'base64' ? '' : content);
  }

  #show(file: OpenFile | null): void {
    if (this.#shown !== null) this.#shown.state = this.#editor.state;
    this.#shown = file;
    setText(this.#refusal, '');
    const isBinary = file?.given.encoding === 'base64';
    this.#binary.hidden = !isBinary;
    this.#editor.root.hidden = isBinary || file === null;
    this.#path.value = file?.path ?? '';
    this.#path.disabled = file === null;
    this.#remove.disabled = file === null;
    if (file !== null) this.#editor.show(file.state, toEnding(file.path), file.path);
    this.#drawTabs();
  }

  #drawTabs(): void {
    const isFocused = this.#list.contains(document.activeElement);
    const tabs = this.#files.map((file, at) => {
      const isShown = file === this.#shown;
      const id = `${this.#terms.name}-tab-${at}`;
      const tab = makeButton(file.path, () => this.#show(file), {
        ...{ id, role: 'tab', class: 'tab', 'aria-selected': String(isShown), tabindex: isShown ? '0' : '-1' },
        ...{ 'aria-controls': `${this.#terms.name}-panel` },
      });
      return tab;
    });
    this.#list.hidden = tabs.length === 0;
    this.#panel.hidden = tabs.length === 0;
    const shown = this.#shown === null ? -1 : this.#files.indexOf(this.#shown);
    if (shown < 0) this.#panel.removeAttribute('aria-labelledby');
    else this.#panel.setAttribute('aria-labelledby', `${this.#terms.name}-tab-${shown}`);
    this.#list.replaceChildren(...tabs);
    if (isFocused) this.#focusTab();
  }

  #focusTab(): void {
    this.#list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  }

  #press(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      Home: -this.#files.length,
      End: this.#files.length,
    };
    const step = steps[event.key];
    if (step === undefined || this.#shown === null) return;
    event.preventDefault();
    const at = Math.min(this.#files.length - 1, Math.max(0, this.#files.indexOf(this.#shown) + step));
    this.#show(this.#files[at] ?? this.#shown);
    this.#focusTab();
  }

  #isTaken(path: string): boolean {
    return this.#files.some((file) => file !== this.#shown && file.path === path);
  }

  #rename(path: string): void {
    const file = this.#shown;
    if (file === null || path === file.path) return;
    if (path === '' || this.#isTaken(path)) {
      setText(this.#refusal, path === '' ? 'A file needs a name.' : `There is a file ${path} already.`);
      this.#path.setAttribute('aria-invalid', 'true');
      return;
    }
    this.#path.removeAttribute('aria-invalid');
    file.path = path;
    this.#show(file);
    this.#terms.changed();
  }

  #add(): void {
    let number = 1;
    while (this.#files.some(({ path }) => path === `file-${number}.txt`)) number += 1;
    const given = { path: `file-${number}.txt`, content: '' };
    const file = { path: given.path, given, state: this.#toState(given) };
    this.#files.push(file);
    this.#show(file);
    this.#terms.changed();
    this.#path.focus();
    this.#path.select();
  }

  #removeShown(): void {
    const at = this.#shown === null ? -1 : this.#files.indexOf(this.#shown);
    if (at < 0) return;
    this.#shown = null;
    this.#files.splice(at, 1);
    this.#show(this.#files[Math.min(at, this.#files.length - 1)] ?? null);
    this.#terms.changed();
    if (this.#files.length > 0) this.#focusTab();
  }
}
