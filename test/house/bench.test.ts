/**
 * Owns the rule that the suite's README and its catalogue are the same list, that each scenario is a file of its name, and that none is forgotten.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scenarios } from '../../bench/catalogue.ts';

const bench = join(import.meta.dirname, '../../bench');
const names = scenarios.map(({ name }) => name).sort();

test('bench/README.md has a row for every scenario, and none besides', () => {
  const table = /\| scenario \| question \| rivals \|\n(?:\|.*\n)+/.exec(
    readFileSync(join(bench, 'README.md'), 'utf8'),
  );
  const rows = [...(table?.[0] ?? '').matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(rows.sort(), names);
});

test('every file of bench/scenarios/ is a scenario of its name', () => {
  const files = readdirSync(join(bench, 'scenarios')).map((file) => file.replace(/\.ts$/, ''));
  assert.deepEqual(files.sort(), names);
});
