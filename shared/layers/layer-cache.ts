/**
 * Owns the layers that are on this machine: which are here, who uses them, which go when room is needed (least recently used).
 * The only importer of lru-cache. Never checks bytes (fetcher, installer), never touches a layer's files (the launcher does).
 * Invariants: a layer in use or pinned is never removed; the weight of all (what is kept of them on disk) stays within bytesMax unless those alone
 * are heavier; the index names a layer before the store has it, and a layer that the index does not name is removed at start.
 */
import { LRUCache } from 'lru-cache';
import { type Clock, type Random, systemClock, systemRandom, type Timer } from '../clock.ts';
import type { Digest } from '../digest.ts';
import { toSystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { LayerUse } from '../model/environment.ts';
import type { LayerManifest, LayerReference } from '../model/manifest.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { LayerFetcher } from './layer-fetcher.ts';
import { type IndexedLayer, LayerIndex } from './layer-index.ts';
import { LayerInstaller } from './layer-installer.ts';
import { checkArchitecture, checkParents, checkScope, layerName } from './layer-manifest.ts';
import type { AcquiredLayers, LayerSource } from './layer-source.ts';

import type { ManifestTrust } from './manifest-trust.ts';

/** Settings and neighbours of a cache. */
export interface LayerCacheOptions {
  readonly sandbox: Pick<Sandbox, 'launch' | 'store'>;
  readonly trust: Pick<ManifestTrust, 'open'>;
  readonly fetcher: Pick<LayerFetcher, 'fetch'>;
  /** Folder of the index file; made when missing. */
  readonly directory: string;
  /** Weight of all layers together, in bytes of their tars. */
  readonly bytesMax: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Counters and gauges of a cache, for metrics. */
export interface LayerCacheGauges {
  readonly layers: number;
  readonly bytes: number;
  readonly inUse: number;
  readonly pinned: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly fetchedBytes: number;
}

interface Entry {
  readonly digest: Digest;
  /** Of the tar while it arrives, then of what is kept of it. */
  bytes: number;
  users: number;
  isPinned: boolean;
}

/** A change of order alone may wait so long for its way into the index; a layer that comes or goes does not wait. */
const INDEX_DELAY_MS = 200;
const layerNamePattern = /^sha256-[0-9a-f]{64}$/;

/** The layers of one machine, for one client of its launcher; `start` before anything else. */
export class LayerCache implements LayerSource {
  readonly #options: LayerCacheOptions;
  readonly #clock: Clock;
  readonly #installer: LayerInstaller;
  readonly #index: LayerIndex;
  /** Nobody uses these: the only ones that may go. */
  readonly #idle: LRUCache<string, Entry>;
  /** In use or pinned, oldest use first. */
  readonly #kept = new Map<string, Entry>();
  readonly #arriving = new Map<string, { readonly entry: Entry; readonly arrival: Promise<void> }>();
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #counts = { hits: 0, misses: 0, evictions: 0, fetchedBytes: 0 };
  #keptBytes = 0;
  #indexTimer: Timer | null = null;

  constructor(options: LayerCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { sandbox, logger, random = systemRandom } = options;
    this.#installer = new LayerInstaller({ sandbox, logger, random });
    this.#index = new LayerIndex(options.directory);
    // Room is made by #trim, because what is in use counts too; the LRU's own bound only must not be lower.
    this.#idle = new LRUCache({
      maxSize: Number.MAX_SAFE_INTEGER,
      sizeCalculation: (entry) => Math.max(1, entry.bytes),
    });
  }

  /** Takes over what an earlier process left: layers in store and index stay, in their order; what only one of them knows goes. */
  async start(): Promise<void> {
    const { store } = this.#options.sandbox;
    const present = new Set(await store.list());
    const remembered = await this.#index.read();
    for (const { digest, bytes, isPinned } of remembered ?? []) {
      if (!present.delete(layerName(digest)) || this.#find(digest) !== undefined) continue;
      const entry: Entry = { digest, bytes, users: 0, isPinned };
      this.#place(entry);
    }
    const unknown = [...present].filter((name) => layerNamePattern.test(name));
    for (const name of unknown) await store.remove(name);
    this.#trim();
    await this.#saveIndex();
    this.#options.logger.info({ ...this.gauges(), removed: unknown.length }, 'layer cache ready');
  }

  /** Writes the order of use down and stops the timer; layers that are arriving are finished first. Idempotent. */
  async stop(): Promise<void> {
    await Promise.allSettled([
      ...[...this.#arriving.values()].map(({ arrival }) => arrival),
      ...this.#leaving.values(),
    ]);
    await this.#saveIndex();
  }

  acquire(references: readonly LayerReference[], tenantId: string): Promise<AcquiredLayers> {
    try {
      const manifests = references.map(({ envelope }) => this.#options.trust.open(envelope));
      for (const manifest of manifests) {
        checkScope(manifest, tenantId);
        checkArchitecture(manifest);
      }
      checkParents(manifests);
      return this.#acquire(references, manifests);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Gets layers before they are needed; they are checked as ever, and not held. */
  async prefetch(references: readonly LayerReference[]): Promise<void> {
    const manifests = references.map(({ envelope }) => this.#options.trust.open(envelope));
    const acquired = await this.#acquire(references, manifests);
    acquired.release();
  }

  held(): readonly string[] {
    return this.#present().map(({ digest }) => digest);
  }

  /** Keeps a layer that is here until `unpin`; false when it is not here. */
  async pin(digest: Digest): Promise<boolean> {
    return await this.#setPinned(digest, true);
  }

  /** Lets a pinned layer go when its turn comes; false when it is not here. */
  async unpin(digest: Digest): Promise<boolean> {
    return await this.#setPinned(digest, false);
  }

  gauges(): LayerCacheGauges {
    const kept = [...this.#kept.values()];
    return {
      layers: kept.length + this.#idle.size,
      bytes: this.#keptBytes + this.#idle.calculatedSize,
      inUse: kept.filter(({ users }) => users > 0).length,
      pinned: kept.filter(({ isPinned }) => isPinned).length,
      ...this.#counts,
    };
  }

  /** When everything is here this runs to its end without waiting for anything: the path of every warm execution. */
  #acquire(references: readonly LayerReference[], manifests: LayerManifest[]): Promise<AcquiredLayers> {
    const held: Entry[] = [];
    const uses: LayerUse[] = [];
    const missing: number[] = [];
    for (const [index, manifest] of manifests.entries()) {
      const entry = this.#find(manifest.tar.digest);
      if (entry === undefined) missing.push(index);
      else held.push(this.#hold(entry));
      uses.push(toUse(manifest, 'local'));
    }
    this.#counts.hits += held.length;
    const acquired: AcquiredLayers = {
      names: manifests.map(({ tar }) => layerName(tar.digest)),
      manifests,
      uses,
      release: () => {
        for (const entry of held.splice(0)) this.#letGo(entry);
      },
    };
    if (missing.length === 0) return Promise.resolve(acquired);
    return this.#acquireMissing(references, missing, acquired, held);
  }

  async #acquireMissing(
    references: readonly LayerReference[],
    missing: readonly number[],
    acquired: AcquiredLayers,
    held: Entry[],
  ): Promise<AcquiredLayers> {
    this.#counts.misses += missing.length;
    const arrivals = missing.map(async (index) => {
      const reference = references[index] as LayerReference;
      const manifest = acquired.manifests[index] as LayerManifest;
      held.push(await this.#arrive(reference, manifest));
      acquired.uses[index] = toUse(manifest, reference.origin === 'built' ? 'built' : 'fetched');
    });
    const failed = (await Promise.allSettled(arrivals)).find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return acquired;
    acquired.release();
    throw failed.reason;
  }

  /** The layer, held, once it is here: one fetch however many ask for it. */
  async #arrive(reference: LayerReference, manifest: LayerManifest): Promise<Entry> {
    const digest = manifest.tar.digest as Digest;
    const joined = this.#arriving.get(digest);
    if (joined !== undefined) {
      joined.entry.users += 1;
      try {
        await joined.arrival;
        return joined.entry;
      } catch {
        // Another's address may have been the reason (an expired one, say); ours is tried as well, once.
      }
    }
    const present = this.#find(digest);
    if (present !== undefined) return this.#hold(present);
    const again = this.#arriving.get(digest);
    if (again !== undefined) {
      again.entry.users += 1;
      await again.arrival;
      return again.entry;
    }
    const entry: Entry = { digest, bytes: manifest.tar.bytes, users: 1, isPinned: false };
    const arrival = this.#install(entry, reference, manifest).finally(() => this.#arriving.delete(digest));
    this.#arriving.set(digest, { entry, arrival });
    await arrival;
    return entry;
  }

  async #install(entry: Entry, reference: LayerReference, manifest: LayerManifest): Promise<void> {
    const { fetcher, logger } = this.#options;
    const name = layerName(entry.digest);
    const startedAtMs = this.#clock.monotonicMs();
    await this.#leaving.get(name);
    const blob = await fetcher.fetch(reference.url, manifest.blob);
    const fetchedAtMs = this.#clock.monotonicMs();
    try {
      this.#trim();
      // Named in the index first: a layer that a crash leaves in the store without its line would be removed at start.
      await this.#saveIndex();
      const { bytes } = await this.#installer.install(blob, manifest);
      entry.bytes = bytes;
    } catch (error) {
      logger.warn({ layer: entry.digest, key: manifest.key, error: toSystemError(error).message }, 'layer refused');
      throw error;
    } finally {
      await blob.close();
    }
    this.#arriving.delete(entry.digest);
    this.#place(entry);
    this.#counts.fetchedBytes += manifest.blob.bytes;
    const fetchMs = Math.round(fetchedAtMs - startedAtMs);
    const installMs = Math.round(this.#clock.monotonicMs() - fetchedAtMs);
    logger.info({ layer: entry.digest, bytes: entry.bytes, fetchMs, installMs }, 'layer arrived');
    this.#trim();
    await this.#saveIndex();
  }

  #find(digest: string): Entry | undefined {
    return this.#kept.get(digest) ?? this.#idle.peek(digest);
  }

  /** Puts an entry where its users and pin say that it belongs, as the most recently used there. */
  #place(entry: Entry): void {
    if (this.#kept.delete(entry.digest)) this.#keptBytes -= entry.bytes;
    this.#idle.delete(entry.digest);
    if (entry.users > 0 || entry.isPinned) {
      this.#kept.set(entry.digest, entry);
      this.#keptBytes += entry.bytes;
    } else {
      this.#idle.set(entry.digest, entry);
    }
  }

  #hold(entry: Entry): Entry {
    entry.users += 1;
    this.#place(entry);
    this.#saveIndexSoon();
    return entry;
  }

  #letGo(entry: Entry): void {
    entry.users -= 1;
    if (entry.users === 0) this.#place(entry);
    this.#trim();
  }

  async #setPinned(digest: Digest, isPinned: boolean): Promise<boolean> {
    const entry = this.#find(digest);
    if (entry === undefined) return false;
    entry.isPinned = isPinned;
    this.#place(entry);
    this.#trim();
    await this.#saveIndex();
    return true;
  }

  /** Lets the least recently used go until all that is here or arriving fits, or nobody is left who may go. */
  #trim(): void {
    let keptBytes = this.#keptBytes;
    for (const { entry } of this.#arriving.values()) keptBytes += entry.bytes;
    while (keptBytes + this.#idle.calculatedSize > this.#options.bytesMax) {
      const entry = this.#idle.pop();
      if (entry === undefined) return;
      this.#counts.evictions += 1;
      this.#remove(entry);
    }
  }

  #remove(entry: Entry): void {
    const { sandbox, logger } = this.#options;
    const name = layerName(entry.digest);
    const removal = sandbox.store
      .remove(name)
      .catch((error: unknown) => {
        logger.warn({ layer: entry.digest, error: toSystemError(error).message }, 'layer not removed');
      })
      .finally(() => this.#leaving.delete(name));
    this.#leaving.set(name, removal);
    this.#saveIndexSoon();
  }

  /** What is here, least recently used first, and what is arriving. */
  #toIndex(): IndexedLayer[] {
    const arriving = [...this.#arriving.values()].map(({ entry }) => entry);
    return [...this.#present(), ...arriving].map(({ digest, bytes, isPinned }) => ({ digest, bytes, isPinned }));
  }

  #present(): Entry[] {
    return [...this.#idle.rvalues(), ...this.#kept.values()].filter((entry) => entry !== undefined);
  }

  #saveIndexSoon(): void {
    this.#indexTimer ??= this.#clock.after(INDEX_DELAY_MS, () => {
      this.#saveIndex().catch((error: unknown) => {
        this.#options.logger.warn({ error: toSystemError(error).message }, 'layer index not written');
      });
    });
  }

  async #saveIndex(): Promise<void> {
    this.#indexTimer?.cancel();
    this.#indexTimer = null;
    await this.#index.write(this.#toIndex());
  }
}

function toUse(manifest: LayerManifest, origin: LayerUse['origin']): LayerUse {
  return { kind: manifest.kind, digest: manifest.tar.digest, bytes: manifest.blob.bytes, origin };
}
