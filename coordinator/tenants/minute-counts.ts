/**
 * Owns how many executions of each tenant have begun in the present minute of the clock. Never refuses: admission does.
 * Invariant: what is kept is of one minute, so that tenants that are silent cost nothing.
 */
import type { Clock } from '../../shared/clock.ts';

const MINUTE_MS = 60_000;

/** See the head of this file. */
export class MinuteCounts {
  readonly #clock: Pick<Clock, 'nowMs'>;
  #minute = 0;
  #counts = new Map<string, number>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  /** In the present minute. */
  of(tenantId: string): number {
    const minute = Math.floor(this.#clock.nowMs() / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts = new Map();
    }
    return this.#counts.get(tenantId) ?? 0;
  }

  /** So many more; less than nothing when they are not wanted after all. */
  add(tenantId: string, count = 1): void {
    // First: in a new minute it begins new counts.
    const before = this.of(tenantId);
    this.#counts.set(tenantId, Math.max(0, before + count));
  }

  /** Until the next minute begins; milliseconds. */
  get leftMs(): number {
    return MINUTE_MS - (this.#clock.nowMs() % MINUTE_MS);
  }
}
