/**
 * Owns whether a demand that failed through our fault is tried again: not too often, not when everything fails at once, and not when it seems to
 * take agents down. A program's own failure never comes here.
 * Never places anything. Invariant: whatever is not tried again has a reason that its client is told.
 */
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { Lease } from './leases.ts';
import { LostLeases } from './lost-leases.ts';
import { RetryBudget } from './retry-budget.ts';

/** One failure of ours. */
export interface OurFailure {
  readonly lease: Lease;
  /** Failures of this demand so far, this one with them. */
  readonly failures: number;
  readonly cause: SystemError;
  /** Does it count? A refusal does not. */
  readonly isCounted: boolean;
  /** Was the agent lost while it ran this? */
  readonly isAgentLost: boolean;
}

/** A demand with which so many agents were lost is tried on no further one. */
const LOST_AGENTS_MAX = 2;

/** Why a result is none, and somebody else is to try; null when it counts. */
export function toRetryCause(agentId: Lease['agentId'], { failure }: LeaseResultMessage): SystemError | null {
  if (failure?.isRetryable !== true) return null;
  return new SystemError('sandbox-failed', `agent ${agentId}: ${failure.code}: ${failure.detail}`);
}

/** The retries of one scheduler. */
export class Retries {
  readonly #failuresMax: number;
  readonly #budget: RetryBudget;
  readonly #lost = new LostLeases();

  constructor(clock: Clock, failuresMax: number) {
    this.#failuresMax = failuresMax;
    this.#budget = new RetryBudget(clock);
  }

  /** Retries that could be had now. */
  get left(): number {
    return this.#budget.left;
  }

  /** A demand was submitted. */
  asked(): void {
    this.#budget.asked();
  }

  /** An agent says that it has this lease, or had it. */
  survived(leaseId: string, agentId: Lease['agentId']): void {
    this.#lost.survived(leaseId, agentId);
  }

  /** A demand is over. */
  forget(executionId: ExecutionId): void {
    this.#lost.forget(executionId);
  }

  /** Why a demand is not tried again, or null when it is. */
  endOf({ lease, failures, cause, isCounted, isAgentLost }: OurFailure): SystemError | null {
    const lost = isAgentLost ? this.#lost.lost(lease.id, lease.executionId, lease.agentId) : 0;
    if (lost >= LOST_AGENTS_MAX) {
      const detail = `${lost} agents were lost while they ran this and have not come back; it is tried on no other`;
      return new SystemError('execution-quarantined', detail, { cause });
    }
    if (failures > this.#failuresMax) {
      return new SystemError('retries-exhausted', `tried ${failures} times; the last time: ${cause.message}`, {
        cause,
      });
    }
    if (!isCounted || this.#budget.take()) return null;
    const detail = `so much fails at present that not everything is tried again; the last time: ${cause.message}`;
    return new SystemError('retries-exhausted', detail, { cause });
  }
}
