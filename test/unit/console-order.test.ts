/**
 * Owns which rows of the console's tables are shown: filtered, sorted, paged.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arrangement, arrange, compareValues } from '../../coordinator/pages/console/order.ts';

interface Row {
  readonly name: string;
  readonly size: number | null;
}

const rows: readonly Row[] = [
  { name: 'agent-10', size: 3 },
  { name: 'agent-9', size: null },
  { name: 'Beta', size: 3 },
  { name: 'alpha', size: 1 },
];
const show = (changes: Partial<Arrangement<Row>>) => {
  const wanted = { filter: '', textOf: ({ name }: Row) => name, sortBy: null, isDescending: false, page: 0 };
  return arrange(rows, { ...wanted, rowsPerPage: 10, ...changes });
};
const names = (changes: Partial<Arrangement<Row>>) => show(changes).rows.map(({ name }) => name);

test('rows stay as they came until somebody sorts them', () => {
  assert.deepEqual(names({}), ['agent-10', 'agent-9', 'Beta', 'alpha']);
});

test('texts are sorted as people do, with numbers in them by size', () => {
  assert.deepEqual(names({ sortBy: ({ name }) => name }), ['agent-9', 'agent-10', 'alpha', 'Beta']);
});

test('equal rows keep their order in both directions, and what is not known is last in both', () => {
  const sortBy = ({ size }: Row) => size;
  assert.deepEqual(names({ sortBy }), ['alpha', 'agent-10', 'Beta', 'agent-9']);
  assert.deepEqual(names({ sortBy, isDescending: true }), ['agent-10', 'Beta', 'alpha', 'agent-9']);
});

test('every word of a filter must be there, in any case', () => {
  assert.deepEqual(names({ filter: ' AGENT 9 ' }), ['agent-9']);
  assert.deepEqual(names({ filter: 'agent beta' }), []);
});

test('a page beyond the last is the last, also when rows go away', () => {
  const { rows: shown, page, pages, found } = show({ page: 9, rowsPerPage: 3 });
  assert.deepEqual([shown.map(({ name }) => name), page, pages, found], [['alpha'], 1, 2, 4]);
  assert.deepEqual(show({ page: 3, filter: 'nobody' }).pages, 1);
});

test('numbers are compared by size and not as texts', () => {
  assert.ok(compareValues(9, 10) < 0);
  assert.ok(compareValues(null, 0) > 0);
  assert.equal(compareValues(null, null), 0);
});
