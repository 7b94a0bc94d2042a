/**
 * Owns the view of one layer's provenance: how it was built, and every body that its build fetched. Never checks its signature.
 */
import { toNothing } from '../foundation/api.ts';
import { make, makeFacts } from '../foundation/elements.ts';
import { toBytesText, toShort } from '../foundation/formats.ts';
import { DataTable } from './data-table.ts';
import { type Material, readProvenance } from './provenance-text.ts';
import { makeView, type Surroundings, type View } from './view.ts';

/** A link to where a statement is shown. */
export function makeProvenanceLink(digest: string | null): HTMLElement | string {
  if (digest === null || digest === '') return 'none';
  return make(
    'a',
    { href: `#/provenance/${encodeURIComponent(digest)}`, title: digest },
    make('code', {}, toShort(digest)),
  );
}

/** See the head of this file. */
export class ProvenanceView implements View {
  readonly title = 'Provenance';
  readonly root: HTMLElement;
  readonly #surroundings: Surroundings;
  readonly #digest: string;
  readonly #detail = make('div', { class: 'detail' });
  #isShown = false;

  constructor(surroundings: Surroundings, [digest = '']: readonly string[]) {
    this.#surroundings = surroundings;
    this.#digest = digest;
    this.root = makeView(this.title, 'What the verifier signed about the build of a layer.', this.#detail);
  }

  async refresh(signal: AbortSignal): Promise<void> {
    // It never changes.
    if (this.#isShown) return;
    const path = `/v1/instance/provenance/${encodeURIComponent(this.#digest)}`;
    const { api } = this.#surroundings;
    const envelope = await api.get<{ payload: string; signatures: { keyid: string }[] }>(path, signal).catch(toNothing);
    this.#isShown = true;
    const read = envelope === null ? null : readProvenance(envelope.payload);
    if (envelope === null || read === null) {
      this.#detail.replaceChildren(make('p', { class: 'none' }, `There is no provenance ${this.#digest}.`));
      return;
    }
    const table = makeTable();
    table.show(read.materials);
    this.#detail.replaceChildren(
      makeFacts({
        Statement: make('code', {}, this.#digest),
        'Signed by': envelope.signatures.map(({ keyid }) => keyid).join(', '),
        Built: read.builtAt,
        Key: make('code', {}, read.key),
        Specification: make('code', {}, read.specDigest),
        Materials: read.isComplete ? 'complete' : 'not complete: not all that the build fetched is known',
      }),
      make('h2', {}, 'What it was built by'),
      make('pre', { tabindex: '0', 'aria-label': 'Parameters of the build' }, read.parameters),
      make('h2', {}, 'What it was built from'),
      table.root,
    );
  }
}

function makeTable(): DataTable<Material> {
  return new DataTable<Material>({
    caption: 'Materials',
    keyOf: ({ uri, digest, method }) => `${method} ${uri} ${digest}`,
    empty: 'It was built from nothing but its parameters.',
    columns: [
      { title: 'Material', text: ({ uri }) => uri },
      { title: 'Method', text: ({ method }) => method ?? '–' },
      {
        title: 'SHA-256',
        text: ({ digest }) => digest,
        fill: (cell, { digest }) => cell.append(make('code', { title: digest }, toShort(digest))),
      },
      {
        title: 'Bytes',
        text: ({ bytes }) => (bytes === null ? '–' : toBytesText(bytes)),
        sortBy: ({ bytes }) => bytes,
        isNumber: true,
      },
      { title: 'From', text: ({ source }) => source },
    ],
  });
}
