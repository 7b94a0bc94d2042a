/**
 * Owns which layers of a cache may go, and in which order, when room is needed. The only importer of lru-cache here. Pure: never touches a disk.
 *
 * The rule: least recently used first. But a tenant's own layers (their scope is its, nobody else has used them, nobody pinned them) count
 * against its share; while a tenant is above its share, its own least recently used go before anybody else's. So whoever fetches one layer
 * after the other flushes itself and nobody else. Shared and pinned layers are nobody's. Without pressure a share is no limit.
 * Invariant: what is in use or pinned is never chosen.
 */
import { LRUCache } from 'lru-cache';
import type { Digest } from '../digest.ts';

/** One layer that is here or on its way. */
export interface ShelvedLayer {
  readonly digest: Digest;
  /** Of its tar while it arrives, then of what is kept of it; never changed while it is on the shelf. */
  bytes: number;
  users: number;
  isPinned: boolean;
  /** The one tenant whose layer it is, or null. */
  owner: string | null;
}

/** Bounds of a shelf; bytes. */
export interface ShelfBounds {
  readonly bytesMax: number;
  /** What one tenant's own layers may weigh under pressure. */
  readonly tenantBytesMax: number;
}

/** The layers of a cache by their use. */
export class LayerShelf {
  readonly #bounds: ShelfBounds;
  /** Nobody uses these: the only ones that may go. */
  readonly #idle: LRUCache<string, ShelvedLayer>;
  /** In use or pinned, oldest use first. */
  readonly #kept = new Map<string, ShelvedLayer>();
  readonly #owned = new Map<string, number>();
  /** To whom each layer's bytes were booked, which may have changed since. */
  readonly #booked = new Map<string, string>();
  #keptBytes = 0;

  constructor(bounds: ShelfBounds) {
    this.#bounds = bounds;
    // Room is made by `victim`, because what is in use counts too; the LRU's own bound only must not be lower.
    this.#idle = new LRUCache({
      maxSize: Number.MAX_SAFE_INTEGER,
      sizeCalculation: (layer) => Math.max(1, layer.bytes),
    });
  }

  get size(): number {
    return this.#kept.size + this.#idle.size;
  }

  get bytes(): number {
    return this.#keptBytes + this.#idle.calculatedSize;
  }

  /** In use or pinned. */
  get kept(): readonly ShelvedLayer[] {
    return [...this.#kept.values()];
  }

  find(digest: string): ShelvedLayer | undefined {
    return this.#kept.get(digest) ?? this.#idle.peek(digest);
  }

  /** All of them, least recently used first. */
  all(): ShelvedLayer[] {
    return [...this.#idle.rvalues(), ...this.#kept.values()].filter((layer) => layer !== undefined);
  }

  /** Puts a layer where its users and pin say that it belongs, as the most recently used there. */
  place(layer: ShelvedLayer): void {
    this.remove(layer);
    if (layer.users > 0 || layer.isPinned) {
      this.#kept.set(layer.digest, layer);
      this.#keptBytes += layer.bytes;
    } else {
      this.#idle.set(layer.digest, layer);
    }
    if (layer.owner === null || layer.isPinned) return;
    this.#booked.set(layer.digest, layer.owner);
    this.#owned.set(layer.owner, this.ownedBy(layer.owner) + layer.bytes);
  }

  /** Takes a layer off; idempotent. */
  remove(layer: ShelvedLayer): void {
    if (this.#kept.delete(layer.digest)) this.#keptBytes -= layer.bytes;
    this.#idle.delete(layer.digest);
    const owner = this.#booked.get(layer.digest);
    if (owner === undefined) return;
    this.#booked.delete(layer.digest);
    const left = this.ownedBy(owner) - layer.bytes;
    if (left > 0) this.#owned.set(owner, left);
    else this.#owned.delete(owner);
  }

  /** Bytes that count against a tenant's share. */
  ownedBy(tenant: string): number {
    return this.#owned.get(tenant) ?? 0;
  }

  /** Takes off who has to go first so that what is here and arriving fits; null when it fits, or nobody may go. */
  victim(arriving: Iterable<ShelvedLayer>): ShelvedLayer | null {
    let bytes = this.bytes;
    const coming = new Map<string, number>();
    for (const { bytes: more, owner } of arriving) {
      bytes += more;
      if (owner !== null) coming.set(owner, (coming.get(owner) ?? 0) + more);
    }
    if (bytes <= this.#bounds.bytesMax) return null;
    const isAbove = ({ owner }: ShelvedLayer) =>
      owner !== null && this.ownedBy(owner) + (coming.get(owner) ?? 0) > this.#bounds.tenantBytesMax;
    let oldest: ShelvedLayer | null = null;
    for (const layer of this.#idle.rvalues()) {
      if (layer === undefined) continue;
      oldest ??= layer;
      if (!isAbove(layer)) continue;
      oldest = layer;
      break;
    }
    if (oldest !== null) this.remove(oldest);
    return oldest;
  }
}
