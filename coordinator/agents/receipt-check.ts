/**
 * Owns what a receipt is worth when it comes: the coordinator to which an agent is connected compares it with the lease that it gave out and with the
 * result beside it, under the key that the agent has proven to have. That coordinator alone knows all of these, so nobody checks again: where the
 * demand is another coordinator's guest, the receipt travels with the result.
 * Never decides what becomes of the lease (scheduler). Invariant: a receipt that a client gets fits the result that it gets.
 */
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { findFlaw } from '../../shared/receipts/receipt.ts';
import { receiptFlaws } from '../../shared/receipts/statement.ts';
import type { ResultCheck } from '../scheduler/scheduler.ts';
import type { Fleet } from './fleet.ts';

/** A check of what the agents of this fleet say; what has no receipt is of an older release, and passes. */
export function createReceiptCheck(fleet: Pick<Fleet, 'get'>, log: Pick<Logger, 'warn'>): ResultCheck {
  return ({ id: lease, fence, agentId, order }, layers, result) => {
    if (result.receipt === undefined || order === null) return null;
    const key = fleet.get(agentId)?.key ?? null;
    const facts = { order, layers, agent: agentId, lease, fence };
    const reason = key === null ? 'receipt-not-signed' : findFlaw(result.receipt, { ...facts, key }, result);
    if (reason === null) return null;
    log.warn({ agentId, executionId: order.executionId, lease, reason }, 'receipt refused');
    return new SystemError(
      'receipt-refused',
      `agent ${agentId} gave a receipt that does not fit: ${receiptFlaws[reason]}`,
    );
  };
}
