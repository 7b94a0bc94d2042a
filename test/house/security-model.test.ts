/**
 * Owns the truth of docs/security-model.md: all 36 items, each with a place and a test that exist.
 * Never runs those tests, and never checks that a test proves its item.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './sources.ts';

const folder = join(root, 'docs');
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const rows = [...read('security-model.md').matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, number, text = '']) => {
  const [item = '', done = '', where = '', tests = ''] = text.split(' | ');
  return { number: Number(number), item, done, where, tests };
});

test('the 36 items of the checklist are there, in order, each with what is done, where, and a test', () => {
  assert.deepEqual(
    rows.map(({ number }) => number),
    Array.from({ length: 36 }, (_, index) => index + 1),
  );
  for (const { number, item, done, where, tests } of rows) {
    assert.ok(item !== '' && done !== '', `item ${number}`);
    assert.match(where, /\]\(\.\.\/shared\/sandbox\//, `item ${number} has no place`);
    assert.match(tests, /\.c\)|expectations\.ts\)|\.test\.ts\) "/, `item ${number} has no test`);
  }
});

test('every test that the security model names by file and title is there', () => {
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
  assert.ok(found >= 30, `${found} titles`);
});

test('every hostile program that the security model names is run, with an expectation', () => {
  for (const { number, tests } of rows) {
    for (const [, theme = '', name = ''] of tests.matchAll(/\/programs\/([a-z-]+)\/([a-z0-9-]+)\.c\)/g)) {
      assert.ok(existsSync(join(root, `test/sandbox/programs/${theme}/${name}.c`)), `item ${number}: ${theme}/${name}`);
      const table = read(`../test/sandbox/programs/${theme}/expectations.ts`);
      assert.match(table, new RegExp(`^ {2}'?${name}'?:`, 'm'), `item ${number}: ${theme}/${name} is not expected`);
    }
  }
});
