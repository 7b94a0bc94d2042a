/**
 * Owns the proof that output is told at once while it is seldom, and together when it is not; always all of it, in order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputPace } from '../../agent/execution/output-pace.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function setPace() {
  const clock = new VirtualClock();
  const told: [script: string, stream: string, text: string][] = [];
  const pace = new OutputPace(clock, (script, stream, bytes) => void told.push([script, stream, bytes.toString()]));
  const write = (text: string, stream: 'stdout' | 'stderr' = 'stdout', script: 'compile' | 'run' = 'run') => {
    const chunk = Buffer.from(text);
    pace.output(script, stream, chunk);
    // It is only good during the call.
    chunk.fill(0);
  };
  return { clock, told, pace, write };
}

test('lines that come 250 times a second are told as they come', () => {
  const { clock, told, write } = setPace();
  for (let line = 0; line < 1000; line += 1) {
    write(`${line}`);
    assert.equal(told.length, line + 1);
    clock.pass(4);
  }
});

test('byte by byte it is told 250 times at once, then once in four milliseconds', () => {
  const { clock, told, pace, write } = setPace();
  for (let byte = 0; byte < 100_000; byte += 1) {
    write('x');
    if (byte % 100 === 99) clock.pass(1);
  }
  pace.flush();
  assert.equal(told.map(([, , text]) => text).join('').length, 100_000);
  assert.ok(told.length >= 400 && told.length <= 600, `${told.length} times in a second`);
});

test('what is held is told after four milliseconds by itself', () => {
  const { clock, told, write } = setPace();
  for (let line = 0; line < 251; line += 1) write('x');
  assert.equal(told.length, 250);
  clock.pass(4);
  assert.equal(told.length, 251);
});

test('both streams keep their order, and what a script wrote comes before what the next one writes', () => {
  const { told, pace, write } = setPace();
  for (let line = 0; line < 250; line += 1) write('.');
  told.length = 0;
  write('a', 'stdout', 'compile');
  write('1', 'stderr', 'compile');
  write('b', 'stdout', 'compile');
  write('c');
  pace.flush();
  assert.deepEqual(told, [
    ['compile', 'stdout', 'ab'],
    ['compile', 'stderr', '1'],
    ['run', 'stdout', 'c'],
  ]);
  pace.flush();
  assert.equal(told.length, 3);
});

test('much is told whatever the pace', () => {
  const { told, write } = setPace();
  for (let line = 0; line < 250; line += 1) write('.');
  told.length = 0;
  write('x'.repeat(65_535));
  assert.equal(told.length, 0);
  write('y');
  assert.deepEqual(
    told.map(([, , text]) => text.length),
    [65_536],
  );
});
