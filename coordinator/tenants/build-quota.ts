/**
 * Owns how much of the build network and of the builder's time a tenant may use: what is used in a UTC day is in the state store, what
 * running builds hold is here. A build's order gets what is left; what it really used is settled when it has ended, however it ended.
 * Never bounds the builds of bases: they are everybody's.
 * Invariants: grants of running builds and what is used together stay within the day's amounts; a hold is given back exactly once.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { EgressRules } from '../../shared/model/egress.ts';
import type { Quotas } from '../../shared/model/tenant.ts';
import type { CoordinatorConfig } from '../config.ts';
import type { BuildUsage, BuildUsageStore } from '../executions/state-store.ts';

/** The bounds of every tenant; 0: none. */
export type BuildQuotaLimits = Pick<
  CoordinatorConfig,
  'tenantBuildsMax' | 'tenantBuildSecondsMax' | 'tenantEgressBytesMax' | 'tenantEgressRequestsMax'
>;

/** What the bounds need; `boundsOf`: a tenant's own, absent: everybody's. */
export interface BuildQuotaDeps {
  readonly clock: Clock;
  readonly store: BuildUsageStore;
  readonly boundsOf?: (tenantId: string) => Pick<Required<Quotas>, 'buildSecondsMax' | 'egressBytesMax'>;
}

/** What a build that was let in may use, and how its use is told. */
export interface BuildGrant {
  readonly rules: EgressRules;
  /** The build has left the builder's queue. */
  begun(): void;
  /** What the build fetched so far, or in all. */
  fetched(amounts: { readonly requests: number; readonly bytes: number }): void;
  /** The build has ended; resolves when what it used is recorded. To be called once, whatever happened. */
  settle(): Promise<void>;
}

interface Holds {
  builds: number;
  bytes: number;
  requests: number;
  readonly waiting: Set<() => void>;
}

const DAY_MS = 86_400_000;
const bound = (max: number): number => (max === 0 ? Number.POSITIVE_INFINITY : max);

/** The UTC day of a moment, as `2026-11-28`. */
export function utcDayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** Seconds until the next UTC day begins; at least 1. */
export function secondsToNextDay(nowMs: number): number {
  return Math.ceil((DAY_MS - (nowMs % DAY_MS)) / 1000);
}

/** The bounds of all tenants. */
export class BuildQuota {
  readonly #deps: BuildQuotaDeps;
  readonly #rules: EgressRules;
  readonly #limits: BuildQuotaLimits;
  readonly #holds = new Map<string, Holds>();

  constructor(deps: BuildQuotaDeps, rules: EgressRules, limits: BuildQuotaLimits) {
    this.#deps = deps;
    this.#rules = rules;
    this.#limits = limits;
  }

  /**
   * Lets a build of this tenant in, after waiting until others of the tenant make room. SystemError `quota-exceeded` when the day's
   * amounts are used up, the signal's reason when it is aborted.
   */
  async begin(tenantId: string, kind: 'base' | 'setup' | 'dependencies', signal: AbortSignal): Promise<BuildGrant> {
    if (kind === 'base') return unbounded(this.#rules);
    for (;;) {
      signal.throwIfAborted();
      const day = utcDayOf(this.#deps.clock.nowMs());
      const used = await this.#deps.store.get(tenantId, day);
      this.#check(tenantId, used);
      const holds = this.#holdsOf(tenantId);
      const { quotas } = this.#rules;
      const bytes = Math.min(
        quotas.bytesMax,
        bound(this.#limitsOf(tenantId).tenantEgressBytesMax) - used.egressBytes - holds.bytes,
      );
      const requests = Math.min(
        quotas.requestsMax,
        bound(this.#limits.tenantEgressRequestsMax) - used.egressRequests - holds.requests,
      );
      const isRoom = holds.builds < bound(this.#limits.tenantBuildsMax) && bytes > 0 && requests > 0;
      // With nothing held there is nothing to wait for: the policy itself allows no byte.
      if (isRoom || holds.builds === 0) return this.#grant(tenantId, holds, Math.max(0, bytes), Math.max(0, requests));
      await madeRoom(holds, signal);
    }
  }

  #holdsOf(tenantId: string): Holds {
    const known = this.#holds.get(tenantId) ?? { builds: 0, bytes: 0, requests: 0, waiting: new Set() };
    this.#holds.set(tenantId, known);
    return known;
  }

  #limitsOf(tenantId: string): BuildQuotaLimits {
    const own = this.#deps.boundsOf?.(tenantId);
    if (own === undefined) return this.#limits;
    return { ...this.#limits, tenantBuildSecondsMax: own.buildSecondsMax, tenantEgressBytesMax: own.egressBytesMax };
  }

  #check(tenantId: string, used: BuildUsage): void {
    const { tenantEgressBytesMax, tenantEgressRequestsMax, tenantBuildSecondsMax } = this.#limitsOf(tenantId);
    const amounts = [
      ['bytes fetched', used.egressBytes, tenantEgressBytesMax],
      ['requests', used.egressRequests, tenantEgressRequestsMax],
      ['seconds of building', used.buildMs / 1000, tenantBuildSecondsMax],
    ] as const;
    const exceeded = amounts.find(([, amount, max]) => amount >= bound(max));
    if (exceeded === undefined) return;
    const [what, , max] = exceeded;
    const retryAfterSeconds = secondsToNextDay(this.#deps.clock.nowMs());
    throw new SystemError(
      'quota-exceeded',
      `builds of tenant ${tenantId} have used up today's ${max} ${what}; what is built already can be used, new builds can begin in ${retryAfterSeconds} s`,
      { retryAfterSeconds },
    );
  }

  #grant(tenantId: string, holds: Holds, bytesMax: number, requestsMax: number): BuildGrant {
    const { clock, store } = this.#deps;
    const day = utcDayOf(clock.nowMs());
    holds.builds += 1;
    holds.bytes += bytesMax;
    holds.requests += requestsMax;
    let begunAtMs: number | null = null;
    let amounts = { requests: 0, bytes: 0 };
    const { policy, quotas } = this.#rules;
    return {
      rules: { policy, quotas: { ...quotas, bytesMax, requestsMax } },
      begun: () => {
        begunAtMs ??= clock.monotonicMs();
      },
      fetched: ({ requests, bytes }) => {
        amounts = { requests, bytes };
      },
      settle: async () => {
        const buildMs = begunAtMs === null ? 0 : Math.round(clock.monotonicMs() - begunAtMs);
        try {
          await store.add(tenantId, day, { egressBytes: amounts.bytes, egressRequests: amounts.requests, buildMs });
        } finally {
          holds.builds -= 1;
          holds.bytes -= bytesMax;
          holds.requests -= requestsMax;
          if (holds.builds === 0 && holds.waiting.size === 0) this.#holds.delete(tenantId);
          for (const wake of [...holds.waiting]) wake();
        }
      },
    };
  }
}

function unbounded(rules: EgressRules): BuildGrant {
  return { rules, begun: () => undefined, fetched: () => undefined, settle: () => Promise.resolve() };
}

/** Resolves when a build of the tenant has ended; rejects with the signal's reason. */
async function madeRoom(holds: Holds, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = (): void => reject(signal.reason);
  holds.waiting.add(resolve);
  signal.addEventListener('abort', leave);
  try {
    await promise;
  } finally {
    holds.waiting.delete(resolve);
    signal.removeEventListener('abort', leave);
  }
}
