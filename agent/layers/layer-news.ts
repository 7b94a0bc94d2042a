/**
 * Owns what the agent says about its layers beyond its report: how far downloads are, which were used, which were found damaged.
 * Never fetches or keeps a layer (the cache does). Invariant: damage is told, if need be after the next welcome; progress may be lost.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Digest } from '../../shared/digest.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { LayerCache } from '../../shared/layers/layer-cache.ts';
import type { FetchListener } from '../../shared/layers/layer-source.ts';
import type { Logger } from '../../shared/logger.ts';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import type { Received } from '../connection/session.ts';

/** What it listens to and how it speaks. */
export interface LayerNewsNeeds {
  readonly layers: Pick<LayerCache, 'prefetch' | 'takeUsed' | 'watch'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Not more often than people can read it. */
const INTERVAL_MS = 250;
/** Damage that waits to be told; a machine with more needs somebody to look at it anyway. */
const DAMAGED_MAX = 1000;

/** News of layers for the coordinator; `send` says whether it got through. */
export class LayerNews {
  readonly #needs: LayerNewsNeeds;
  readonly #send: (message: AgentMessage) => boolean;
  readonly #damaged: { readonly digest: Digest; readonly detail: string }[] = [];

  constructor(needs: LayerNewsNeeds, send: (message: AgentMessage) => boolean) {
    this.#needs = needs;
    this.#send = send;
    needs.layers.watch((digest, detail) => {
      if (this.#damaged.length < DAMAGED_MAX) this.#damaged.push({ digest, detail });
      this.welcomed();
    });
  }

  /** Tells what could not be told before. */
  welcomed(): void {
    for (let next = this.#damaged[0]; next !== undefined; next = this.#damaged[0]) {
      if (!this.#send({ type: 'layer.damaged', ...next })) return;
      this.#damaged.shift();
    }
  }

  /** What the report says about use. */
  used(): { layersUsed?: Digest[] } {
    const used = [...this.#needs.layers.takeUsed()];
    return used.length === 0 ? {} : { layersUsed: used };
  }

  /** A listener that passes on what is worth telling, and always the end. */
  atIntervals(listener: FetchListener): FetchListener {
    let toldAtMs = Number.NEGATIVE_INFINITY;
    return (bytes, bytesTotal) => {
      const nowMs = this.#needs.clock.monotonicMs();
      if (bytes < bytesTotal && nowMs - toldAtMs < INTERVAL_MS) return;
      toldAtMs = nowMs;
      listener(bytes, bytesTotal);
    };
  }

  /** Gets the layers and tells how far it is; never rejects. */
  async prefetch({ prefetch, layers }: Received<'layers.prefetch'>): Promise<void> {
    let latest = { bytes: 0, bytesTotal: 0 };
    const tell = (end: { isDone: boolean; failure: { code: string; detail: string } | null }) =>
      this.#send({ type: 'layers.progress', prefetch, ...latest, ...end });
    const told = this.atIntervals(() => tell({ isDone: false, failure: null }));
    try {
      await this.#needs.layers.prefetch(layers, (bytes, bytesTotal) => {
        latest = { bytes, bytesTotal };
        told(bytes, bytesTotal);
      });
      tell({ isDone: true, failure: null });
    } catch (error) {
      const { code, message } = toSystemError(error);
      this.#needs.logger.warn({ prefetch, code, detail: message }, 'prefetch failed');
      tell({ isDone: true, failure: { code, detail: message } });
    }
  }
}
