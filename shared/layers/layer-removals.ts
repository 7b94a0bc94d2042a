/**
 * Owns taking layers out of the launcher's store: what could not be taken out is tried again until it is gone. Never chooses a layer.
 * Invariant: whoever has waited for `gone` finds nothing under that name that was to be removed.
 */
import type { Clock, Timer } from '../clock.ts';
import { SystemError, toSystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { LayerStore } from '../sandbox/sandbox.ts';

/** Neighbours of removals. */
export interface LayerRemovalsOptions {
  readonly store: Pick<LayerStore, 'remove' | 'list'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A launcher that could not do it may be there again then. */
const AGAIN_MS = 5000;

/** The layers of one cache that are to go. */
export class LayerRemovals {
  readonly #options: LayerRemovalsOptions;
  readonly #leaving = new Map<string, Promise<void>>();
  /** What was tried, and may be there still. */
  readonly #stuck = new Set<string>();
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(options: LayerRemovalsOptions) {
    this.#options = options;
  }

  /** Takes it out, now or later. Idempotent. */
  remove(name: string): void {
    if (!this.#leaving.has(name)) this.#leaving.set(name, this.#take(name));
  }

  /** Resolves when a layer may take this name; SystemError `sandbox-failed` when what is to be removed has it still. */
  async gone(name: string): Promise<void> {
    await this.#leaving.get(name);
    if (!this.#stuck.has(name)) return;
    this.remove(name);
    await this.#leaving.get(name);
    if (this.#stuck.has(name))
      throw new SystemError('sandbox-failed', `${name} was to be removed and can't be; see the log`);
  }

  /** Resolves when nothing is being removed; what is stuck goes at the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await Promise.all(this.#leaving.values());
  }

  async #take(name: string): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      // A launcher that was gone before it could say so may have done it.
      if (!this.#stuck.has(name) || (await store.list()).includes(name)) await store.remove(name);
      this.#stuck.delete(name);
    } catch (error) {
      logger.warn({ layer: name, error: toSystemError(error).message }, 'layer not removed');
      this.#stuck.add(name);
      if (!this.#isStopped) this.#timer ??= clock.after(AGAIN_MS, () => this.#again());
    }
    this.#leaving.delete(name);
  }

  #again(): void {
    this.#timer = null;
    for (const name of this.#stuck) this.remove(name);
  }
}
