/**
 * Owns the editor: CodeMirror over one text after the other, each with a history and a grammar of its own. Never knows what a text is for.
 * Invariants: a text that is shown again is as it was left, with what can be undone; only what somebody types is told as a change; Tab indents, and Escape
 * before it lets Tab lead out of the editor, so that nobody who has only a keyboard is caught.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view';
import { make } from '../foundation/elements.ts';
import { editorLook } from './editor-look.ts';
import { fetchGrammar } from './languages.ts';

/** A text with where its user is in it, and what can be undone. */
export type EditorText = EditorState;

/** What an editor is for. */
export interface EditorTerms {
  /** What a reader that listens is told that it is. */
  readonly label: string;
  /** Said while there is nothing. */
  readonly hint?: string;
  /** In places where a few lines are usual. */
  readonly isSmall?: boolean;
  /** Somebody has typed. */
  readonly changed: () => void;
}

/** By which the page's policy knows the editor's styles. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.nonce ?? '';

/** See the head of this file. */
export class Editor {
  readonly root: HTMLElement;
  readonly #view: EditorView;
  readonly #terms: EditorTerms;
  readonly #grammar = new Compartment();
  readonly #name = new Compartment();
  #label: string;
  /** How many texts were shown. */
  #shows = 0;

  constructor(terms: EditorTerms) {
    this.#terms = terms;
    this.#label = terms.label;
    this.#view = new EditorView({ state: this.makeState('') });
    this.root = make('div', { class: 'editor' }, this.#view.dom);
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** What is shown, to be shown again. */
  get state(): EditorState {
    return this.#view.state;
  }

  focus(): void {
    this.#view.focus();
  }

  /** A text as it is before anybody has changed it. */
  makeState(text: string): EditorState {
    return EditorState.create({ doc: text, extensions: this.#extensions() });
  }

  /** Shows this; `ending`: by which its grammar is known. */
  show(state: EditorState, ending: string, label = this.#terms.label): void {
    this.#label = label;
    this.#view.setState(state);
    this.#view.dispatch({ effects: this.#name.reconfigure(this.#toName()) });
    this.#shows += 1;
    const shown = this.#shows;
    void fetchGrammar(ending).then((grammar) => {
      // Another text may be shown by now.
      if (shown !== this.#shows) return;
      this.#view.dispatch({ effects: this.#grammar.reconfigure(grammar) });
    });
  }

  #toName(): Extension {
    return EditorView.contentAttributes.of({ 'aria-label': this.#label, spellcheck: 'false' });
  }

  #extensions(): Extension {
    const { hint, isSmall = false, changed } = this.#terms;
    return [
      ...(isSmall ? [EditorView.lineWrapping] : [lineNumbers(), highlightActiveLineGutter(), highlightActiveLine()]),
      ...[highlightSpecialChars(), history(), drawSelection(), indentOnInput(), bracketMatching()],
      ...[indentUnit.of('    '), keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab])],
      ...(hint === undefined ? [] : [placeholder(hint)]),
      ...[editorLook, this.#grammar.of([]), this.#name.of(this.#toName()), EditorView.cspNonce.of(nonce)],
      EditorView.updateListener.of(({ docChanged }) => {
        if (docChanged) changed();
      }),
    ];
  }
}
