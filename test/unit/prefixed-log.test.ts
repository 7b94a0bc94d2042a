/**
 * Owns the proof that make run's log keeps every line, names its process, and turns JSON entries into words.
 * Never starts a process.
 */
import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { PrefixedLog, toSentence } from '../../ops/local/prefixed-log.ts';

test('a JSON entry becomes time, level, message and fields', () => {
  const entry = {
    level: 40,
    time: '2026-01-02T03:04:05.678Z',
    component: 'agent',
    msg: 'lease lost',
    lease: 'lease_1',
    ms: 5,
  };
  assert.equal(toSentence(JSON.stringify(entry)), '03:04:05 warn  lease lost lease=lease_1 ms=5');
});

test('a line that is no log entry stays as it is', () => {
  for (const line of ['', 'plain', '{ not json', '{"a":1}', 'null']) assert.equal(toSentence(line), line);
});

test('a line without an end is broken before it fills the memory, and loses nothing', async () => {
  const out = new PassThrough({ highWaterMark: 1e8 });
  await new PrefixedLog(out).follow('agent', Readable.from(['x'.repeat(1_500_000), 'y'.repeat(10), '\nnext\n']));
  const lines = String(out.read()).split('\n');
  assert.deepEqual(
    lines.map((line) => line.length),
    [18 + 1_048_576, 18 + 1_500_010 - 1_048_576, 18 + 4, 0],
  );
});

test('every line carries its process, and without a terminal there is no colour', async () => {
  const out = new PassThrough();
  await new PrefixedLog(out).follow('agent', Readable.from(['one\ntw', 'o\nthree']));
  assert.equal(String(out.read()), ['one', 'two', 'three'].map((line) => `${'agent'.padEnd(17)} ${line}\n`).join(''));
});
