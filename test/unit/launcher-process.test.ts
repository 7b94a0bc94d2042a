/**
 * Owns the proof of what is told of a launcher that ended: its refusal, else its last error, else nothing.
 * Never starts one: test/sandbox/embedded-sandbox.test.ts does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toLastWords } from '../../shared/sandbox/launcher-process.ts';

const line = (level: string, msg: string, more: object = {}) =>
  `${JSON.stringify({ level, time: 1, name: 'launcher', ...more, msg })}\n`;

test("a launcher's refusal is told with its remedy, whatever else it wrote", () => {
  const said = `${line('error', 'stage broke')}envicutor-launcher: no cgroup. Remedy: mount one.\n${line('info', 'ended')}`;
  assert.equal(toLastWords(said), 'no cgroup. Remedy: mount one.');
});

test('without a refusal it is the last error of its log, with what that names', () => {
  const said = `${line('error', 'first')}${line('error', 'shell failed', { error: 'clone: No space' })}${line('warn', 'odd', { detail: 'x' })}`;
  assert.equal(toLastWords(said), 'shell failed: clone: No space');
});

test('a launcher that said nothing of the kind, or something cut in the middle, leaves no words', () => {
  assert.equal(toLastWords(''), null);
  assert.equal(toLastWords(`${line('info', 'launcher started')}{"level":"error","ms`), null);
  assert.equal(toLastWords('null\n12\nSegmentation fault\n'), null);
});
