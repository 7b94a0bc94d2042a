/**
 * Owns the view of the fleet: every agent with its slots, version, layers, certificates, and draining it. Never places anything.
 */
import type { Agent, AgentList } from '../../../shared/model/agent-record.ts';
import type { InstanceExecution } from '../../../shared/model/instance-view.ts';
import { make, makeBar, makeButton, makeMark } from '../foundation/elements.ts';
import { toAgeText, toBytesText, toShort } from '../foundation/formats.ts';
import { nowMs } from '../foundation/page-clock.ts';
import { type CertificateCounts, countCertificates, toCertificateText } from './certificates.ts';
import { type Column, DataTable } from './data-table.ts';
import { confirmWith, makeView, type Surroundings, type View } from './view.ts';

const kinds = { ready: 'good', draining: 'wary', disconnected: 'bad' } as const;

/** Those that need somebody come first. */
const ranks = { disconnected: 0, draining: 1, ready: 2 } as const;

/** See the head of this file. */
export class FleetView implements View {
  readonly title = 'Fleet';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #table: DataTable<Agent>;
  #certificates: ReadonlyMap<string, CertificateCounts> = new Map();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const sentence = 'Agents that were let in. Certificates are those of the newest executions that are remembered.';
    this.#table = new DataTable<Agent>({
      caption: 'Agents',
      columns: this.#columns(),
      keyOf: ({ id }) => id,
      empty: 'No agent has been let in.',
    });
    this.root = makeView(this.title, sentence, this.#table.root);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const { api } = this.#surroundings;
    const [{ items }, executions] = await Promise.all([
      api.get<AgentList>('/v1/agents', signal),
      api.get<{ items: InstanceExecution[] }>('/v1/instance/executions?limit=100', signal),
    ]);
    this.#certificates = countCertificates(executions.items);
    this.#table.show(items);
  }

  #columns(): Column<Agent>[] {
    return [
      {
        title: 'Agent',
        text: ({ name, id }) => `${name} ${id}`,
        fill: (cell, { name, id }) =>
          cell.append(make('span', { class: 'name' }, name), make('code', { class: 'id', title: id }, toShort(id))),
      },
      { title: 'Pool', text: ({ pool }) => pool },
      {
        title: 'State',
        text: ({ state }) => state,
        fill: (cell, { state }) => cell.append(makeMark(state, kinds[state])),
        sortBy: ({ state }) => ranks[state],
      },
      {
        title: 'Slots',
        text: ({ slots }) => (slots.total === 0 ? '–' : `${slots.total - slots.free} of ${slots.total}`),
        fill: (cell, { slots: { total, free } }) =>
          cell.append(total === 0 ? '–' : makeBar((total - free) / total, `${total - free} of ${total}`)),
        sortBy: ({ slots }) => slots.total - slots.free,
      },
      { title: 'Layers', text: ({ layers }) => String(layers), sortBy: ({ layers }) => layers, isNumber: true },
      { title: 'Version', text: ({ release }) => release ?? '–', sortBy: ({ release }) => release },
      {
        title: 'Machine',
        text: ({ architecture, cores, memoryBytes }) =>
          architecture === null ? '–' : `${cores} × ${architecture}, ${toBytesText(memoryBytes ?? 0)}`,
        sortBy: ({ cores }) => cores,
      },
      { title: 'Certificates', text: ({ id }) => toCertificateText(this.#certificates.get(id)) },
      {
        title: 'Receipt key',
        text: ({ receiptKey }) => (receiptKey === null ? '–' : toShort(receiptKey)),
      },
      {
        title: 'Heard',
        text: ({ heardAt, connectedAt }) => toAgeText(heardAt ?? connectedAt, nowMs()),
        sortBy: ({ heardAt }) => (heardAt === null ? null : Date.parse(heardAt)),
        isNumber: true,
      },
      {
        title: 'Draining',
        text: ({ state, name }) => `${state === 'draining' ? 'Resume' : 'Drain'} ${name}`,
        fill: (cell, agent) => cell.append(this.#makeDrain(agent)),
        sortBy: null,
      },
    ];
  }

  #makeDrain({ id, name, state }: Agent): HTMLElement {
    const verb = state === 'draining' ? 'resume' : 'drain';
    const word = verb === 'drain' ? 'Drain' : 'Resume';
    return makeButton(word, () => this.#drain(id, name, verb), { 'aria-label': `${word} ${name}` });
  }

  async #drain(id: string, name: string, verb: 'drain' | 'resume'): Promise<void> {
    const { api, tell, again } = this.#surroundings;
    const detail =
      verb === 'drain' ? 'It gets no new work. What it runs goes on to its end.' : 'It gets work again at once.';
    if (
      !(await confirmWith(
        `${verb === 'drain' ? 'Drain' : 'Resume'} ${name}?`,
        detail,
        verb === 'drain' ? 'Drain' : 'Resume',
      ))
    )
      return;
    try {
      await api.post(`/v1/agents/${encodeURIComponent(id)}/${verb}`);
      tell(verb === 'drain' ? `${name} is draining.` : `${name} gets work again.`);
    } catch (error) {
      tell(`${name} was not changed: ${error instanceof Error ? error.message : String(error)}`);
    }
    again();
  }
}
