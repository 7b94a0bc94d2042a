/**
 * Owns what an agent is told of the parts of the protocol that it may be too old for. Never decides anything else about a message.
 * Invariant: an agent that does not say that it understands a part never sees it: to it the message would not be one of the protocol.
 */
import type { CoordinatorMessage, LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { type Addition, additions } from '../../shared/protocol/version.ts';

/** What both sides understand, of what the agent has said. */
export function understoodBy(said: readonly string[] | undefined): ReadonlySet<Addition> {
  return new Set(additions.filter((addition) => said?.includes(addition)));
}

/** The message without what the agent would refuse. */
export function toUnderstood(message: CoordinatorMessage, understood: ReadonlySet<Addition>): CoordinatorMessage {
  return message.type === 'lease.offer' ? { ...message, order: toUnderstoodOrder(message.order, understood) } : message;
}

/** The order without what its reader would refuse. */
export function toUnderstoodOrder(order: LeaseOrderMessage, understood: ReadonlySet<Addition>): LeaseOrderMessage {
  const { environment, trace, ...rest } = order;
  const knowsEnvironment = environment === undefined || understood.has('order.environment');
  const knowsTrace = trace === undefined || understood.has('order.trace');
  if (knowsEnvironment && knowsTrace) return order;
  return {
    ...rest,
    ...(knowsEnvironment && environment !== undefined ? { environment } : {}),
    ...(knowsTrace && trace !== undefined ? { trace } : {}),
  };
}
