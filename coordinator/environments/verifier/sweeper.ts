/**
 * Owns removing from the store: chosen manifests first, then provenance and blobs that no manifest needs any more (mark and sweep).
 * Never removes a manifest on whose layer another one stands, never an object younger than the grace, never one that a publication relies on.
 * Invariants: what remains readable is whole at every moment, kill -9 included, because manifests go first; what is left over goes with the next sweep.
 */
import type { Clock } from '../../../shared/clock.ts';
import { SystemError } from '../../../shared/errors.ts';
import { blobKey, decodeEnvelope, ENVELOPE_BYTES_MAX, provenanceKey } from '../../../shared/layers/layer-manifest.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { LayerManifest } from '../../../shared/model/manifest.ts';
import type { SweepOrder, SweepResult } from '../../../shared/model/sweep.ts';
import { type ObjectStore, readObject } from '../../../shared/storage/object-store.ts';
import type { PublicationsUnderWay } from './publications-under-way.ts';

/** Neighbours of a sweeper; `store` lists and deletes, and is null when this process has no purger's credential. */
export interface SweeperOptions {
  readonly store: Pick<ObjectStore, 'get' | 'list' | 'delete'> | null;
  readonly underWay: PublicationsUnderWay;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
}

type Store = NonNullable<SweeperOptions['store']>;

/** What a manifest needs, as far as it can be read; null: it can't, so nothing is known about it. */
type Needs = Pick<LayerManifest, 'blob' | 'tar' | 'parents' | 'provenance'> | null;

/** Removes what is not needed; one sweep at a time. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Carries a sweep out; SystemError `forbidden` when this process may not delete, `object-store-unavailable` when it stopped half way. */
  sweep(order: SweepOrder): Promise<SweepResult> {
    const { store } = this.#options;
    if (store === null) {
      return Promise.reject(
        new SystemError(
          'forbidden',
          "the verifier has no purger's credentials: set minioPurgerAccessKey and minioPurgerSecretKey there",
        ),
      );
    }
    const turn = this.#last.then(() => this.#sweep(store, order));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #sweep(store: Store, order: SweepOrder): Promise<SweepResult> {
    const { underWay, logger } = this.#options;
    underWay.beginSweep();
    try {
      const all = await readManifests(store);
      const { going, kept } = choose(all, order.manifests);
      const removed: string[] = [];
      const freed = new Set<string>();
      for (const key of going) {
        if (!order.isRehearsal && !(await this.#remove(store, key))) continue;
        for (const object of neededBy(all.get(key) ?? null)) freed.add(object);
        all.delete(key);
        removed.push(key);
      }
      const loose = await this.#sweepLoose(store, order, all, freed);
      const result = { removed, kept, ...loose };
      const { blobs, provenances, bytes } = result;
      logger.info(
        { manifests: removed, kept, blobs, provenances, bytes, isRehearsal: order.isRehearsal },
        'store swept',
      );
      return result;
    } finally {
      underWay.endSweep();
    }
  }

  /**
   * A manifest that can't be read may need anything: then no blob and no provenance goes. What a manifest that has just gone needed is no
   * publication under way, so it has no grace.
   */
  async #sweepLoose(
    store: Store,
    order: SweepOrder,
    live: ReadonlyMap<string, Needs>,
    freed: ReadonlySet<string>,
  ): Promise<Pick<SweepResult, 'blobs' | 'provenances' | 'bytes' | 'bytesLeft'>> {
    const needed = new Set<string>();
    let isAllKnown = true;
    for (const needs of live.values()) {
      if (needs === null) isAllKnown = false;
      for (const object of neededBy(needs)) needed.add(object);
    }
    const youngestMs = this.#options.clock.nowMs() - order.graceMs;
    const counted = { blobs: 0, provenances: 0, bytes: 0, bytesLeft: 0 };
    for (const prefix of ['provenance/', 'cas/']) {
      for await (const { key, bytes, storedAtMs } of store.list(prefix)) {
        const isLoose = isAllKnown && !needed.has(key) && (freed.has(key) || storedAtMs <= youngestMs);
        const isGone = isLoose && (order.isRehearsal || (await this.#remove(store, key)));
        if (isGone) counted.bytes += bytes;
        if (isGone) counted[prefix === 'cas/' ? 'blobs' : 'provenances'] += 1;
        else if (prefix === 'cas/') counted.bytesLeft += bytes;
      }
    }
    return counted;
  }

  #remove(store: Store, key: string): Promise<boolean> {
    return this.#options.underWay.remove(key, () => store.delete(key));
  }
}

async function readManifests(store: Store): Promise<Map<string, Needs>> {
  const all = new Map<string, Needs>();
  for await (const { key } of store.list('manifests/')) {
    const stored = await readObject(store as ObjectStore, key, ENVELOPE_BYTES_MAX);
    if (stored !== null) all.set(key, toNeeds(stored));
  }
  return all;
}

/** Unverified on purpose: what a forged manifest claims to need is at worst kept too long. */
function toNeeds(stored: Uint8Array): Needs {
  try {
    const { blob, tar, parents, provenance } = JSON.parse(
      Buffer.from(decodeEnvelope(stored).payload, 'base64').toString('utf8'),
    ) as LayerManifest;
    blobKey(blob.digest);
    if (provenance !== null) provenanceKey(provenance);
    return { blob, tar, parents: [...parents], provenance };
  } catch {
    return null;
  }
}

function neededBy(needs: Needs): string[] {
  if (needs === null) return [];
  const blob = blobKey(needs.blob.digest);
  return needs.provenance === null ? [blob] : [blob, provenanceKey(needs.provenance)];
}

/** Of the wanted, those that nobody stands on who stays; a child that goes as well does not hold its parents. */
export function choose(
  all: ReadonlyMap<string, Needs>,
  wanted: readonly string[],
): { readonly going: readonly string[]; readonly kept: SweepResult['kept'] } {
  const going = new Set(wanted.filter((key) => all.has(key)));
  const kept: SweepResult['kept'] = [];
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    const stoodOn = new Set<string>();
    for (const [key, needs] of all) if (!going.has(key)) for (const parent of needs?.parents ?? []) stoodOn.add(parent);
    for (const key of going) {
      const digest = all.get(key)?.tar.digest;
      if (digest === undefined || !stoodOn.has(digest)) continue;
      going.delete(key);
      kept.push({ manifest: key, reason: 'needed-by-child' });
      isSettled = false;
    }
  }
  return { going: [...going], kept };
}
