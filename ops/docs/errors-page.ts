/**
 * Owns docs/errors.md: the catalog of shared/errors.ts as a table.
 * Never adds a word to a code: what a reader must know stands in the catalog.
 */
import { errorCatalog } from '../../shared/errors.ts';
import { notice, table } from './markdown.ts';

/** The text of docs/errors.md. */
export function toErrorsPage(): string {
  const rows = Object.entries(errorCatalog).map(([code, { http, retryable, fault, title }]) => [
    `\`${code}\``,
    String(http),
    retryable ? 'yes' : 'no',
    fault,
    title,
  ]);
  return [
    notice('shared/errors.ts'),
    '# Errors',
    '',
    'Every answer with a status of 400 or more is `application/problem+json` (RFC 9457) with one of these in `code`. Codes are stable.',
    'A program that fails is no error: its verdict comes with status 200. *Whose*: whose doing it is, as far as we know.',
    '',
    table(['code', 'status', 'may a retry help?', 'whose', 'title'], rows),
    '',
  ].join('\n');
}
