/**
 * Owns the view of queues: what of each tenant waits and runs, its share, what it was refused, how long one more would wait. Never changes a weight.
 */
import type { InstanceQueues, TenantQueue } from '../../../shared/model/instance-view.ts';
import { make, makeBar, setText } from '../foundation/elements.ts';
import { toPercentText, toTimeText } from '../foundation/formats.ts';
import { DataTable } from './data-table.ts';
import { makeView, type Surroundings, type View } from './view.ts';

/** See the head of this file. */
export class QueuesView implements View {
  readonly title = 'Queues';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #sum = make('p', { class: 'sum' });
  readonly #table = new DataTable<TenantQueue>({
    caption: 'Tenants',
    keyOf: ({ tenant }) => tenant,
    empty: 'There is no tenant.',
    columns: [
      { title: 'Tenant', text: ({ tenant }) => tenant },
      { title: 'Weight', text: ({ weight }) => String(weight), sortBy: ({ weight }) => weight, isNumber: true },
      { title: 'Waiting', text: ({ waiting }) => String(waiting), sortBy: ({ waiting }) => waiting, isNumber: true },
      { title: 'Running', text: ({ running }) => String(running), sortBy: ({ running }) => running, isNumber: true },
      {
        title: 'Share of what runs',
        text: ({ share }) => toPercentText(share),
        fill: (cell, { share }) => cell.append(makeBar(share, toPercentText(share))),
        sortBy: ({ share }) => share,
      },
      {
        title: 'Begun this minute',
        text: ({ begunInMinute }) => String(begunInMinute),
        sortBy: ({ begunInMinute }) => begunInMinute,
        isNumber: true,
      },
      {
        title: 'One more would wait',
        text: ({ forecastMs }) => toTimeText(forecastMs),
        sortBy: ({ forecastMs }) => forecastMs,
        isNumber: true,
      },
      {
        title: 'Refused',
        text: ({ refused }) => toRefusedText(refused),
        sortBy: ({ refused: { rate, queue, time } }) => rate + queue + time,
        isNumber: true,
      },
    ],
  });

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const sentence = 'Tenants that this coordinator answers for. Refusals are counted since its start.';
    this.root = makeView(this.title, sentence, this.#sum, this.#table.root);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const queues = await this.#surroundings.api.get<InstanceQueues>('/v1/instance/queues', signal);
    const { waiting, waitingMax, running, slots, builds, itemsNotShown } = queues;
    const more = itemsNotShown === 0 ? '' : ` ${itemsNotShown} tenants more are not shown.`;
    setText(
      this.#sum,
      `${running} running on ${slots.total} slots, ${waiting} of at most ${waitingMax} waiting, ${builds} builds.${more}`,
    );
    this.#table.show(queues.items);
  }
}

/** How often, by why. */
export function toRefusedText({ rate, queue, time }: TenantQueue['refused']): string {
  const reasons = Object.entries({ rate, queue, time }).filter(([, count]) => count > 0);
  return reasons.length === 0 ? '0' : reasons.map(([reason, count]) => `${count} (${reason})`).join(', ');
}
