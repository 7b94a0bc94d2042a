/**
 * Owns the receipt of one lease: what was asked is digested while the program runs, the rest is stated when its result is there.
 * Never holds a key (identity) and never sends anything.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Digest } from '../../shared/digest.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { digestOfAsked, type Lessee, toStatement } from '../../shared/receipts/receipt.ts';
import type { Identity } from '../connection/identity.ts';

/** See the head of this file; made when its lease is accepted. */
export class LeaseReceipt {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #order: LeaseOrderMessage;
  readonly #acceptedAtMs: number;
  #request: Digest | null = null;

  constructor(clock: Pick<Clock, 'nowMs'>, order: LeaseOrderMessage) {
    this.#clock = clock;
    this.#order = order;
    this.#acceptedAtMs = clock.nowMs();
  }

  /** Digests what was asked, for later; called when the processor has nothing else to do for this lease. */
  prepare(): void {
    this.#request ??= digestOfAsked(this.#order);
  }

  /** The result with its receipt; without one while the agent has no id. */
  signed(
    identity: Pick<Identity, 'agentId' | 'sign'>,
    { lease, fence }: Pick<Lessee, 'lease' | 'fence'>,
    result: LeaseResultMessage,
  ): LeaseResultMessage {
    const { agentId: agent } = identity;
    if (agent === null) return result;
    const times = { acceptedAtMs: this.#acceptedAtMs, completedAtMs: this.#clock.nowMs() };
    const request = this.#request ?? digestOfAsked(this.#order);
    return {
      ...result,
      receipt: identity.sign(toStatement(this.#order, { agent, lease, fence, ...times }, result, request)),
    };
  }
}
