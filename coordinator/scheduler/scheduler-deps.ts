/**
 * Owns what the scheduler works with, and its numbers. Types only.
 * Never made here: the coordinator's wiring does, and tests do.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { LeaseTimes } from './agent-leases.ts';
import type { Concurrency } from './concurrency.ts';
import type { ResultCheck } from './scheduler.ts';

/** Without `pools` all pools are everybody's, without `check` every result fits, without `concurrency` nobody is bounded. */
export interface SchedulerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly fleet: Fleet;
  readonly pools?: PoolGate;
  readonly check?: ResultCheck;
  readonly concurrency?: Concurrency;
}

/** Numbers of the scheduler; milliseconds. */
export interface SchedulerOptions extends LeaseTimes {
  readonly retriesMax: number;
  /** How near to a limit, in hundredths of it, the time of a disturbed run is doubted and run again; absent or 0: never. */
  readonly rerunNearLimitPercent?: number;
}
