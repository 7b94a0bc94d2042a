/**
 * Owns which layers are pinned on which agents, in memory and durably. Never decides what an agent removes: it says what must stay.
 */
import type { AgentId } from '../../shared/ids.ts';
import type { CacheStore, Pin } from '../executions/cache-store.ts';

/** The operator's pins. */
export class Pins {
  readonly #store: Pick<CacheStore, 'pin' | 'unpin' | 'pins'>;
  #pins: readonly Pin[] = [];

  constructor(store: Pick<CacheStore, 'pin' | 'unpin' | 'pins'>) {
    this.#store = store;
  }

  /** Reads what was pinned before a restart. */
  async load(): Promise<void> {
    this.#pins = await this.#store.pins();
  }

  /** Pins these digests on these agents, or on all when null; durable when it resolves. */
  async add(digests: readonly string[], agentIds: readonly string[] | null): Promise<void> {
    await this.#store.pin(toPins(digests, agentIds));
    await this.load();
  }

  /** Takes pins away; null: wherever they are. */
  async remove(digests: readonly string[], agentIds: readonly string[] | null): Promise<void> {
    await this.#store.unpin(toPins(digests, agentIds));
    await this.load();
  }

  /** What must stay on this agent. */
  of(agentId: AgentId): string[] {
    const mine = this.#pins.filter((pin) => pin.agentId === null || pin.agentId === agentId);
    return [...new Set(mine.map(({ digest }) => digest))];
  }

  /** Where this layer is pinned: agents' ids, `*` for all of them. */
  whereIs(digest: string): string[] {
    return this.#pins.filter((pin) => pin.digest === digest).map(({ agentId }) => agentId ?? '*');
  }

  has(digest: string): boolean {
    return this.#pins.some((pin) => pin.digest === digest);
  }
}

function toPins(digests: readonly string[], agentIds: readonly string[] | null): Pin[] {
  return digests.flatMap((digest) => (agentIds ?? [null]).map((agentId) => ({ digest, agentId })));
}
