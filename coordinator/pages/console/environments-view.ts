/**
 * Owns the view of environments: a list, and of one its stages, layers with their provenance, and the log of its build while it runs. Never builds.
 */
import type { Environment } from '../../../shared/model/environment.ts';
import type { InstanceEnvironment } from '../../../shared/model/instance-view.ts';
import { toNothing } from '../foundation/api.ts';
import { make, makeFacts, makeMark } from '../foundation/elements.ts';
import { toAgeText, toBytesText, toShort, toTimeText } from '../foundation/formats.ts';
import { nowMs } from '../foundation/page-clock.ts';
import { BuildLog } from './build-log.ts';
import { DataTable } from './data-table.ts';
import { makeProvenanceLink } from './provenance-view.ts';
import { TenantChoice } from './tenant-choice.ts';
import { makeView, type Surroundings, type View } from './view.ts';

/** How a state is meant. */
function toStateMark(state: string): HTMLElement {
  return makeMark(state, state === 'ready' ? 'good' : state === 'failed' ? 'bad' : 'plain');
}

const bytesOf = ({ layers }: Environment) => layers.reduce((sum, { bytes }) => sum + bytes, 0);
const addressOf = ({ tenant, environment }: InstanceEnvironment) =>
  `#/environments/${encodeURIComponent(tenant)}/${encodeURIComponent(environment.id)}`;

/** See the head of this file. */
export class EnvironmentsView implements View {
  readonly title = 'Environments';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #path: string | null;
  readonly #choice: TenantChoice;
  readonly #table = makeTable();
  readonly #detail = make('div', { class: 'detail' });
  readonly #log: BuildLog;
  #seen = '';

  constructor(surroundings: Surroundings, [tenant, id]: readonly string[]) {
    this.#surroundings = surroundings;
    const isOne = tenant !== undefined && id !== undefined;
    this.#path = isOne ? `/v1/instance/environments/${encodeURIComponent(tenant)}/${encodeURIComponent(id)}` : null;
    this.#choice = new TenantChoice('all that are being built, or were lately', surroundings.again);
    this.#log = new BuildLog();
    const parts = isOne ? [this.#detail, this.#log.root] : [this.#choice.root, this.#table.root];
    this.root = makeView(this.title, 'What code runs in: built once from its scripts, and signed.', ...parts);
    if (this.#path !== null) this.#log.follow(surroundings.api, `${this.#path}/events`, surroundings.again);
  }

  leave(): void {
    this.#log.stop();
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const { api } = this.#surroundings;
    if (this.#path !== null) {
      this.#show(await api.get<InstanceEnvironment>(this.#path, signal).catch(toNothing));
      return;
    }
    await this.#choice.refresh(api, signal);
    const path = `/v1/instance/environments?limit=100${this.#choice.query}`;
    this.#table.show((await api.get<{ items: InstanceEnvironment[] }>(path, signal)).items);
  }

  #show(shown: InstanceEnvironment | null): void {
    const seen = JSON.stringify(shown);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#detail.replaceChildren(
      ...(shown === null ? [make('p', {}, 'There is no such environment.')] : makeDetail(shown)),
    );
  }
}

function makeDetail({ tenant, environment }: InstanceEnvironment): HTMLElement[] {
  const { id, state, scope, base, endedIn, failure, createdAt, finishedAt } = environment;
  return [
    makeFacts({
      Environment: make('code', {}, id),
      Tenant: tenant,
      State: make('span', {}, toStateMark(state), endedIn === null ? '' : ` in ${endedIn}`),
      Scope: scope === 'shared' ? 'shared: every tenant may use its layers' : 'its tenant alone',
      Base: base,
      Begun: createdAt,
      Ended: finishedAt ?? 'it goes on',
      ...(failure === null ? {} : { 'Our fault': `${failure.code}: ${failure.detail}` }),
    }),
    make('section', { class: 'part' }, make('h2', {}, 'Stages'), makeStages(environment)),
    make('section', { class: 'part' }, make('h2', {}, 'Layers'), makeLayers(environment)),
  ];
}

function makeStages(environment: Environment): HTMLElement {
  const ran = (['setup', 'dependencies', 'verify'] as const).flatMap((name) => {
    const report = environment[name];
    return report === null ? [] : [{ name, report }];
  });
  if (ran.length === 0) return make('p', { class: 'none' }, 'No script ran: there is none, or its layers were there.');
  const rows = ran.map(({ name, report: { verdict, usage } }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row' }, name),
      make('td', {}, makeMark(verdict, verdict === 'ok' ? 'good' : 'bad')),
      make('td', { class: 'number' }, toTimeText(usage.wallTimeMs)),
      make('td', { class: 'number' }, toTimeText(usage.cpuTimeMs)),
      make('td', { class: 'number' }, toBytesText(usage.memoryPeakBytes)),
    ),
  );
  return makeTableOf(['Script', 'Verdict', 'Real time', 'Processor time', 'Memory'], 2, rows);
}

function makeLayers({ layers }: Environment): HTMLElement {
  if (layers.length === 0) return make('p', { class: 'none' }, 'None until it is ready.');
  const rows = layers.map(({ kind, digest, bytes, tarBytes, builtAt, provenance }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row' }, kind),
      make('td', {}, make('code', { title: digest }, toShort(digest))),
      make('td', {}, makeProvenanceLink(provenance)),
      make('td', {}, builtAt),
      make('td', { class: 'number' }, toBytesText(bytes)),
      make('td', { class: 'number' }, toBytesText(tarBytes)),
    ),
  );
  return makeTableOf(['Layer', 'Digest of its tar', 'Provenance', 'Built', 'Compressed', 'Tar'], 4, rows);
}

/** Columns from `numbersFrom` on are numbers. */
function makeTableOf(titles: readonly string[], numbersFrom: number, rows: readonly HTMLElement[]): HTMLElement {
  const head = titles.map((title, at) =>
    make('th', { scope: 'col', ...(at >= numbersFrom ? { class: 'number' } : {}) }, title),
  );
  return make(
    'div',
    { class: 'scroll' },
    make('table', {}, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows)),
  );
}

function makeTable(): DataTable<InstanceEnvironment> {
  return new DataTable<InstanceEnvironment>({
    caption: 'Environments',
    keyOf: ({ tenant, environment }) => `${tenant} ${environment.id}`,
    empty: 'Nothing is being built. Choose a tenant to see what it has.',
    columns: [
      {
        title: 'Environment',
        text: ({ environment }) => environment.id,
        fill: (cell, row) =>
          cell.append(make('a', { href: addressOf(row) }, make('code', {}, toShort(row.environment.id)))),
      },
      { title: 'Tenant', text: ({ tenant }) => tenant },
      {
        title: 'State',
        text: ({ environment }) => environment.state,
        fill: (cell, { environment }) => cell.append(toStateMark(environment.state)),
      },
      { title: 'Scope', text: ({ environment }) => environment.scope },
      { title: 'Base', text: ({ environment }) => environment.base },
      {
        title: 'Layers',
        text: ({ environment }) => String(environment.layers.length),
        sortBy: ({ environment }) => environment.layers.length,
        isNumber: true,
      },
      {
        title: 'Compressed',
        text: ({ environment }) => toBytesText(bytesOf(environment)),
        sortBy: ({ environment }) => bytesOf(environment),
        isNumber: true,
      },
      {
        title: 'Begun',
        text: ({ environment }) => toAgeText(environment.createdAt, nowMs()),
        sortBy: ({ environment }) => Date.parse(environment.createdAt),
        isNumber: true,
      },
    ],
  });
}
