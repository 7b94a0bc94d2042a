/**
 * Owns how long a further demand of a tenant would wait, by what waits and what things have cost. Pure; an estimate, never a promise.
 */
import type { Backlog } from './fair-queue.ts';
import type { Forecast } from './scheduler.ts';

/** What is known of the queue and the machines. */
export interface Outlook {
  readonly slots: { readonly total: number; readonly free: number };
  readonly backlogs: readonly Backlog[];
  /** Mean duration of a demand in one slot, in milliseconds. */
  readonly meanMs: number;
}

/**
 * While the tenant's own backlog is served, each other tenant gets at most its weight's share of the same time, and at most what it has: the
 * fluid picture of fair queueing.
 */
export function forecastWait(tenantId: string, weight: number, { slots, backlogs, meanMs }: Outlook): Forecast {
  const own = backlogs.find((each) => each.tenantId === tenantId)?.cost ?? 0;
  let ahead = own;
  for (const { tenantId: other, weight: theirs, cost } of backlogs) {
    if (other !== tenantId) ahead += Math.min(cost, ((own + meanMs) * theirs) / weight);
  }
  const isIdle = slots.free > 0 && backlogs.length === 0;
  const total = Math.max(1, slots.total);
  // The next slot becomes free when what runs on one of them has ended: half of a mean, on average, by the number of slots.
  return { slots: slots.total, waitMs: isIdle ? 0 : (ahead + meanMs / 2) / total, meanMs: meanMs / total };
}
