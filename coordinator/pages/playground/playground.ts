/**
 * Owns the playground's content: a request on one side, what becomes of it on the other; running and cancelling it, opening links. Never keeps a key.
 * Invariants: one execution of this page runs at a time; nothing runs unless somebody says so here.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { type Api, ApiError } from '../foundation/api.ts';
import { make, makeButton, setText } from '../foundation/elements.ts';
import type { ServerEvent } from '../foundation/event-lines.ts';
import { BuildView } from './build-view.ts';
import { DraftForm, type Offers } from './draft-form.ts';
import { OutputView } from './output-view.ts';
import { clearProblems, showProblems } from './problem-places.ts';
import type { Draft } from './request-parts.ts';
import { ResultView } from './result-view.ts';
import { RunSession } from './run-session.ts';
import { fromFragment } from './share-link.ts';
import { SharePanel } from './share-panel.ts';
import { StagesView } from './stages-view.ts';

const buildScripts: readonly (string | null)[] = ['setup', 'dependencies', 'verify'];

/** See the head of this file. */
export class Playground {
  readonly root: HTMLElement;
  readonly #api: Api;
  readonly #refused: (error: ApiError) => boolean;
  readonly #form: DraftForm;
  readonly #share: SharePanel;
  readonly #notice = make('p', { class: 'notice', role: 'status', hidden: '' });
  readonly #run = makeButton('Run', () => this.run(), { class: 'strong', 'aria-keyshortcuts': 'Control+Enter' });
  readonly #cancel = makeButton('Cancel', () => this.#stop(), { disabled: '' });
  readonly #stages = new StagesView();
  readonly #build = new BuildView();
  readonly #output = new OutputView();
  readonly #result = new ResultView();
  readonly #left = new AbortController();
  #session: RunSession | null = null;

  /** `refused`: the API has refused the key; true: somebody is asked for another, and this page goes. */
  constructor(api: Api, offers: Offers, refused: (error: ApiError) => boolean) {
    this.#api = api;
    this.#refused = refused;
    this.#form = new DraftForm(offers, () => this.#share.clear());
    this.#share = new SharePanel(() => this.#form.draft);
    const keys = make('span', { class: 'keys', 'aria-hidden': 'true' }, 'Ctrl + Enter');
    const act = make('div', { class: 'act' }, this.#run, this.#cancel, keys, this.#share.button);
    const request = make('section', { class: 'request', 'aria-label': 'Request' }, this.#notice, this.#form.root);
    const result = make(
      'section',
      { class: 'result', 'aria-label': 'Result' },
      ...[act, this.#share.root, this.#stages.root, this.#result.verdict],
      ...[this.#build.root, this.#output.root, this.#result.rest],
    );
    this.root = make('div', { class: 'workbench' }, make('h1', { class: 'unseen' }, 'Playground'), request, result);
    document.addEventListener('keydown', (event) => this.#press(event), { capture: true, signal: this.#left.signal });
  }

  get draft(): Draft {
    return this.#form.draft;
  }

  show(draft: Draft): void {
    clearProblems(this.#form.root);
    this.#form.show(draft);
    this.#share.clear();
  }

  /** It is not shown any more. */
  leave(): void {
    this.#left.abort();
    this.#session?.leave();
  }

  /** Shows the request of a link; it is not run. */
  async openLink(fragment: string): Promise<void> {
    try {
      const draft = await fromFragment(fragment);
      if (draft === null) return;
      this.show(draft);
      this.#notify('Opened from a link. Read what it runs; it runs when you say so.');
    } catch (error) {
      this.#notify(error instanceof Error ? error.message : String(error));
    }
  }

  #notify(text: string): void {
    setText(this.#notice, text);
    this.#notice.hidden = text === '';
  }

  #press(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    this.run();
  }

  /** Runs what is written, unless something runs. */
  run(): void {
    if (this.#session !== null) return;
    clearProblems(this.#form.root);
    this.#share.clear();
    const { unreadable, draft } = this.#form;
    if (unreadable !== null) {
      showProblems(this.#form.root, [{ pointer: unreadable, detail: 'is no number above 0' }]);
      return;
    }
    this.#notify('');
    for (const view of [this.#result, this.#output, this.#build]) view.clear();
    this.#stages.show('queued');
    // Where both sides are below each other, whoever has pressed the button looks at the wrong one.
    if (matchMedia('(max-width: 900px)').matches) this.#stages.root.scrollIntoView();
    const session = new RunSession(this.#api, {
      accepted: ({ stage }) => this.#stages.show(stage),
      heard: (event) => this.#hear(event),
      finished: (execution) => this.#finish(execution, draft),
      refused: (error) => this.#refuse(error),
    });
    this.#turn(session);
    void session.run(draft);
  }

  #turn(session: RunSession | null): void {
    const isCancelFocused = document.activeElement === this.#cancel;
    this.#session = session;
    this.#run.setAttribute('aria-disabled', String(session !== null));
    this.#cancel.disabled = session === null;
    if (isCancelFocused) this.#run.focus();
  }

  #stop(): void {
    this.#cancel.disabled = true;
    this.#run.focus();
    this.#session?.cancel().catch((error: unknown) => {
      this.#cancel.disabled = this.#session === null;
      this.#result.refuse('It could not be cancelled.', toSentence(error));
    });
  }

  #hear(event: ServerEvent): void {
    const { name, data } = event;
    if (name === 'stage') {
      const { stage, cause } = data as { stage: Execution['stage']; cause: string | null };
      // What follows is another run, from its beginning.
      if (cause === 'requeued') this.#output.clear();
      this.#stages.show(stage);
    } else if (name === 'stdout' || name === 'stderr') this.#output.add(name, data);
    else if (name.startsWith('build.') || name === 'fetch.progress') this.#build.hear(event);
  }

  #finish(execution: Execution, draft: Draft): void {
    this.#turn(null);
    this.#stages.show(execution.stage);
    this.#output.end(execution);
    this.#build.end(buildScripts.includes(execution.endedIn));
    this.#result.show(execution, draft);
  }

  #refuse(error: unknown): void {
    this.#turn(null);
    if (error instanceof ApiError && error.status === 401 && this.#refused(error)) return;
    this.#stages.clear();
    this.#build.end(false);
    if (!(error instanceof ApiError) || error.places.length === 0) {
      this.#result.refuse('The request was not run.', toSentence(error));
      return;
    }
    const left = showProblems(this.#form.root, error.places);
    const places = left.map(({ pointer, detail }) => `${pointer} ${detail}.`).join(' ');
    this.#result.refuse('The request was not taken.', places === '' ? 'What is wrong is said at its field.' : places);
  }
}

function toSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
