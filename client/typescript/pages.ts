/**
 * Owns walking through a listing, page by page, as far as somebody asks. Never holds more than one page.
 */
import type { Transport } from './transport.ts';

/** How a listing is walked through. */
export interface ListOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many are asked for at once; 1 to 100, default 50. */
  readonly pageSize?: number;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** Everything of a listing, newest first. */
export async function* walk<Item>(
  transport: Transport,
  path: string,
  { signal, pageSize = 50 }: ListOptions,
  query: Readonly<Record<string, string | undefined>> = {},
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | null = null;
  do {
    const page: Page<Item> = await transport.ask<Page<Item>>({
      ...{ method: 'GET', path, query: { ...query, limit: pageSize, cursor }, signal },
    });
    yield* page.items;
    cursor = page.next;
  } while (cursor !== null);
}
