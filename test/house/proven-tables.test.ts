/**
 * Owns the truth of the documents that say item by item what is done and which test proves it: every row has a place and a test that exist.
 * Never runs those tests, and never checks that a test proves its item.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './sources.ts';

interface ProvenTable {
  readonly page: string;
  /** How many rows there are: of a checklist that someone else made, exactly; of threats, at least. */
  readonly rows: { readonly exactly: number } | { readonly atLeast: number };
  /** Where a row's place lies. */
  readonly place: RegExp;
  readonly titlesMin: number;
}

const tables: readonly ProvenTable[] = [
  { page: 'security-model.md', rows: { exactly: 36 }, place: /\]\(\.\.\/shared\/sandbox\//, titlesMin: 30 },
  { page: 'cache-security.md', rows: { atLeast: 30 }, place: /\]\(\.\.\/(coordinator|shared|agent)\//, titlesMin: 45 },
];

const folder = join(root, 'docs');
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const rowsOf = (page: string) =>
  [...read(page).matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, number, text = '']) => {
    const [item = '', done = '', where = '', tests = ''] = text.split(' | ');
    return { number: Number(number), item, done, where, tests };
  });

for (const { page, rows: wanted, place, titlesMin } of tables) {
  const rows = rowsOf(page);

  test(`the items of ${page} are there, in order, each with what is done, where, and a test`, () => {
    if ('exactly' in wanted) assert.equal(rows.length, wanted.exactly);
    else assert.ok(rows.length >= wanted.atLeast, `${rows.length} rows`);
    for (const [index, { number, item, done, where, tests }] of rows.entries()) {
      assert.equal(number, index + 1, 'numbered without gaps');
      assert.ok(item !== '' && done !== '', `item ${number}`);
      assert.match(where, place, `item ${number} has no place`);
      assert.match(tests, /\.c\)|expectations\.ts\)|\.test\.ts\) "/, `item ${number} has no test`);
    }
  });

  test(`every test that ${page} names by file and title is there`, () => {
    let found = 0;
    for (const { number, tests } of rows) {
      for (const [, path = '', titles = ''] of tests.matchAll(/\]\((\S+\.test\.ts)\)((?:,? "[^"]+")*)/g)) {
        assert.notEqual(titles, '', `item ${number} names ${path} without a title`);
        const text = read(path).replaceAll("\\'", "'");
        for (const [, title = ''] of titles.matchAll(/"([^"]+)"/g)) {
          assert.ok(text.includes(title), `item ${number}: ${path} has no test "${title}"`);
          found++;
        }
      }
    }
    assert.ok(found >= titlesMin, `${found} titles`);
  });

  test(`every hostile program that ${page} names is run, with an expectation`, () => {
    for (const { number, tests } of rows) {
      for (const [, theme = '', name = ''] of tests.matchAll(/\/programs\/([a-z-]+)\/([a-z0-9-]+)\.c\)/g)) {
        const source = join(root, `test/sandbox/programs/${theme}/${name}.c`);
        assert.ok(existsSync(source), `item ${number}: ${theme}/${name}`);
        const expectations = read(`../test/sandbox/programs/${theme}/expectations.ts`);
        assert.match(
          expectations,
          new RegExp(`^ {2}'?${name}'?:`, 'm'),
          `item ${number}: ${theme}/${name} is not expected`,
        );
      }
    }
  });
}
