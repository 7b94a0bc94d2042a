/**
 * Owns tickets for terminals: what a browser, which can't send a key with a WebSocket, shows instead. Good once, for a short while, for one execution.
 * Any coordinator of a database can tell whose a ticket is, and passes it on; only the process that issued it lets somebody in by it, so that it is good
 * once however many there are. Never logged, never kept beyond its time.
 */

import type { Clock, Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { toBase32 } from '../../shared/ids.ts';
import { isSealOf, sealOf } from '../text-seal.ts';

/** Whom a ticket lets in, where. */
export interface TicketTerms {
  readonly tenantId: string;
  readonly executionId: string;
}

/** What a ticket says. */
export interface TicketContent extends TicketTerms {
  readonly issuer: string;
  readonly number: number;
  readonly expiresAtMs: number;
}

/** Tickets of one tenant that were issued and neither used nor are too old. */
const OPEN_MAX = 1000;

/** See the head of this file. */
export class TerminalTickets {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #key: Uint8Array;
  readonly #ttlMs: number;
  readonly #issuer: string;
  /** When each ends, by tenant; the oldest first. */
  readonly #open = new Map<string, Map<number, number>>();
  #number = 0;

  /** `key` is derived from the instance key, which all coordinators have. */
  constructor(deps: { clock: Pick<Clock, 'nowMs'>; random: Random; key: Uint8Array }, ttlMs: number) {
    this.#clock = deps.clock;
    this.#key = deps.key;
    this.#ttlMs = ttlMs;
    this.#issuer = toBase32(deps.random.bytes(12));
  }

  /** A fresh ticket and when it ends; SystemError `queue-full` while far too many of its tenant are open. */
  issue({ tenantId, executionId }: TicketTerms): { ticket: string; expiresAtMs: number } {
    this.#forgetOld();
    const open = this.#open.get(tenantId) ?? new Map<number, number>();
    if (open.size >= OPEN_MAX)
      throw new SystemError('queue-full', `${OPEN_MAX} tickets are open and unused; use one, or wait`);
    const number = ++this.#number;
    const expiresAtMs = this.#clock.nowMs() + this.#ttlMs;
    this.#open.set(tenantId, open.set(number, expiresAtMs));
    const content: TicketContent = { tenantId, executionId, issuer: this.#issuer, number, expiresAtMs };
    const text = Buffer.from(JSON.stringify(content)).toString('base64url');
    return { ticket: `${text}.${sealOf(this.#key, text)}`, expiresAtMs };
  }

  #forgetOld(): void {
    const nowMs = this.#clock.nowMs();
    for (const [tenantId, open] of this.#open) {
      for (const [number, expiresAtMs] of open) {
        if (expiresAtMs > nowMs) break;
        open.delete(number);
      }
      if (open.size === 0) this.#open.delete(tenantId);
    }
  }

  /** Whom a ticket of any coordinator is for; SystemError `unauthenticated` for one that is not good, or not any more. */
  read(ticket: string): TicketContent {
    const [text = '', signature = ''] = ticket.split('.');
    if (!isSealOf(signature, this.#key, text)) throw notGood();
    const content = JSON.parse(Buffer.from(text, 'base64url').toString()) as TicketContent;
    if (content.expiresAtMs <= this.#clock.nowMs()) throw notGood();
    return content;
  }

  /** Lets somebody in, once; SystemError `unauthenticated`. */
  use(ticket: string, executionId: string): void {
    const content = this.read(ticket);
    const isOurs = content.issuer === this.#issuer && content.executionId === executionId;
    if (!isOurs || this.#open.get(content.tenantId)?.delete(content.number) !== true) throw notGood();
  }
}

function notGood(): SystemError {
  return new SystemError('unauthenticated', 'this ticket is not good, or not any more: ask for another one');
}
