/**
 * Owns the view of executions: the newest, one by its id, and where one's time went. Never shows what a program wrote.
 */
import type { InstanceExecution, InstanceExecutionDetail } from '../../../shared/model/instance-view.ts';
import { toNothing } from '../foundation/api.ts';
import { make, makeMark } from '../foundation/elements.ts';
import { toAgeText, toShort, toTimeText } from '../foundation/formats.ts';
import { nowMs } from '../foundation/page-clock.ts';
import { toTimeline } from '../foundation/timeline.ts';
import { toKind } from './certificates.ts';
import { DataTable } from './data-table.ts';
import { makeExecution } from './execution-detail.ts';
import { toOutcome } from './outcome.ts';
import { TenantChoice } from './tenant-choice.ts';
import { makeView, type Surroundings, type View } from './view.ts';

/** See the head of this file. */
export class ExecutionsView implements View {
  readonly title = 'Executions';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #id: string | null;
  readonly #choice: TenantChoice;
  readonly #detail = make('div', { class: 'detail' });
  readonly #table = makeTable();
  #seen = '';

  constructor(surroundings: Surroundings, [id]: readonly string[]) {
    this.#surroundings = surroundings;
    this.#id = id === undefined || id === '' ? null : id;
    this.#choice = new TenantChoice('all, as this coordinator remembers them', surroundings.again);
    const parts = this.#id === null ? [this.#choice.root, this.#table.root] : [this.#detail];
    const sentence = 'The newest first. What programs wrote is not shown: that is between a tenant and the instance.';
    this.root = makeView(this.title, sentence, makeLookUp(), ...parts);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const { api } = this.#surroundings;
    if (this.#id !== null) {
      const path = `/v1/instance/executions/${encodeURIComponent(this.#id)}`;
      this.#show(await api.get<InstanceExecutionDetail>(path, signal).catch(toNothing));
      return;
    }
    await this.#choice.refresh(api, signal);
    const path = `/v1/instance/executions?limit=100${this.#choice.query}`;
    const { items } = await api.get<{ items: InstanceExecution[] }>(path, signal);
    this.#table.show(items);
  }

  #show(detail: InstanceExecutionDetail | null): void {
    const seen = JSON.stringify(detail);
    if (seen === this.#seen) return;
    this.#seen = seen;
    const none = () => [make('p', { class: 'none' }, `There is no execution ${this.#id}, or it is not kept any more.`)];
    this.#detail.replaceChildren(...(detail === null ? none() : makeExecution(detail)));
  }
}

function makeLookUp(): HTMLElement {
  const input = make('input', { ...{ type: 'search', id: 'execution', required: '' }, pattern: 'exec_[0-9a-z]+' });
  input.placeholder = 'exec_…';
  const form = make(
    'form',
    { class: 'look-up', role: 'search' },
    make('label', { for: 'execution' }, 'Execution '),
    input,
  );
  form.append(make('button', { type: 'submit' }, 'Show'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.hash = `#/executions/${encodeURIComponent(input.value.trim())}`;
  });
  return form;
}

function makeTable(): DataTable<InstanceExecution> {
  const totalOf = ({ timing }: InstanceExecution) => toTimeline(timing).totalMs;
  return new DataTable<InstanceExecution>({
    caption: 'Executions',
    keyOf: ({ id }) => id,
    empty: 'None is remembered. Choose a tenant to see what is recorded of it.',
    columns: [
      {
        title: 'Execution',
        text: ({ id }) => id,
        fill: (cell, { id }) =>
          cell.append(
            make('a', { href: `#/executions/${encodeURIComponent(id)}`, title: id }, make('code', {}, toShort(id))),
          ),
      },
      { title: 'Tenant', text: ({ tenant }) => tenant },
      {
        title: 'Outcome',
        text: (row) => toOutcome(row).text,
        fill: (cell, row) => cell.append(makeMark(toOutcome(row).text, toOutcome(row).kind)),
      },
      { title: 'Agent', text: ({ agent }) => agent?.name ?? '–', sortBy: ({ agent }) => agent?.name ?? null },
      { title: 'Took', text: (row) => toTimeText(totalOf(row)), sortBy: totalOf, isNumber: true },
      {
        title: 'Of it executing',
        text: ({ timing }) => toTimeText(timing.executeMs),
        sortBy: ({ timing }) => timing.executeMs,
        isNumber: true,
      },
      { title: 'Times', text: ({ clean }) => (clean === null ? '–' : toKind(clean)) },
      {
        title: 'Begun',
        text: ({ createdAt }) => toAgeText(createdAt, nowMs()),
        sortBy: ({ createdAt }) => Date.parse(createdAt),
        isNumber: true,
      },
    ],
  });
}
