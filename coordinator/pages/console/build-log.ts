/**
 * Owns following a build for whoever looks at it: what it says, and how far it is. Never asks again by itself when the connection breaks, and never
 * takes what a build writes for anything but text.
 */
import { type Api, ApiError } from '../foundation/api.ts';
import { make, setText } from '../foundation/elements.ts';
import type { ServerEvent } from '../foundation/event-lines.ts';
import { toBytesText } from '../foundation/formats.ts';
import { LogText } from '../foundation/log-text.ts';

/** A line of its own for what is no output; empty: none. */
function toNote(name: string, data: Readonly<Record<string, unknown>>): string {
  if (name === 'build.phase') return `${data['layer']}: ${data['phase']}`;
  if (name === 'state') return String(data['state']);
  return name === 'forgotten' ? `${data['events']} events are not kept any more` : '';
}

/** See the head of this file. */
export class BuildLog {
  readonly root: HTMLElement;
  readonly #text = new LogText('What the build says');
  readonly #progress = make('p', { class: 'sum' });
  readonly #stopped = new AbortController();

  constructor() {
    this.root = make('section', { class: 'part' }, make('h2', {}, 'Log of the build'), this.#progress, this.#text.root);
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
    if (name === 'build.log') this.#text.add(String(told['text']));
    else if (name === 'build.fetched')
      setText(this.#progress, `${told['requests']} requests, ${toBytesText(Number(told['bytes']))} fetched`);
    else if (name === 'finished')
      setText(this.#progress, this.#text.isEmpty ? 'It is over, and its log is not kept any more.' : 'It is over.');
    else {
      const note = toNote(name, told);
      if (note !== '') this.#text.note(note);
    }
  }
}
