/**
 * Owns who is let in: how fast a tenant may ask, how many of its executions may wait, and whether one more could be served in time. Refuses
 * before anything is recorded, with the time after which asking again has a chance.
 * Never queues and never serves. Invariant: however much one tenant asks for, others find room: what one may have waiting shrinks with the
 * room that is left (dynamic thresholds, Choudhury and Hahne 1998).
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Quotas } from '../../shared/model/tenant.ts';
import { type Scheduler, toRetrySeconds } from '../scheduler/scheduler.ts';
import type { Tenant } from '../tenants/keys.ts';
import { MinuteCounts } from '../tenants/minute-counts.ts';

/** Bounds of everybody; a tenant may have its own. */
export interface AdmissionOptions {
  /** Executions that may wait for an agent or an environment, of all tenants together. */
  readonly queueDepthMax: number;
  /** Of one tenant, in a second and at once; 0: no bound. */
  readonly tenantExecutionsPerSecondMax: number;
  readonly tenantExecutionsBurstMax: number;
  /** Is there one tenant only, who may have all of the queue? */
  readonly isEmbedded: boolean;
}

/** Why somebody was not let in. */
export type AdmissionRefusal = 'rate' | 'queue' | 'time';

/** What admission needs. */
export interface AdmissionDeps {
  readonly clock: Clock;
  readonly scheduler: Pick<Scheduler, 'forecast'>;
  /** Bounds of one tenant; 0: none. Absent: only how many of its executions wait, as the tenants file says. */
  readonly quotasOf?: (tenant: Tenant) => Pick<Required<Quotas>, 'queueDepthMax' | 'executionsPerMinuteMax'>;
  /** For counters. */
  readonly refused?: (reason: AdmissionRefusal) => void;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const BUCKETS_MAX = 10_000;
/** A tenant alone gets two thirds of the queue, two get two fifths each. */
const THRESHOLD = 2;

/** See the head of this file. */
export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #options: AdmissionOptions;
  readonly #buckets = new LRUCache<string, Bucket>({ max: BUCKETS_MAX });
  /** Tenants with something that waits. */
  readonly #waiting = new Map<string, { weight: number; count: number }>();
  readonly #minute: MinuteCounts;
  #total = 0;

  constructor(deps: AdmissionDeps, options: AdmissionOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#minute = new MinuteCounts(deps.clock);
  }

  /** Executions that wait. */
  get waiting(): number {
    return this.#total;
  }

  /** How many of a tenant's wait. */
  waitingOf(tenantId: string): number {
    return this.#waiting.get(tenantId)?.count ?? 0;
  }

  /** How many of a tenant's have begun in the present minute of the clock. */
  begunInMinute(tenantId: string): number {
    return this.#minute.of(tenantId);
  }

  /** Throws SystemError `rate-exceeded` or `queue-full` unless one more execution that may wait this long has a chance. */
  admit(tenant: Tenant, waitMsMax: number): void {
    this.#checkQueue(tenant);
    this.#checkTime(tenant, waitMsMax);
    this.#checkMinute(tenant);
    // Last, so that what is refused otherwise takes no token.
    this.#takeToken(tenant);
    this.#minute.add(tenant.id);
  }

  /** An execution waits from now on. */
  entered({ id, weight }: Tenant): void {
    const count = (this.#waiting.get(id)?.count ?? 0) + 1;
    this.#waiting.set(id, { weight, count });
    this.#total += 1;
  }

  /** It does not wait any more. */
  left({ id, weight }: Tenant): void {
    const count = (this.#waiting.get(id)?.count ?? 0) - 1;
    if (count > 0) this.#waiting.set(id, { weight, count });
    else this.#waiting.delete(id);
    this.#total -= 1;
  }

  #checkQueue(tenant: Tenant): void {
    const { queueDepthMax, isEmbedded } = this.#options;
    const own = this.#waiting.get(tenant.id)?.count ?? 0;
    const heaviest = Math.max(tenant.weight, ...[...this.#waiting.values()].map(({ weight }) => weight));
    const room = queueDepthMax - this.#total;
    const share = isEmbedded ? Number.POSITIVE_INFINITY : Math.ceil((THRESHOLD * room * tenant.weight) / heaviest);
    const depthMax = this.#quotasOf(tenant).queueDepthMax || Number.POSITIVE_INFINITY;
    const ownMax = Math.min(depthMax, share);
    if (room > 0 && own < ownMax) return;
    const { meanMs } = this.#deps.scheduler.forecast(tenant.id, tenant.weight);
    const over = room > 0 ? own - ownMax + 1 : 1 - room;
    const what =
      room > 0
        ? `${own} executions of tenant ${tenant.id} wait and at most ${ownMax} may now`
        : `${this.#total} executions wait and at most ${queueDepthMax} may`;
    throw this.#refuse('queue', 'queue-full', what, over * meanMs);
  }

  /** What would be given up in the queue is not let into it. */
  #checkTime(tenant: Tenant, waitMsMax: number): void {
    const { slots, waitMs } = this.#deps.scheduler.forecast(tenant.id, tenant.weight);
    // Without an agent nobody knows: one may come, and the wait has its own bound.
    if (slots === 0 || waitMs <= waitMsMax) return;
    const what = `this would wait for about ${Math.ceil(waitMs / 1000)} s and may wait for ${waitMsMax / 1000} s`;
    throw this.#refuse('time', 'queue-full', what, waitMs - waitMsMax);
  }

  #quotasOf(tenant: Tenant) {
    const { quotasOf = ({ queueDepthMax = 0 }) => ({ queueDepthMax, executionsPerMinuteMax: 0 }) } = this.#deps;
    return quotasOf(tenant);
  }

  #checkMinute(tenant: Tenant): void {
    const { executionsPerMinuteMax: max } = this.#quotasOf(tenant);
    if (max === 0 || this.#minute.of(tenant.id) < max) return;
    const what = `tenant ${tenant.id} may begin ${max} executions in a minute of the clock and has`;
    throw this.#refuse('rate', 'rate-exceeded', what, this.#minute.leftMs);
  }

  #takeToken(tenant: Tenant): void {
    const rate = tenant.executionsPerSecondMax ?? this.#options.tenantExecutionsPerSecondMax;
    if (rate === 0) return;
    const burst = Math.max(1, tenant.executionsBurstMax ?? this.#options.tenantExecutionsBurstMax);
    const nowMs = this.#deps.clock.monotonicMs();
    const bucket = this.#buckets.get(tenant.id) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * rate) / 1000);
    const isGiven = tokens >= 1;
    this.#buckets.set(tenant.id, { tokens: isGiven ? tokens - 1 : tokens, atMs: nowMs });
    if (isGiven) return;
    const what = `tenant ${tenant.id} may begin ${rate} executions in a second and ${burst} at once`;
    throw this.#refuse('rate', 'rate-exceeded', what, ((1 - tokens) / rate) * 1000);
  }

  #refuse(reason: AdmissionRefusal, code: 'queue-full' | 'rate-exceeded', what: string, waitMs: number): SystemError {
    this.#deps.refused?.(reason);
    const retryAfterSeconds = toRetrySeconds(waitMs);
    return new SystemError(code, `${what}; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}
