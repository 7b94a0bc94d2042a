/**
 * Owns a box of text that grows while somebody reads it: the end of it, as plain text. Never keeps more than it shows, and never takes what a program writes
 * for anything but text. Invariant: who has scrolled up to read is not pulled away.
 */
import { make, setText } from './elements.ts';
import { toPlainText, toTail } from './plain-text.ts';

const CHARACTERS_MAX = 256 * 1024;
/** How near to the end is at the end; pixels. */
const NEAR = 24;

/** See the head of this file. */
export class LogText {
  readonly root: HTMLElement;
  #raw = '';
  #isDrawn = true;

  /** `name`: what a reader that listens is told that it is. */
  constructor(name: string) {
    this.root = make('pre', { class: 'log', tabindex: '0', role: 'log', 'aria-label': name });
  }

  get isEmpty(): boolean {
    return this.#raw === '';
  }

  add(text: string): void {
    this.#raw = toTail(this.#raw + text, CHARACTERS_MAX);
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    // Once a frame, however much is said.
    requestAnimationFrame(() => this.#draw());
  }

  /** A line of its own for what the program did not say. */
  note(text: string): void {
    this.add(`${this.#raw === '' || this.#raw.endsWith('\n') ? '' : '\n'}── ${text}\n`);
  }

  /** This, and nothing that was there before. */
  set(text: string): void {
    this.#raw = toTail(text, CHARACTERS_MAX);
    this.#draw();
  }

  #draw(): void {
    this.#isDrawn = true;
    const { scrollTop, scrollHeight, clientHeight } = this.root;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR;
    setText(this.root, toPlainText(this.#raw));
    if (isAtEnd) this.root.scrollTop = this.root.scrollHeight;
  }
}
