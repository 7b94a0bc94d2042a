/**
 * Owns what a demand will probably cost, learnt from what others like it have cost: by tenant and environment, else by tenant, else by all.
 * Never bounds anything: an estimate that is wrong is settled afterwards. Durations in milliseconds of one slot.
 */
import { LRUCache } from 'lru-cache';

const REMEMBERED_MAX = 20_000;
/** Weight of the newest observation in a moving average. */
const GAIN = 1 / 8;
const FIRST_MS = 1000;
const LEAST_MS = 1;

/** Moving averages of durations. */
export class CostEstimates {
  readonly #means = new LRUCache<string, number>({ max: REMEMBERED_MAX });
  #meanMs = FIRST_MS;

  /** Over everything, for whoever has no better guess. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** What this kind of work of a tenant will take, and at most `durationMsMax`. */
  estimate(tenantId: string, kind: string, durationMsMax: number): number {
    const mean = this.#means.get(`${tenantId} ${kind}`) ?? this.#means.get(tenantId) ?? this.#meanMs;
    return Math.max(LEAST_MS, Math.min(mean, durationMsMax));
  }

  /** What it did take. */
  learn(tenantId: string, kind: string, durationMs: number): void {
    for (const key of [`${tenantId} ${kind}`, tenantId]) {
      const before = this.#means.get(key);
      this.#means.set(key, before === undefined ? durationMs : before + (durationMs - before) * GAIN);
    }
    this.#meanMs += ((durationMs - this.#meanMs) * GAIN) / 2;
  }
}
