/**
 * Owns the schemas of answers and parameters that several routes share, and what a cursor looks like. Never used for anything but HTTP.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { Closed, Nullable } from '../model/closed.ts';
import { Problem } from './problem.ts';

/** The errors that every route may answer with, for documentation and serialisation. */
export const problems = { '4xx': Problem, '5xx': Problem };

/** A page of a listing; `next` is the cursor of the page after it. */
export const PageOf = <Schema extends TSchema>(schema: Schema) =>
  Closed(
    {
      items: Type.Array(schema, { description: 'Newest first.' }),
      next: Nullable(Type.String(), { description: 'Cursor of the next page; null: this is the last.' }),
    },
    { title: `${schema.title}Page`, description: 'A page of a listing.' },
  );

/** Parameters of a listing. */
export const PageQuery = Closed({
  cursor: Type.Optional(
    Type.String({ pattern: '^p[0-9]{1,15}$', description: '`next` of the page before; absent: the first page.' }),
  ),
  limit: Type.Optional(
    Type.String({
      pattern: '^([1-9]|[1-9][0-9]|100)$',
      description: '1 to 100; default 20. Fewer come when they are large.',
    }),
  ),
});

/** The body of a route that takes none: nothing, or an empty object. */
export const NoBody = Closed({}, { title: 'NoBody', description: 'Nothing is to be said.' });

/** Parameters of an item. */
export const IdParams = Closed({ id: Type.String({ description: 'As an answer gave it.' }) });

/** Headers of an event stream. */
export const StreamHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ maxLength: 32, description: 'Number of the last event that was seen: what came after it follows.' }),
  ),
});

const PAGE_SIZE = 20;

/** What a listing's parameters mean. */
export function toPageRequest(query: { cursor?: string; limit?: string }): { cursor: number | null; limit: number } {
  const limit = query.limit === undefined ? PAGE_SIZE : Number(query.limit);
  return { cursor: query.cursor === undefined ? null : Number(query.cursor.slice(1)), limit };
}

/** A page as it is answered. */
export function toPageAnswer<Item>(page: { readonly items: readonly Item[]; readonly next: number | null }): {
  items: Item[];
  next: string | null;
} {
  const { items, next } = page;
  return { items: [...items], next: next === null ? null : `p${next}` };
}
