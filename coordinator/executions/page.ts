/**
 * Owns the shape of a listing's page, whatever is listed. Never reads one.
 */

/** A page of a listing, newest first; `next` continues it. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: number | null;
}

/** Which page of a tenant's is wanted. */
export interface PageWanted {
  readonly tenantId: string;
  /** Exclusive. */
  readonly before: number;
  readonly limit: number;
}
