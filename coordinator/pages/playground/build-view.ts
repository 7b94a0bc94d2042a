/**
 * Owns showing the way to an environment that is not there yet: a bar for each layer that is built, one for layers that are fetched, and what the build
 * says. Never takes what a build says for anything but text.
 */

import { make, setText } from '../foundation/elements.ts';
import type { ServerEvent } from '../foundation/event-lines.ts';
import { toBytesText, toPercentText } from '../foundation/formats.ts';
import { LogText } from '../foundation/log-text.ts';

interface LayerRow {
  readonly progress: HTMLProgressElement;
  readonly text: HTMLElement;
  phase: string;
  fetched: string;
}

const phases: Readonly<Record<string, string>> = {
  'fetching-parents': 'fetching what it stands on',
  running: 'running its script',
  capturing: 'taking what it left',
  'verify-script': 'trying it',
  publishing: 'signing and storing it',
  finished: 'done',
  fetching: 'on its way to the agent',
};
const titles: Readonly<Record<string, string>> = {
  base: 'Base system',
  setup: 'Setup',
  dependencies: 'Dependencies',
  layers: 'Layers',
};

/** See the head of this file. */
export class BuildView {
  readonly root: HTMLDetailsElement;
  readonly #rows = make('ul', { class: 'layers' });
  readonly #log = new LogText('What the build says');
  #layers = new Map<string, LayerRow>();

  constructor() {
    const summary = make('summary', {}, make('h2', {}, 'Build'));
    this.root = make('details', { class: 'part build-part', hidden: '' }, summary, this.#rows, this.#log.root);
  }

  clear(): void {
    this.root.hidden = true;
    this.root.open = false;
    this.#rows.replaceChildren();
    this.#log.set('');
    this.#layers = new Map();
  }

  /** It is over; its log is kept, and put aside if nobody needs it. */
  end(isNeeded: boolean): void {
    this.#settle(isNeeded ? 'stopped' : 'done');
    this.root.open = isNeeded && !this.root.hidden;
  }

  /** Layers are made one after the other: what is not at its end by now has come to it, or never will. */
  #settle(word: 'done' | 'stopped'): void {
    for (const row of this.#layers.values()) {
      if (row.phase === 'finished') continue;
      row.phase = 'finished';
      row.progress.value = word === 'done' ? 1 : 0;
      setText(row.text, `${word}${row.fetched}`);
    }
  }

  hear({ name, data }: ServerEvent): void {
    const told = data as Readonly<Record<string, unknown>>;
    const layer = name === 'fetch.progress' ? 'layers' : String(told['layer']);
    if (this.root.hidden) {
      this.root.hidden = false;
      this.root.open = true;
    }
    const row = this.#rowOf(layer);
    if (name === 'build.log') this.#log.add(String(told['text']));
    else if (name === 'build.fetched')
      row.fetched = `, ${told['requests']} requests, ${toBytesText(Number(told['bytes']))}`;
    else row.phase = String(told['phase']);
    if (name === 'build.phase') this.#log.note(`${layer}: ${phases[row.phase] ?? row.phase}`);
    const fraction = typeof told['fraction'] === 'number' ? told['fraction'] : null;
    this.#draw(row, fraction);
  }

  #rowOf(layer: string): LayerRow {
    const known = this.#layers.get(layer);
    if (known !== undefined) return known;
    this.#settle('done');
    const title = titles[layer] ?? layer;
    const progress = make('progress', { max: '1', 'aria-label': title });
    const text = make('span', { class: 'layer-text' });
    const row = { progress, text, phase: 'running', fetched: '' };
    this.#layers.set(layer, row);
    this.#rows.append(make('li', {}, make('b', {}, title), progress, text));
    return row;
  }

  #draw(row: LayerRow, fraction: number | null): void {
    const { progress, phase, fetched } = row;
    if (phase === 'finished') progress.value = 1;
    else if (fraction === null) progress.removeAttribute('value');
    else progress.value = fraction;
    const part = fraction === null || phase === 'finished' ? '' : ` ${toPercentText(fraction)}`;
    setText(row.text, `${phases[phase] ?? phase}${part}${fetched}`);
  }
}
