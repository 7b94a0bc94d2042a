/**
 * Owns how tenants share a bounded part of this process's memory. Never holds anything itself: whoever holds something says how much.
 * Invariant: however much one tenant takes, others find room (dynamic thresholds, Choudhury and Hahne 1998), and nobody's first is refused while it fits.
 */
import { getHeapStatistics } from 'node:v8';
import { SystemError } from '../../shared/errors.ts';
import type { Tenant } from '../tenants/keys.ts';

/** Bounds of everybody. */
export interface MemorySharesOptions {
  /** Of all tenants together; 0: a quarter of the heap; bytes. */
  readonly bytesMax: number;
  /** Is there one tenant only, who may have all of it? */
  readonly isEmbedded: boolean;
}

/** Of what this process may have in its heap, what is shared where nobody has set a bound: a character may be two bytes, and results need room, too. */
const HEAP_PARTS = 4;

/** A tenant alone gets two thirds, two get two fifths each. */
const THRESHOLD = 2;

/** What is not worth refusing: other bounds say how many of these there are. */
export const SMALL_BYTES_MAX = 65_536;

const RETRY_SECONDS = 2;

/** Said to who can have no more now; `what` says of what. */
export function noRoom(what: string): SystemError {
  const context = { retryAfterSeconds: RETRY_SECONDS };
  return new SystemError('queue-full', `${what}; try again in ${RETRY_SECONDS} s`, context);
}

/** See the head of this file. */
export class MemoryShares {
  readonly #options: MemorySharesOptions;
  readonly #held = new Map<string, { weight: number; bytes: number }>();
  #total = 0;

  constructor({ bytesMax, isEmbedded }: MemorySharesOptions) {
    const set = bytesMax === 0 ? Math.floor(getHeapStatistics().heap_size_limit / HEAP_PARTS) : bytesMax;
    this.#options = { bytesMax: set, isEmbedded };
  }

  /** What all hold now; bytes. */
  get bytes(): number {
    return this.#total;
  }

  /** What a tenant holds now; bytes. */
  bytesOf({ id }: Tenant): number {
    return this.#held.get(id)?.bytes ?? 0;
  }

  /** What a tenant may hold now, with what it holds; whoever holds nothing may have all the room that there is, however little it weighs; bytes. */
  bytesMaxOf(tenant: Tenant): number {
    const { bytesMax, isEmbedded } = this.#options;
    const own = this.bytesOf(tenant);
    const all = own + Math.max(0, bytesMax - this.#total);
    if (isEmbedded || own === 0) return all;
    const heaviest = Math.max(tenant.weight, ...[...this.#held.values()].map(({ weight }) => weight));
    // So many times what is left to others once it holds this.
    const times = (THRESHOLD * tenant.weight) / heaviest;
    return Math.floor((all * times) / (1 + times));
  }

  /** Takes so much more, if a tenant may have it now, or nobody has anything; did it? */
  take(tenant: Tenant, bytes: number): boolean {
    if (this.#total > 0 && this.bytesOf(tenant) + bytes > this.bytesMaxOf(tenant)) return false;
    this.add(tenant, bytes);
    return true;
  }

  /** So much more, or less, is held, whatever room there is. */
  add(tenant: Tenant, bytes: number): void {
    const own = this.bytesOf(tenant) + bytes;
    if (own > 0) this.#held.set(tenant.id, { weight: tenant.weight, bytes: own });
    else this.#held.delete(tenant.id);
    this.#total += bytes;
  }
}
