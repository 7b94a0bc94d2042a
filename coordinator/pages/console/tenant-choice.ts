/**
 * Owns choosing a tenant: all that the coordinator answers for, and none. Never asks anything but which tenants there are.
 * Invariant: what was chosen stays chosen while tenants come and go.
 */
import type { InstanceQueues } from '../../../shared/model/instance-view.ts';
import type { Api } from '../foundation/api.ts';
import { make } from '../foundation/elements.ts';

/** See the head of this file. */
export class TenantChoice {
  readonly root: HTMLElement;
  readonly #select = make('select');
  #known = '';

  /** `none`: what is meant when no tenant is chosen. */
  constructor(none: string, changed: () => void) {
    this.#select.append(make('option', { value: '' }, none));
    this.#select.addEventListener('change', changed);
    this.root = make('label', { class: 'filter' }, 'Tenant ', this.#select);
  }

  /** Null: none. */
  get tenant(): string | null {
    return this.#select.value === '' ? null : this.#select.value;
  }

  /** For the query of a listing. */
  get query(): string {
    return this.tenant === null ? '' : `&tenant=${encodeURIComponent(this.tenant)}`;
  }

  async refresh(api: Api, signal: AbortSignal): Promise<void> {
    const { items } = await api.get<InstanceQueues>('/v1/instance/queues', signal);
    const names = items.map(({ tenant }) => tenant).sort();
    if (this.#known === names.join()) return;
    this.#known = names.join();
    const chosen = this.tenant;
    const [none] = this.#select.options;
    this.#select.replaceChildren(
      ...(none === undefined ? [] : [none]),
      ...names.map((name) => make('option', { value: name }, name)),
    );
    this.#select.value = chosen ?? '';
  }
}
