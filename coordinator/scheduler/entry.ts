/**
 * Owns what the scheduler remembers of a demand while that waits or has a lease. Never changes it: the scheduler does.
 * Invariant: without a lease it is in the queue, or on its way there.
 */
import type { AgentId } from '../../shared/ids.ts';
import type { Charged } from './charges.ts';
import type { Chooseable } from './chooser.ts';
import type { Lease } from './leases.ts';
import type { Demand } from './scheduler.ts';

/** See the head of this file. */
export interface Entry extends Charged, Chooseable {
  readonly demand: Demand;
  readonly excluded: Set<AgentId>;
  readonly barred: Set<AgentId>;
  readonly submittedAtMs: number;
  lane: string;
  sinceMs: number;
  patientUntilMs: number;
  failures: number;
  lease: Lease | null;
}

/** A demand that has just come, at this price. */
export function toEntry(demand: Demand, price: Pick<Charged, 'cost' | 'slots' | 'lane'>, nowMs: number): Entry {
  const { executionId, tenantId, weight } = demand;
  return {
    ...{ id: executionId, tenantId, weight, demand, ...price },
    ...{ excluded: new Set<AgentId>(), barred: new Set<AgentId>() },
    ...{ submittedAtMs: nowMs, sinceMs: nowMs, patientUntilMs: 0 },
    ...{ charged: 0, failures: 0, lease: null },
  };
}
