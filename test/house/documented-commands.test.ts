/**
 * Owns that no page shows a command that nobody runs: each block of commands is in the table with the test that runs it, or with why none can.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isShown, readCommandBlocks, whereabouts } from '../support/document-commands.ts';
import { root } from './sources.ts';

test('every block of commands in the documents is run by a test, or the table says why not', () => {
  const counts = new Map<string, number>();
  for (const { page } of readCommandBlocks()) counts.set(page, (counts.get(page) ?? 0) + 1);
  const told = Object.entries(whereabouts).map(([page, blocks]) => [page, blocks.length] as const);
  assert.deepEqual(new Map([...counts].sort()), new Map(told.sort()));
});

test('every test that the table names is there', () => {
  const named = Object.values(whereabouts).flat();
  const missing = named.flatMap((place) =>
    typeof place === 'object' && 'test' in place && !existsSync(join(root, place.test)) ? [place.test] : [],
  );
  assert.deepEqual(missing, []);
});

test('what a page shows is compared as it stands, but for what it leaves out', () => {
  assert.ok(isShown('ok exec_…\n', 'ok exec_123\n'));
  assert.ok(isShown('1.5 (a)\n', '1.5 (a)'));
  assert.ok(!isShown('1.5\n', '1x5\n'));
  assert.ok(!isShown('ok\n', 'ok\nand more\n'));
});
