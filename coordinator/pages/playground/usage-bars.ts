/**
 * Owns which bars an execution's use is shown by: of each script what it used, what it might, and whether that was what ended it. Pure; never judges.
 * Limits are those that the agent signed, else those that were asked for: what nobody said has no bar, only a number.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { findUses, type LimitUse, toAmountText } from '../foundation/limit-use.ts';
import { readReceipt } from '../foundation/receipt-text.ts';
import type { Draft } from './request-parts.ts';

/** One bar. */
export interface UsageBar {
  readonly script: LimitUse['script'];
  readonly what: string;
  readonly text: string;
  /** Of what it might, 0 to 1; null: it is not known how much that is. */
  readonly part: number | null;
  /** Did this end it? */
  readonly isOver: boolean;
}

/** See the head of this file; `draft`: what was asked for. */
export function toUsageBars(execution: Pick<Execution, 'compile' | 'run' | 'receipt'>, draft: Draft): UsageBar[] {
  const signed = execution.receipt === null ? {} : (readReceipt(execution.receipt)?.limits ?? {});
  const limitsOf = (script: LimitUse['script']) => {
    const exceeded = execution[script]?.exceeded ?? null;
    const reached = exceeded === null ? {} : { [exceeded.limit]: exceeded.allowed };
    return { ...reached, ...draft[script]?.limits, ...signed[script] };
  };
  const uses = findUses(execution, { compile: limitsOf('compile'), run: limitsOf('run') });
  return uses
    .filter(({ limit, used }) => limit !== null || used > 0)
    .map(({ script, what, used, allowed, unit, limit }) => {
      const text = toAmountText(used, unit);
      return {
        ...{ script, what, text: allowed === null ? text : `${text} of ${toAmountText(allowed, unit)}` },
        part: allowed === null ? null : Math.min(1, used / allowed),
        isOver: execution[script]?.exceeded?.limit === limit && limit !== null,
      };
    });
}
