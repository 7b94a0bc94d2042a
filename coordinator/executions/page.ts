/**
 * Owns the shape of a listing's page, whatever is listed. Never reads one.
 */

/** A page of a listing, newest first; `next` continues it. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: number | null;
}
