/**
 * Owns the tests of reading commands out of documents: what belongs to which command, and what of an output may differ.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsOf, withoutFigures } from '../support/page-examples.ts';

const fence = '```';

test('a block of text right behind a block of shell is its output; one behind a sentence, or of another language, is not', () => {
  const page = [
    ...[`${fence}sh`, 'one', fence, '', `${fence}text`, '1', fence],
    ...[`${fence}sh`, 'two', fence, 'And so:', `${fence}text`, '2', fence],
    ...[`${fence}sh`, 'three', fence, `${fence}json`, '{}', fence, `${fence}sh`, 'four', fence, ''],
  ].join('\n');
  assert.deepEqual(commandsOf(page), [
    { script: 'one\n', output: '1\n' },
    { script: 'two\n', output: null },
    { script: 'three\n', output: null },
    { script: 'four\n', output: null },
  ]);
});

test('figures with a unit and the widths of a table may differ, words and other numbers may not', () => {
  assert.equal(withoutFigures('icon    ok   9.0 s  40 MiB\n'), withoutFigures('icon  ok  12.34 s    7 MiB'));
  assert.notEqual(withoutFigures('icon ok 9.0 s'), withoutFigures('icon WRONG 9.0 s'));
  assert.notEqual(withoutFigures('1 of 1'), withoutFigures('1 of 2'));
});
