/**
 * Owns the layers of a simulated agent: the real shelf decides which go, and what is left is what the agent tells its scheduler. Every layer weighs
 * the same. Never fetches anything: who holds layers says when they have come.
 * Invariant that it checks whenever something changes: what is in use never goes, and the rest keeps to the bound.
 */
import assert from 'node:assert/strict';
import type { Digest } from '../../shared/digest.ts';
import { LayerShelf, type ShelvedLayer } from '../../shared/layers/layer-shelf.ts';

const LAYERS_MAX = 8;

/** See the head of this file. */
export class SimulatedShelf {
  readonly #shelf = new LayerShelf({ bytesMax: LAYERS_MAX, tenantBytesMax: LAYERS_MAX });
  readonly #arriving = new Map<string, ShelvedLayer>();

  /** What is here. */
  get names(): string[] {
    return this.#shelf.all().map(({ digest }) => digest);
  }

  /** Has them used until `letGo`; is any not here yet? */
  hold(names: readonly string[]): boolean {
    let isCold = false;
    for (const name of names) {
      const here = this.#shelf.find(name);
      const layer = here ?? this.#arriving.get(name) ?? toLayer(name);
      layer.users += 1;
      if (here !== undefined) this.#shelf.place(here);
      else this.#arriving.set(name, layer);
      isCold ||= here === undefined;
    }
    return isCold;
  }

  /** Whatever of them was on its way is here. */
  arrived(names: readonly string[]): void {
    for (const name of names) {
      const layer = this.#arriving.get(name);
      if (layer === undefined) continue;
      this.#trim();
      this.#arriving.delete(name);
      this.#shelf.place(layer);
    }
    this.#trim();
  }

  letGo(names: readonly string[]): void {
    for (const name of names) {
      const layer = this.#shelf.find(name);
      assert.ok(layer !== undefined && layer.users > 0, `${name} is in use, and gone`);
      layer.users -= 1;
      if (layer.users === 0) this.#shelf.place(layer);
    }
    this.#trim();
  }

  /** Nobody uses anything any more, and nothing is on its way. */
  crash(): void {
    this.#arriving.clear();
    for (const layer of this.#shelf.all()) {
      layer.users = 0;
      this.#shelf.place(layer);
    }
    this.#trim();
  }

  #trim(): void {
    for (;;) {
      const gone = this.#shelf.victim(this.#arriving.values());
      if (gone === null) break;
      assert.equal(gone.users, 0, `${gone.digest} goes while it is used`);
    }
    const { kept, bytes } = this.#shelf;
    assert.ok(bytes <= Math.max(LAYERS_MAX, kept.length), `${bytes} layers are here, ${kept.length} of them in use`);
  }
}

function toLayer(name: string): ShelvedLayer {
  return { digest: name as Digest, bytes: 1, users: 0, isPinned: false, owner: null };
}
