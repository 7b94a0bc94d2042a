/**
 * Owns what an agent counts of its layers and disk, for reports: the cache's numbers of this moment, the disk's newest at hand, looked at again at
 * most once in a while. Never waits for the disk.
 */
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../shared/clock.ts';
import type { LayerCache } from '../../shared/layers/layer-cache.ts';
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';

const INTERVAL_MS = 10_000;

/** See the head of this file. */
export class LayerCounts {
  readonly #layers: Pick<LayerCache, 'gauges'>;
  readonly #directory: string;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #disk: Pick<AgentCounts, 'diskBytes' | 'diskFreeBytes'> | null = null;
  #dueMs = Number.NEGATIVE_INFINITY;

  /** `directory`: of the agent's state. */
  constructor(layers: Pick<LayerCache, 'gauges'>, directory: string, clock: Pick<Clock, 'monotonicMs'>) {
    this.#layers = layers;
    this.#directory = directory;
    this.#clock = clock;
    this.#look();
  }

  /** Null: the disk has not been looked at yet. */
  latest(): AgentCounts | null {
    this.#look();
    if (this.#disk === null) return null;
    const { hits, misses, evictions, fetchedBytes, bytes: layerBytes } = this.#layers.gauges();
    return { hits, misses, evictions, fetchedBytes, layerBytes, ...this.#disk };
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + INTERVAL_MS;
    statfs(this.#directory).then(
      ({ blocks, bavail, bsize }) => {
        this.#disk = { diskBytes: blocks * bsize, diskFreeBytes: bavail * bsize };
      },
      () => undefined, // whoever writes there is told
    );
  }
}
