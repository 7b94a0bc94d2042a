/**
 * Owns the first view: how the instance is as a whole, and what wants somebody. Never shows one thing in detail: it leads to where that is.
 */
import type { AgentList } from '../../../shared/model/agent-record.ts';
import type { InstanceExecution, InstanceQueues } from '../../../shared/model/instance-view.ts';
import { make } from '../foundation/elements.ts';
import { findConcerns, type OverviewFacts, type Readiness, toFigures } from './overview-facts.ts';
import { makeView, type Surroundings, type View } from './view.ts';

const NEWEST = 100;

/** See the head of this file. */
export class OverviewView implements View {
  readonly title = 'Overview';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #figures = make('ul', { class: 'figures' });
  readonly #concerns = make('ul', { class: 'concerns' });
  #seen = '';

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const heading = make('h2', { id: 'concerns' }, 'What wants somebody');
    this.root = makeView(this.title, 'How this instance is now.', this.#figures, heading, this.#concerns);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const { api } = this.#surroundings;
    const [readiness, queues, agents, executions] = await Promise.all([
      api.get<Readiness>('/readyz', signal, [503]),
      api.get<InstanceQueues>('/v1/instance/queues', signal),
      api.get<AgentList>('/v1/agents', signal),
      api.get<{ items: InstanceExecution[] }>(`/v1/instance/executions?limit=${NEWEST}`, signal),
    ]);
    this.#show({ readiness, queues, agents: agents.items, executions: executions.items });
  }

  #show(facts: OverviewFacts): void {
    const figures = toFigures(facts);
    const concerns = findConcerns(facts);
    const seen = JSON.stringify([figures, concerns]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#figures.replaceChildren(
      ...figures.map(([name, figure, beside, href]) =>
        make('li', {}, make('a', { href }, make('span', {}, name), make('b', {}, figure), make('span', {}, beside))),
      ),
    );
    const nothing = make('li', { class: 'none' }, 'Nothing: all that is needed answers, and every agent is there.');
    const lines = concerns.map(({ text, href }) => make('li', {}, make('a', { href }, text)));
    this.#concerns.replaceChildren(...(lines.length === 0 ? [nothing] : lines));
  }
}
