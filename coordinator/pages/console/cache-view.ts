/**
 * Owns the view of the cache: its layers by size and heat, who holds them, what is pinned or revoked, and pinning. Never removes a layer.
 */
import type { CachedLayer } from '../../../shared/model/cached-layer.ts';
import { make, makeBar, makeButton, makeMark, setText } from '../foundation/elements.ts';
import { toAgeText, toBytesText, toShort } from '../foundation/formats.ts';
import { nowMs } from '../foundation/page-clock.ts';
import { DataTable } from './data-table.ts';
import { toHeat } from './heat.ts';
import { makeProvenanceLink } from './provenance-view.ts';
import { confirmWith, makeView, type Surroundings, type View } from './view.ts';

const PAGE = 100;
/** Pages that are asked for; what is beyond is counted as not shown. */
const PAGES_MAX = 10;

interface LayerPage {
  readonly items: readonly CachedLayer[];
  readonly next: string | null;
}

/** See the head of this file. */
export class CacheView implements View {
  readonly title = 'Cache';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #sum = make('p', { class: 'sum' });
  readonly #table: DataTable<CachedLayer>;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#table = new DataTable<CachedLayer>({
      caption: 'Layers',
      keyOf: ({ key, scope, digest }) => `${scope} ${key} ${digest}`,
      empty: 'The cache is empty.',
      columns: this.#columns(),
    });
    const sentence = 'Layers of the store. Heat is how lately one was used: half of it is gone after each day.';
    this.root = makeView(this.title, sentence, this.#sum, this.#table.root);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    const layers: CachedLayer[] = [];
    let next: string | null = '';
    for (let page = 0; page < PAGES_MAX && next !== null; page += 1) {
      const cursor = next === '' ? '' : `&cursor=${next}`;
      const found: LayerPage = await this.#surroundings.api.get(`/v1/cache?limit=${PAGE}${cursor}`, signal);
      layers.push(...found.items);
      next = found.next;
    }
    const sum = (bytesOf: (layer: CachedLayer) => number) => layers.reduce((all, layer) => all + bytesOf(layer), 0);
    const pinned = layers.filter(({ pinnedOn }) => pinnedOn.length > 0).length;
    const revoked = layers.filter(({ isRevoked }) => isRevoked).length;
    setText(
      this.#sum,
      `${layers.length}${next === null ? '' : ' newest'} layers, ${toBytesText(sum(({ bytes }) => bytes))} compressed, ${toBytesText(sum(({ tarBytes }) => tarBytes))} as tars; ${pinned} pinned, ${revoked} revoked.`,
    );
    this.#table.show(layers);
  }

  #columns(): ConstructorParameters<typeof DataTable<CachedLayer>>[0]['columns'] {
    return [
      {
        title: 'Layer',
        text: ({ digest }) => digest,
        fill: (cell, { digest }) => cell.append(make('code', { title: digest }, toShort(digest))),
      },
      { title: 'Kind', text: ({ kind }) => kind },
      { title: 'Base', text: ({ base, architecture }) => `${base}, ${architecture}` },
      { title: 'Scope', text: ({ scope }) => scope },
      { title: 'Compressed', text: ({ bytes }) => toBytesText(bytes), sortBy: ({ bytes }) => bytes, isNumber: true },
      {
        title: 'Tar',
        text: ({ tarBytes }) => toBytesText(tarBytes),
        sortBy: ({ tarBytes }) => tarBytes,
        isNumber: true,
      },
      {
        title: 'Heat',
        text: ({ lastUsedAt }) => toAgeText(lastUsedAt, nowMs()),
        fill: (cell, { lastUsedAt }) =>
          cell.append(makeBar(toHeat(lastUsedAt, nowMs()), toAgeText(lastUsedAt, nowMs()))),
        sortBy: ({ lastUsedAt }) => toHeat(lastUsedAt, nowMs()),
      },
      {
        title: 'Held by',
        text: ({ agents }) => String(agents.length),
        sortBy: ({ agents }) => agents.length,
        isNumber: true,
      },
      {
        title: 'State',
        text: ({ isRevoked, pinnedOn }) => (isRevoked ? 'revoked' : pinnedOn.length > 0 ? 'pinned' : 'kept'),
        fill: (cell, { isRevoked, pinnedOn }) =>
          cell.append(
            isRevoked ? makeMark('revoked', 'bad') : pinnedOn.length > 0 ? makeMark('pinned', 'good') : 'kept',
          ),
      },
      {
        title: 'Provenance',
        text: ({ provenance }) => provenance ?? 'none',
        fill: (cell, { provenance }) => cell.append(makeProvenanceLink(provenance)),
      },
      {
        title: 'Pinning',
        text: ({ pinnedOn, isRevoked }) => (isRevoked ? '' : pinnedOn.length > 0 ? 'Unpin' : 'Pin'),
        fill: (cell, layer) => cell.append(layer.isRevoked ? '' : this.#makePin(layer)),
        sortBy: null,
      },
    ];
  }

  #makePin({ digest, pinnedOn }: CachedLayer): HTMLElement {
    const verb = pinnedOn.length > 0 ? 'unpin' : 'pin';
    const word = verb === 'pin' ? 'Pin' : 'Unpin';
    return makeButton(word, () => this.#pin(digest, verb, word), { 'aria-label': `${word} ${toShort(digest)}` });
  }

  async #pin(digest: string, verb: 'pin' | 'unpin', word: string): Promise<void> {
    const { api, tell, again } = this.#surroundings;
    const detail = verb === 'pin' ? 'All agents keep it whatever else comes.' : 'Agents let it go when its turn comes.';
    if (!(await confirmWith(`${word} ${toShort(digest)}?`, detail, word))) return;
    try {
      await api.post(`/v1/cache/${verb}`, { digests: [digest] });
      tell(`${toShort(digest)} is ${verb}ned.`);
    } catch (error) {
      tell(`${toShort(digest)} was not changed: ${error instanceof Error ? error.message : String(error)}`);
    }
    again();
  }
}
