/**
 * Owns who is let in: how fast a tenant may ask, how many of its executions may wait, and whether one more, or a batch, could be served in time.
 * Refuses before anything is recorded, with the time after which asking again has a chance; a batch that never has one is refused as such.
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

/** How often, by why. */
export type RefusalCounts = Readonly<Record<AdmissionRefusal, number>>;

const noRefusals: RefusalCounts = { rate: 0, queue: 0, time: 0 };

/** What admission needs. */
export interface AdmissionDeps {
  readonly clock: Clock;
  readonly scheduler: Pick<Scheduler, 'forecast'>;
  /** Bounds of one tenant; 0: none. Absent: only how many of its executions wait, as the tenants file says. */
  readonly quotasOf?: (tenant: Tenant) => Pick<Required<Quotas>, 'queueDepthMax' | 'executionsPerMinuteMax'>;
  /** For counters. */
  readonly refused?: (reason: AdmissionRefusal, tenantId: string) => void;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const BUCKETS_MAX = 10_000;
/** A tenant alone gets two thirds of the queue, two get two fifths each. */
const THRESHOLD = 2;

const RATE_RETRY_SECONDS_MAX = 86_400;

function toExactSeconds(waitMs: number): number {
  return Math.min(RATE_RETRY_SECONDS_MAX, Math.max(1, Math.ceil(waitMs / 1000)));
}

/** See the head of this file. */
export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #options: AdmissionOptions;
  readonly #buckets = new LRUCache<string, Bucket>({ max: BUCKETS_MAX });
  /** Tenants with something that waits. */
  readonly #waiting = new Map<string, { weight: number; count: number }>();
  readonly #refusals = new LRUCache<string, RefusalCounts>({ max: BUCKETS_MAX });
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

  /** How many of each tenant's wait, of those of whom some do. */
  *waitingByTenant(): IterableIterator<readonly [tenantId: string, count: number]> {
    for (const [tenantId, { count }] of this.#waiting) yield [tenantId, count];
  }

  /** How many of a tenant's wait. */
  waitingOf(tenantId: string): number {
    return this.#waiting.get(tenantId)?.count ?? 0;
  }

  /** How often a tenant was refused since the start, as far back as is remembered. */
  refusalsOf(tenantId: string): RefusalCounts {
    return this.#refusals.peek(tenantId) ?? noRefusals;
  }

  /** How many of a tenant's have begun in the present minute of the clock. */
  begunInMinute(tenantId: string): number {
    return this.#minute.of(tenantId);
  }

  /**
   * Throws SystemError `rate-exceeded` or `queue-full` unless so many executions more, of which one may wait this long and no other less, have a chance:
   * all of them or none. `request-invalid` when there are more than could ever wait here at once.
   */
  admit(tenant: Tenant, waitMsMax: number, count = 1): void {
    this.#checkSize(tenant, count);
    this.#checkQueue(tenant, count);
    this.#checkTime(tenant, waitMsMax, count);
    this.#checkMinute(tenant, count);
    // Last, so that what is refused otherwise takes no token.
    this.#takeTokens(tenant, count);
    this.#minute.add(tenant.id, count);
  }

  /** What was admitted is not wanted after all: it counts against nobody's rate. */
  giveBack(tenant: Tenant, count: number): void {
    const bucket = this.#buckets.get(tenant.id);
    if (bucket !== undefined) bucket.tokens += count;
    this.#minute.add(tenant.id, -count);
  }

  /** So many executions wait from now on. */
  entered({ id, weight }: Tenant, count = 1): void {
    const own = (this.#waiting.get(id)?.count ?? 0) + count;
    this.#waiting.set(id, { weight, count: own });
    this.#total += count;
  }

  /** They do not wait any more. */
  left({ id, weight }: Tenant, count = 1): void {
    const own = (this.#waiting.get(id)?.count ?? 0) - count;
    if (own > 0) this.#waiting.set(id, { weight, count: own });
    else this.#waiting.delete(id);
    this.#total -= count;
  }

  /** How many of a tenant's may wait while `waiting` of all do. */
  #ownMax(tenant: Tenant, waiting: number, heaviest: number): number {
    const { queueDepthMax, isEmbedded } = this.#options;
    const room = queueDepthMax - waiting;
    const share = isEmbedded ? Number.POSITIVE_INFINITY : Math.ceil((THRESHOLD * room * tenant.weight) / heaviest);
    return Math.min(this.#quotasOf(tenant).queueDepthMax || Number.POSITIVE_INFINITY, share);
  }

  /** A batch that an empty queue has no room for is not told to come again. */
  #checkSize(tenant: Tenant, count: number): void {
    const fits = (all: number) =>
      all <= this.#options.queueDepthMax && all - 1 < this.#ownMax(tenant, all - 1, tenant.weight);
    if (count === 1 || fits(count)) return;
    let countMax = 1;
    while (fits(countMax + 1)) countMax += 1;
    const detail = `holds ${count} executions, and of tenant ${tenant.id} at most ${countMax} may wait at once here: send smaller batches, or have the operator raise queueDepthMax`;
    throw new SystemError('request-invalid', `/executions ${detail}`, {
      errors: [{ pointer: '/executions', detail }],
    });
  }

  #checkQueue(tenant: Tenant, count: number): void {
    const { queueDepthMax } = this.#options;
    // As the last of them would find it.
    const before = count - 1;
    const own = (this.#waiting.get(tenant.id)?.count ?? 0) + before;
    const heaviest = Math.max(tenant.weight, ...[...this.#waiting.values()].map(({ weight }) => weight));
    const room = queueDepthMax - this.#total - before;
    const ownMax = this.#ownMax(tenant, this.#total + before, heaviest);
    if (room > 0 && own < ownMax) return;
    const { meanMs } = this.#deps.scheduler.forecast(tenant.id, tenant.weight);
    const over = room > 0 ? own - ownMax + 1 : 1 - room;
    const more = count === 1 ? '' : `, and ${count} more are too many`;
    const what =
      room > 0
        ? `${own - before} executions of tenant ${tenant.id} wait and at most ${Math.max(0, ownMax - before)} may now${more}`
        : `${this.#total} executions wait and at most ${queueDepthMax} may${more}`;
    throw this.#refuse(tenant.id, 'queue', what, over * meanMs);
  }

  /** What would be given up in the queue is not let into it; the last of a batch waits for the others, too. */
  #checkTime(tenant: Tenant, waitMsMax: number, count: number): void {
    const { slots, waitMs: aheadMs, meanMs } = this.#deps.scheduler.forecast(tenant.id, tenant.weight);
    const waitMs = aheadMs + (count - 1) * meanMs;
    // Without an agent nobody knows: one may come, and the wait has its own bound.
    if (slots === 0 || waitMs <= waitMsMax) return;
    const who = count === 1 ? 'this' : `the last of ${count}`;
    const what = `${who} would wait for about ${Math.ceil(waitMs / 1000)} s and may wait for ${waitMsMax / 1000} s`;
    throw this.#refuse(tenant.id, 'time', what, waitMs - waitMsMax);
  }

  #quotasOf(tenant: Tenant) {
    const { quotasOf = ({ queueDepthMax = 0 }) => ({ queueDepthMax, executionsPerMinuteMax: 0 }) } = this.#deps;
    return quotasOf(tenant);
  }

  /** A batch that is larger than a minute's is let in when nothing else was. */
  #checkMinute(tenant: Tenant, count: number): void {
    const { executionsPerMinuteMax: max } = this.#quotasOf(tenant);
    if (max === 0 || this.#minute.of(tenant.id) + Math.min(count, max) <= max) return;
    const what = `tenant ${tenant.id} may begin ${max} executions in a minute of the clock and has`;
    throw this.#refuse(tenant.id, 'rate', what, this.#minute.leftMs);
  }

  /** A batch that is larger than the burst is let in when the bucket is full, and leaves it in debt: over time the rate is what it is. */
  #takeTokens(tenant: Tenant, count: number): void {
    const rate = tenant.executionsPerSecondMax ?? this.#options.tenantExecutionsPerSecondMax;
    if (rate === 0) return;
    const burst = Math.max(1, tenant.executionsBurstMax ?? this.#options.tenantExecutionsBurstMax);
    const nowMs = this.#deps.clock.monotonicMs();
    const bucket = this.#buckets.get(tenant.id) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * rate) / 1000);
    const needed = Math.min(count, burst);
    const isGiven = tokens >= needed;
    this.#buckets.set(tenant.id, { tokens: isGiven ? tokens - count : tokens, atMs: nowMs });
    if (isGiven) return;
    const what = `tenant ${tenant.id} may begin ${rate} executions in a second and ${burst} at once`;
    throw this.#refuse(tenant.id, 'rate', what, ((needed - tokens) / rate) * 1000);
  }

  #refuse(tenantId: string, reason: AdmissionRefusal, what: string, waitMs: number): SystemError {
    this.#deps.refused?.(reason, tenantId);
    const counts = this.refusalsOf(tenantId);
    this.#refusals.set(tenantId, { ...counts, [reason]: counts[reason] + 1 });
    const code = reason === 'rate' ? 'rate-exceeded' : 'queue-full';
    // What is a matter of arithmetic is told as it is, what is a guess not further than a minute ahead.
    const retryAfterSeconds = reason === 'rate' ? toExactSeconds(waitMs) : toRetrySeconds(waitMs);
    return new SystemError(code, `${what}; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}
