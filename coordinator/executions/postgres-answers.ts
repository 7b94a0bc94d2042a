/**
 * Owns listing what clients were answered, from PostgreSQL. Never reads more of it than one page may weigh: how long a text is stands before it, and is
 * read without it.
 */
import type { Page, PageWanted } from './page.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { choosePage, toAnswer } from './rows.ts';

/** A page of answers, newest first. */
export async function listAnswers<Answer>(
  database: Pick<PostgresDatabase, 'read'>,
  table: 'executions' | 'environments',
  { tenantId, before, limit }: PageWanted,
): Promise<Page<Answer>> {
  const newest = `FROM ${table} WHERE tenant = $1 AND sequence < $2`;
  const sizes = await database.read(
    `SELECT sequence, octet_length(answer) AS bytes ${newest} ORDER BY sequence DESC LIMIT $3`,
    [tenantId, before, limit + 1],
  );
  const { last, next } = choosePage(sizes, limit);
  const rows = await database.read(`SELECT answer ${newest} AND sequence >= $3 ORDER BY sequence DESC`, [
    tenantId,
    before,
    last ?? before,
  ]);
  return { items: rows.map(toAnswer<Answer>), next };
}
