/**
 * Owns how much is stored for each tenant, as it was measured a moment ago, and refusing more above its bound. Never removes anything.
 * Invariants: a tenant is measured at most once in `storedBytesAgeMsMax`, however much it asks for; without a bound nobody is measured for a request.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { UsageStore } from '../executions/tenant-store.ts';
import { toRetrySeconds } from '../scheduler/scheduler.ts';

/** What is needed. */
export interface StoredBytesDeps {
  readonly clock: Clock;
  readonly store: Pick<UsageStore, 'storedBytes'>;
  /** 0: no bound. */
  readonly maxOf: (tenantId: string) => number;
  /** Hears of every measurement. */
  readonly measured: (tenantId: string, bytes: number) => void;
}

interface Measurement {
  readonly atMs: number;
  readonly bytes: Promise<number>;
}

const TENANTS_MAX = 10_000;

/** See the head of this file. */
export class StoredBytes {
  readonly #deps: StoredBytesDeps;
  readonly #ageMsMax: number;
  readonly #known = new LRUCache<string, Measurement>({ max: TENANTS_MAX });

  constructor(deps: StoredBytesDeps, options: { storedBytesAgeMsMax: number }) {
    this.#deps = deps;
    this.#ageMsMax = options.storedBytesAgeMsMax;
  }

  /** SystemError `state-store-unavailable`. */
  of(tenantId: string): Promise<number> {
    return this.#measure(tenantId).bytes;
  }

  #measure(tenantId: string): Measurement {
    const { clock, store, measured } = this.#deps;
    const nowMs = clock.monotonicMs();
    const known = this.#known.get(tenantId);
    if (known !== undefined && nowMs - known.atMs < this.#ageMsMax) return known;
    const bytes = store.storedBytes(tenantId, `tenant-${tenantId}`);
    const measurement = { atMs: nowMs, bytes };
    this.#known.set(tenantId, measurement);
    bytes.then(
      (found) => measured(tenantId, found),
      () => this.#known.delete(tenantId),
    );
    return measurement;
  }

  /** SystemError `quota-exceeded` when the tenant has as much stored as it may. */
  async check(tenantId: string): Promise<void> {
    const max = this.#deps.maxOf(tenantId);
    if (max === 0) return;
    const { bytes, atMs } = this.#measure(tenantId);
    const stored = await bytes;
    if (stored < max) return;
    const retryAfterSeconds = toRetrySeconds(atMs + this.#ageMsMax - this.#deps.clock.monotonicMs());
    const detail = `${stored} bytes of tenant ${tenantId} are stored and at most ${max} may be; it is measured again in ${retryAfterSeconds} s`;
    throw new SystemError('quota-exceeded', detail, { retryAfterSeconds });
  }
}
