/**
 * Owns how many executions of each tenant run at once, here and lent to other coordinators, and whether one more may. Never chooses what runs.
 * Invariants: what was taken is released once; a demand that is lent counts from then on, so that what runs elsewhere is never more than what was
 * let go; asking costs the same however much waits.
 */

/** What the queue and whoever lends ask. */
export interface ConcurrencyBounds {
  isFull(tenantId: string): boolean;
  took(tenantId: string): void;
  released(tenantId: string): void;
}

/** Nobody is bounded. */
export const noBounds: ConcurrencyBounds = {
  isFull: () => false,
  took: () => undefined,
  released: () => undefined,
};

/** See the head of this file. */
export class Concurrency implements ConcurrencyBounds {
  readonly #counts = new Map<string, number>();
  readonly #maxOf: (tenantId: string) => number;
  #roomed: (tenantIds: readonly string[]) => void = () => undefined;

  /** `maxOf`: how many a tenant may have at once; 0: no bound. */
  constructor(maxOf: (tenantId: string) => number) {
    this.#maxOf = maxOf;
  }

  /** Tells the listener, the only one, which tenants may have room now that had none. */
  listen(roomed: (tenantIds: readonly string[]) => void): void {
    this.#roomed = roomed;
  }

  isFull(tenantId: string): boolean {
    const max = this.#maxOf(tenantId);
    return max > 0 && this.countOf(tenantId) >= max;
  }

  /** How many of a tenant run, or are lent. */
  countOf(tenantId: string): number {
    return this.#counts.get(tenantId) ?? 0;
  }

  took(tenantId: string): void {
    this.#counts.set(tenantId, this.countOf(tenantId) + 1);
  }

  released(tenantId: string): void {
    const count = this.countOf(tenantId) - 1;
    if (count > 0) this.#counts.set(tenantId, count);
    else this.#counts.delete(tenantId);
  }

  /** What was lent is over, or here again: its tenant may have another. */
  cameBack(tenantId: string): void {
    this.released(tenantId);
    this.#roomed([tenantId]);
  }

  /** Bounds of these are others now. */
  boundsChanged(tenantIds: readonly string[]): void {
    this.#roomed(tenantIds);
  }
}
