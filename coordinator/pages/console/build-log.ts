/**
 * Owns showing what a build says while it says it: the end of it, as plain text. Never keeps more than it shows, and never takes what a build writes
 * for anything but text. Invariant: who has scrolled up to read is not pulled away.
 */
import { type Api, ApiError } from './api.ts';
import { make, setText } from './elements.ts';
import type { ServerEvent } from './event-lines.ts';
import { toBytesText } from './formats.ts';
import { toPlainText, toTail } from './plain-text.ts';

const CHARACTERS_MAX = 256 * 1024;
/** How near to the end is at the end; pixels. */
const NEAR = 24;

/** A line of its own for what is no output. */
function toNote(name: string, data: Readonly<Record<string, unknown>>): string {
  if (name === 'build.phase') return `── ${data['layer']}: ${data['phase']}`;
  if (name === 'state') return `── ${data['state']}`;
  return name === 'forgotten' ? `── ${data['events']} events are not kept any more` : '';
}

/** See the head of this file. */
export class BuildLog {
  readonly root: HTMLElement;
  readonly #text = make('pre', { class: 'log', tabindex: '0', role: 'log', 'aria-label': 'What the build says' });
  readonly #progress = make('p', { class: 'sum' });
  readonly #stopped = new AbortController();
  #raw = '';
  #isDrawn = true;

  constructor() {
    this.root = make('section', { class: 'part' }, make('h2', {}, 'Log of the build'), this.#progress, this.#text);
  }

  /** Follows it to its end, then calls `ended`. */
  follow(api: Api, path: string, ended: () => void): void {
    const { signal } = this.#stopped;
    setText(this.#progress, 'Following it.');
    api
      .follow(path, (event) => this.#hear(event), signal)
      .then(() => ended())
      .catch((error: unknown) => {
        if (signal.aborted) return;
        setText(
          this.#progress,
          error instanceof ApiError ? `${error.message}.` : `The connection broke: ${String(error)}`,
        );
      });
  }

  stop(): void {
    this.#stopped.abort();
  }

  #hear({ name, data }: ServerEvent): void {
    const told = data as Readonly<Record<string, unknown>>;
    if (name === 'build.log') this.#add(String(told['text']));
    else if (name === 'build.fetched')
      setText(this.#progress, `${told['requests']} requests, ${toBytesText(Number(told['bytes']))} fetched`);
    else if (name === 'finished')
      setText(this.#progress, this.#raw === '' ? 'It is over, and its log is not kept any more.' : 'It is over.');
    else {
      const note = toNote(name, told);
      if (note !== '') this.#add(`${this.#raw === '' || this.#raw.endsWith('\n') ? '' : '\n'}${note}\n`);
    }
  }

  #add(text: string): void {
    this.#raw = toTail(this.#raw + text, CHARACTERS_MAX);
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    // Once a frame, however much is said.
    requestAnimationFrame(() => {
      this.#isDrawn = true;
      const { scrollTop, scrollHeight, clientHeight } = this.#text;
      const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR;
      setText(this.#text, toPlainText(this.#raw));
      if (isAtEnd) this.#text.scrollTop = this.#text.scrollHeight;
    });
  }
}
