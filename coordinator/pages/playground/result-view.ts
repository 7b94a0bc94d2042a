/**
 * Owns what is said of an execution that is over: a sentence, what it used of what it might, where its time went, where to read on. Never asks for it.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { make, makeBar } from '../foundation/elements.ts';
import { isKeyed, servedPages } from '../foundation/page-frame.ts';
import { makeTimeline } from '../foundation/timeline-view.ts';
import type { Draft } from './request-parts.ts';
import { toUsageBars, type UsageBar } from './usage-bars.ts';
import { toVerdictSentence } from './verdict-sentence.ts';

/** See the head of this file. */
export class ResultView {
  /** The sentence, which stands before the output. */
  readonly verdict = make('div', { class: 'verdict', role: 'status', 'aria-live': 'polite' });
  /** The rest, which stands after it. */
  readonly rest = make('div', { class: 'rest' });

  clear(): void {
    this.verdict.replaceChildren();
    this.verdict.removeAttribute('data-kind');
    this.rest.replaceChildren();
  }

  show(execution: Execution, draft: Draft): void {
    const { headline, detail, kind } = toVerdictSentence(execution);
    this.#say(headline, detail, kind);
    const bars = toUsageBars(execution, draft);
    this.rest.replaceChildren(
      ...(bars.length === 0 ? [] : [makePart('What it used', makeBars(bars))]),
      makePart('Where the time went', makeTimeline(execution.timing)),
      makePart('Record', makeRecord(execution)),
    );
  }

  /** It was not taken, or can't be followed. */
  refuse(headline: string, detail: string): void {
    this.#say(headline, detail, 'bad');
  }

  #say(headline: string, detail: string, kind: string): void {
    this.verdict.dataset['kind'] = kind;
    this.verdict.replaceChildren(make('p', { class: 'headline' }, headline), make('p', {}, detail));
  }
}

function makePart(title: string, ...children: readonly Node[]): HTMLElement {
  return make('section', { class: 'part' }, make('h2', {}, title), ...children);
}

const scripts = { compile: 'Compiling', run: 'Running' } as const;

function makeBars(bars: readonly UsageBar[]): HTMLElement {
  const ran = (['compile', 'run'] as const).filter((script) => bars.some((bar) => bar.script === script));
  const groups = ran.map((script) => {
    const own = bars.filter((bar) => bar.script === script);
    const rows = own.map(({ what, part, text, isOver }) => {
      const value = part === null ? make('span', {}, text) : makeBar(part, text);
      return make('div', isOver ? { class: 'over' } : {}, make('dt', {}, what), make('dd', {}, value));
    });
    return make(
      'div',
      {},
      ran.length > 1 ? make('h3', {}, scripts[script]) : null,
      make('dl', { class: 'uses' }, ...rows),
    );
  });
  return make('div', { class: 'use-groups' }, ...groups);
}

/** Where the execution is to be found: in the console where there is one, else as the API answers it to whoever needs no key. */
function makeRecord({ id, agent, environment }: Execution): HTMLElement {
  const code = make('code', {}, id);
  const links = [
    ...(servedPages.includes('console')
      ? [make('a', { href: `../console/#/executions/${id}` }, 'In the console')]
      : []),
    ...(isKeyed ? [] : [make('a', { href: `../v1/executions/${id}` }, 'As the API answers it')]),
  ];
  const facts = [
    agent === null ? '' : `ran on ${agent.name}`,
    environment === null
      ? ''
      : `in ${environment.layers.length} ${environment.layers.length === 1 ? 'layer' : 'layers'}`,
  ].filter((fact) => fact !== '');
  return make(
    'p',
    { class: 'record' },
    code,
    make('span', {}, facts.join(' ')),
    ...links.map((link) => make('span', {}, link)),
  );
}
