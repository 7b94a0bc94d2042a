/**
 * Owns checking the layers of a cache again while they lie there: one at each interval, the one that was checked longest ago first.
 * Never knows how a layer is checked (LayerIntegrity) nor what becomes of a damaged one (the cache puts it aside).
 * Invariant: one check at a time; a check that fails for another reason than the layer's bytes says nothing about the layer.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Digest } from '../digest.ts';
import { toSystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** Who can tell whether a layer on this machine still has the bytes that were signed; offered by whoever installs layers. */
export interface LayerIntegrity {
  /** Reads the whole layer; `unchecked` when its form tells nothing. Rejects when it could not be read for a reason that is not the layer's. */
  check(digest: Digest): Promise<'sound' | 'damaged' | 'unchecked'>;
}

/** Hears that a layer was found damaged. */
export type DamageListener = (digest: Digest, detail: string) => void;

/** Neighbours and settings of a scrub. */
export interface LayerScrubOptions {
  readonly integrity: LayerIntegrity;
  readonly intervalMs: number;
  /** Layers that are here. */
  readonly held: () => readonly string[];
  readonly damaged: DamageListener;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A background check of all layers in turn. */
export class LayerScrub {
  readonly #options: LayerScrubOptions;
  /** Number of the last check of each layer. */
  readonly #checked = new Map<string, number>();
  #number = 0;
  #timer: Timer | null = null;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: LayerScrubOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#running = this.#checkNext().finally(() => this.start());
    });
  }

  /** Resolves when no check is under way any more. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #checkNext(): Promise<void> {
    const { integrity, held, damaged, logger } = this.#options;
    const present = held();
    const here = new Set(present);
    for (const digest of this.#checked.keys()) if (!here.has(digest)) this.#checked.delete(digest);
    const [next] = present.toSorted((one, other) => this.#age(one) - this.#age(other));
    if (next === undefined) return;
    this.#checked.set(next, ++this.#number);
    try {
      if ((await integrity.check(next as Digest)) === 'damaged') {
        damaged(next as Digest, 'a check of its bytes found others than were signed');
      }
    } catch (error) {
      logger.warn({ layer: next, reason: toSystemError(error).message }, 'layer not checked');
    }
  }

  #age(digest: string): number {
    return this.#checked.get(digest) ?? 0;
  }
}
