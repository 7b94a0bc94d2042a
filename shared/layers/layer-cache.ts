/**
 * Owns the layers that are on this machine: which are here, who uses them; which go when room is needed is the shelf's choice.
 * Never checks bytes (fetcher, installer, integrity), never touches a layer's files (the launcher does).
 * Invariants: a layer in use or pinned is never removed; the weight of all (what is kept of them) stays within bytesMax unless those alone
 * are heavier; the index names a layer before the store has it, and a layer that the index does not name is removed at start; what was
 * found damaged is never handed out again: it goes when its last user has, and is fetched again at the next use.
 */
import { type Clock, systemClock, systemRandom } from '../clock.ts';
import type { Digest } from '../digest.ts';
import { SystemError, toSystemError } from '../errors.ts';
import type { LayerUse } from '../model/environment.ts';
import type { LayerManifest, LayerReference } from '../model/manifest.ts';
import { toProgress } from './fetch-progress.ts';
import type { LayerCacheGauges, LayerCacheOptions } from './layer-cache-options.ts';
import { type IndexedLayer, LayerIndex } from './layer-index.ts';
import { LayerInstaller } from './layer-installer.ts';
import { checkArchitecture, checkParents, checkScope, layerName, ownerOf } from './layer-manifest.ts';
import { LayerRemovals } from './layer-removals.ts';
import { type DamageListener, LayerScrub } from './layer-scrub.ts';
import { LayerShelf, type ShelvedLayer } from './layer-shelf.ts';
import type { AcquiredLayers, FetchListener, LayerSource } from './layer-source.ts';
import { checkSpecs } from './layer-spec.ts';

type Entry = ShelvedLayer;

/** A layer on its way, and who wants to know how far it is. */
interface Arrival {
  readonly entry: Entry;
  readonly listeners: Set<(bytes: number) => void>;
  arrival: Promise<void>;
  /** Will it be in the store next? Before, another of its name may be there, which is to go. */
  isNamed: boolean;
}

const layerNamePattern = /^sha256-[0-9a-f]{64}$/;

/** The layers of one machine, for one client of its launcher; `start` before anything else. */
export class LayerCache implements LayerSource {
  readonly #options: LayerCacheOptions;
  readonly #clock: Clock;
  readonly #installer: Pick<LayerInstaller, 'install'>;
  readonly #index: LayerIndex;
  readonly #shelf: LayerShelf;
  readonly #scrub: LayerScrub | null;
  readonly #removals: LayerRemovals;
  readonly #arriving = new Map<string, Arrival>();
  /** Damaged or revoked, and still in use. */
  readonly #quarantined = new Map<string, Entry>();
  readonly #counts = { hits: 0, misses: 0, evictions: 0, fetchedBytes: 0 };
  readonly #used = new Set<Digest>();
  #pins: ReadonlySet<string> = new Set();
  #damaged: DamageListener = () => undefined;

  constructor(options: LayerCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#installer = options.installer ?? new LayerInstaller({ ...options, random: options.random ?? systemRandom });
    this.#index = new LayerIndex(options.directory, {
      clock: this.#clock,
      logger: options.logger,
      layers: () => this.#toIndex(),
    });
    const { bytesMax, tenantPercentMax = 100, scrub, logger, sandbox } = options;
    this.#removals = new LayerRemovals({ store: sandbox.store, clock: this.#clock, logger });
    this.#shelf = new LayerShelf({ bytesMax, tenantBytesMax: (bytesMax * tenantPercentMax) / 100 });
    const scrubbing = {
      ...{ clock: this.#clock, logger, held: () => this.held() },
      damaged: (digest: Digest, detail: string) => this.quarantine(digest, detail),
    };
    this.#scrub = scrub === undefined ? null : new LayerScrub({ ...scrub, ...scrubbing });
  }

  /** Takes over what an earlier process left: layers in store and index stay, in their order; what only one of them knows goes. */
  async start(): Promise<void> {
    const { store } = this.#options.sandbox;
    const present = new Set(await store.list());
    const remembered = await this.#index.read();
    for (const { digest, bytes, isPinned, owner = null } of remembered ?? []) {
      if (!present.delete(layerName(digest)) || this.#shelf.find(digest) !== undefined) continue;
      this.#shelf.place({ digest, bytes, users: 0, isPinned, owner });
    }
    this.#pins = new Set(this.#shelf.all().flatMap(({ digest, isPinned }) => (isPinned ? [digest] : [])));
    const unknown = [...present].filter((name) => layerNamePattern.test(name));
    for (const name of unknown) await store.remove(name);
    this.#trim();
    await this.#index.save();
    this.#scrub?.start();
    this.#options.logger.info({ ...this.gauges(), removed: unknown.length }, 'layer cache ready');
  }

  /** Writes the order of use down and stops the timer; layers that are arriving are finished first. Idempotent. */
  async stop(): Promise<void> {
    await this.#scrub?.stop();
    await Promise.allSettled([...this.#arriving.values()].map(({ arrival }) => arrival));
    await this.#removals.stop();
    await this.#index.save();
  }

  acquire(references: readonly LayerReference[], tenantId: string, listener?: FetchListener): Promise<AcquiredLayers> {
    try {
      const manifests = references.map(({ envelope }) => this.#options.trust.open(envelope));
      for (const manifest of manifests) {
        checkScope(manifest, tenantId);
        checkArchitecture(manifest);
      }
      checkParents(manifests);
      checkSpecs(manifests, references);
      return this.#acquire(references, manifests, listener);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Gets layers before they are needed; they are checked as ever, and not held. */
  async prefetch(references: readonly LayerReference[], listener?: FetchListener): Promise<void> {
    const manifests = references.map(({ envelope }) => this.#options.trust.open(envelope));
    checkSpecs(manifests, references);
    const acquired = await this.#acquire(references, manifests, listener);
    acquired.release();
  }

  held(): readonly string[] {
    return this.#shelf.all().map(({ digest }) => digest);
  }

  /** Tar digests that were used since this was asked last. */
  takeUsed(): readonly Digest[] {
    const used = [...this.#used];
    this.#used.clear();
    return used;
  }

  /** Calls the listener, the only one, whenever a layer is found damaged. */
  watch(listener: DamageListener): void {
    this.#damaged = listener;
  }

  /** Puts a layer aside that is not what it was: nobody gets it any more, and it goes with its last user. Nothing happens when it is not here. */
  quarantine(digest: Digest, detail: string): void {
    if (!this.discard(digest)) return;
    this.#options.logger.error({ layer: digest, detail }, 'layer quarantined');
    this.#damaged(digest, detail);
  }

  /** The same for a layer that is not to be used any more for another reason; false when it is not here. */
  discard(digest: Digest): boolean {
    const entry = this.#shelf.find(digest);
    if (entry === undefined) return false;
    this.#shelf.remove(entry);
    if (entry.users === 0) this.#remove(entry);
    else this.#quarantined.set(digest, entry);
    this.#index.saveSoon();
    return true;
  }

  /** From now on exactly these are pinned, be they here or yet to come; resolves when a crash would not change that. */
  async pinExactly(digests: readonly string[]): Promise<void> {
    this.#pins = new Set(digests);
    for (const { entry } of this.#arriving.values()) entry.isPinned = this.#pins.has(entry.digest);
    for (const entry of this.#shelf.all()) {
      if (entry.isPinned === this.#pins.has(entry.digest)) continue;
      entry.isPinned = !entry.isPinned;
      this.#shelf.place(entry);
    }
    this.#trim();
    await this.#index.save();
  }

  gauges(): LayerCacheGauges {
    const { kept, size, bytes } = this.#shelf;
    return {
      layers: size,
      bytes,
      inUse: kept.filter(({ users }) => users > 0).length,
      pinned: kept.filter(({ isPinned }) => isPinned).length,
      ...this.#counts,
    };
  }

  /** When everything is here this runs to its end without waiting for anything: the path of every warm execution. */
  #acquire(
    references: readonly LayerReference[],
    manifests: LayerManifest[],
    listener: FetchListener | undefined,
  ): Promise<AcquiredLayers> {
    const held: Entry[] = [];
    const uses: LayerUse[] = [];
    const missing: number[] = [];
    for (const [index, manifest] of manifests.entries()) {
      const entry = this.#shelf.find(manifest.tar.digest);
      if (entry === undefined) missing.push(index);
      else held.push(this.#hold(entry, manifest));
      this.#used.add(manifest.tar.digest as Digest);
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
    return this.#acquireMissing(references, missing, acquired, held, listener);
  }

  async #acquireMissing(
    references: readonly LayerReference[],
    missing: readonly number[],
    acquired: AcquiredLayers,
    held: Entry[],
    listener: FetchListener | undefined,
  ): Promise<AcquiredLayers> {
    this.#counts.misses += missing.length;
    const told = toProgress(
      missing.map((index) => acquired.manifests[index] as LayerManifest),
      listener,
    );
    const arrivals = missing.map(async (index) => {
      const reference = references[index] as LayerReference;
      const manifest = acquired.manifests[index] as LayerManifest;
      this.#options.trust.checkFresh();
      held.push(await this.#arrive(reference, manifest, told(manifest)));
      acquired.uses[index] = toUse(manifest, reference.origin === 'built' ? 'built' : 'fetched');
    });
    const failed = (await Promise.allSettled(arrivals)).find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return acquired;
    acquired.release();
    throw failed.reason;
  }

  /** The layer, held, once it is here: one fetch however many ask for it. */
  async #arrive(reference: LayerReference, manifest: LayerManifest, told: (bytes: number) => void): Promise<Entry> {
    const digest = manifest.tar.digest as Digest;
    const joined = this.#arriving.get(digest);
    if (joined !== undefined) {
      try {
        return await this.#join(joined, manifest, told);
      } catch {
        // Another's address may have been the reason (an expired one, say); ours is tried as well, once.
      }
    }
    const present = this.#shelf.find(digest);
    if (present !== undefined) return this.#hold(present, manifest);
    const again = this.#arriving.get(digest);
    if (again !== undefined) return await this.#join(again, manifest, told);
    if (this.#quarantined.has(digest)) {
      throw new SystemError(
        'layer-corrupt',
        `layer ${digest} is damaged here and somebody still uses it; try another agent`,
      );
    }
    const entry: Entry = {
      digest,
      bytes: manifest.tar.bytes,
      users: 1,
      isPinned: this.#pins.has(digest),
      owner: ownerOf(manifest),
    };
    const arriving: Arrival = { entry, listeners: new Set([told]), arrival: Promise.resolve(), isNamed: false };
    this.#arriving.set(digest, arriving);
    arriving.arrival = this.#install(arriving, reference, manifest).finally(() => this.#arriving.delete(digest));
    await arriving.arrival;
    return entry;
  }

  async #join(
    { entry, listeners, arrival }: Arrival,
    manifest: LayerManifest,
    told: (bytes: number) => void,
  ): Promise<Entry> {
    entry.users += 1;
    if (entry.owner !== ownerOf(manifest)) entry.owner = null;
    listeners.add(told);
    await arrival;
    return entry;
  }

  async #install(arriving: Arrival, reference: LayerReference, manifest: LayerManifest): Promise<void> {
    const { fetcher, logger } = this.#options;
    const { entry, listeners } = arriving;
    const name = layerName(entry.digest);
    const startedAtMs = this.#clock.monotonicMs();
    await this.#removals.gone(name);
    const blob = await fetcher.fetch(reference.url, manifest.blob, (bytes) => {
      for (const told of listeners) told(bytes);
    });
    const fetchedAtMs = this.#clock.monotonicMs();
    try {
      this.#trim();
      arriving.isNamed = true;
      // Named in the index first: a layer that a crash leaves in the store without its line would be removed at start.
      await this.#index.save();
      entry.bytes = (await this.#installer.install(blob, manifest)).bytes;
    } catch (error) {
      logger.warn({ layer: entry.digest, key: manifest.key, error: toSystemError(error).message }, 'layer refused');
      throw error;
    } finally {
      await blob.close();
    }
    this.#arriving.delete(entry.digest);
    this.#shelf.place(entry);
    this.#counts.fetchedBytes += manifest.blob.bytes;
    const fetchMs = Math.round(fetchedAtMs - startedAtMs);
    const installMs = Math.round(this.#clock.monotonicMs() - fetchedAtMs);
    logger.info({ layer: entry.digest, bytes: entry.bytes, fetchMs, installMs }, 'layer arrived');
    this.#trim();
    // It is here and in use, whether its weight can be written down or not; its line is there.
    await this.#index.save().catch((error: unknown) => {
      logger.warn({ error: toSystemError(error).message }, 'layer index not written');
    });
  }

  #hold(entry: Entry, manifest: LayerManifest): Entry {
    entry.users += 1;
    if (entry.owner !== ownerOf(manifest)) entry.owner = null;
    this.#shelf.place(entry);
    this.#index.saveSoon();
    return entry;
  }

  #letGo(entry: Entry): void {
    entry.users -= 1;
    if (this.#quarantined.get(entry.digest) === entry) {
      if (entry.users > 0) return;
      this.#quarantined.delete(entry.digest);
      this.#remove(entry);
      return;
    }
    if (entry.users === 0) this.#shelf.place(entry);
    this.#trim();
  }

  /** Lets one after the other go until all that is here, put aside or arriving fits, or nobody is left who may go. */
  #trim(): void {
    const others = [...this.#quarantined.values(), ...[...this.#arriving.values()].map(({ entry }) => entry)];
    for (let entry = this.#shelf.victim(others); entry !== null; entry = this.#shelf.victim(others)) {
      this.#counts.evictions += 1;
      this.#remove(entry);
    }
  }

  #remove(entry: Entry): void {
    this.#removals.remove(layerName(entry.digest));
    this.#index.saveSoon();
  }

  /** What is here, least recently used first, and what comes next. */
  #toIndex(): IndexedLayer[] {
    const arriving = [...this.#arriving.values()].flatMap(({ entry, isNamed }) => (isNamed ? [entry] : []));
    return [...this.#shelf.all(), ...arriving].map(({ digest, bytes, isPinned, owner }) => ({
      digest,
      bytes,
      isPinned,
      owner,
    }));
  }
}

function toUse(manifest: LayerManifest, origin: LayerUse['origin']): LayerUse {
  return { kind: manifest.kind, digest: manifest.tar.digest, bytes: manifest.blob.bytes, origin };
}
