/**
 * Owns the first results of demands that are run again because these are doubted (near-limit), until the second is there or nobody gives one.
 * Never places anything. Invariants: a demand is run again once; what is known of the first result is never lost to a failure of ours: it stands then, and
 * says so.
 */
import { SystemError } from '../../shared/errors.ts';
import type { AgentId, ExecutionId } from '../../shared/ids.ts';
import type { Rerun } from '../../shared/model/timing-certificate.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { Lease } from './leases.ts';
import { findDoubt } from './near-limit.ts';
import type { DemandResult } from './scheduler.ts';

/** What becomes of a result: it counts, or somebody else is to give another for this cause. */
export interface Considered {
  readonly result: DemandResult;
  readonly cause: SystemError | null;
}

interface First {
  readonly told: Rerun['first'];
  readonly result: LeaseResultMessage;
}

/** How long a demand waits for another agent before its first result stands. */
export const RERUN_WAIT_MS_MAX = 30_000;

/** See the head of this file. */
export class Reruns {
  readonly #percent: number;
  readonly #firsts = new Map<ExecutionId, First>();

  /** `percent`: how near to a limit a time is doubted, in hundredths of it; 0: nothing ever is. */
  constructor(percent: number) {
    this.#percent = percent;
  }

  /** Is it being run again? */
  has(executionId: ExecutionId): boolean {
    return this.#firsts.has(executionId);
  }

  /** Looks at a result that would count; `hasOther`: is there another agent that could give one? */
  consider({ executionId, agentId, order }: Lease, result: LeaseResultMessage, hasOther: () => boolean): Considered {
    const before = this.#firsts.get(executionId);
    if (before !== undefined) return { result: mark(result, 'repeated', before.told), cause: null };
    const doubt = this.#percent === 0 || order === null ? null : findDoubt(order, result, this.#percent);
    if (doubt === null) return { result, cause: null };
    const told = { agent: agentId, verdict: result.verdict, ...doubt, reasons: result.certificate?.reasons ?? [] };
    if (!hasOther()) return { result: mark(result, 'no-other-agent', told), cause: null };
    this.#firsts.set(executionId, { told, result });
    return { result, cause: toCause(agentId, told) };
  }

  /** The first result, which stands because nobody has given another; null: it is not being run again. */
  standing(executionId: ExecutionId): DemandResult | null {
    const first = this.#firsts.get(executionId);
    return first === undefined ? null : mark(first.result, 'not-repeated', first.told);
  }

  /** The demand is over. */
  forget(executionId: ExecutionId): void {
    this.#firsts.delete(executionId);
  }
}

function mark(result: LeaseResultMessage, outcome: Rerun['outcome'], first: Rerun['first']): DemandResult {
  return { ...result, rerun: { reason: 'dirty-near-limit', outcome, first } };
}

function toCause(agentId: AgentId, { limit, allowed, observed, reasons }: Rerun['first']): SystemError {
  const near = `${limit} is ${observed.toFixed(1)} of ${allowed}`;
  return new SystemError('timing-unclean', `agent ${agentId}: ${near}, and it is not clean: ${reasons.join(', ')}`);
}
