/**
 * Owns the proof that output is told at once while it is seldom, and together when it is not; always all of it, in order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseTerminal } from '../../agent/execution/lease-terminal.ts';
import { OutputPace } from '../../agent/execution/output-pace.ts';
import { agentPace, Pace } from '../../agent/execution/pace.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function setPace(clock = new VirtualClock(), shared = agentPace(clock)) {
  const told: [script: string, stream: string, text: string][] = [];
  const pace = new OutputPace(
    clock,
    shared,
    (script, stream, bytes) => void told.push([script, stream, bytes.toString()]),
  );
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

test('32 leases that write byte by byte to both streams are told of less often than a coordinator listens, and a quiet one soon', () => {
  const clock = new VirtualClock();
  const shared = agentPace(clock);
  const loud = Array.from({ length: 32 }, () => setPace(clock, shared));
  const quiet = setPace(clock, shared);
  let latestMs = 0;
  for (let ms = 0; ms < 10_000; ms += 1) {
    for (const { write } of loud) {
      write('o');
      write('e', 'stderr');
    }
    if (ms % 500 === 499) {
      const before = quiet.told.length;
      quiet.write('x');
      let waitedMs = 0;
      for (; quiet.told.length === before; waitedMs += 1) clock.pass(1);
      latestMs = Math.max(latestMs, waitedMs);
    }
    clock.pass(1);
  }
  for (const { pace } of loud) pace.flush();
  const told = loud.reduce((sum, each) => sum + each.told.length, 0);
  assert.ok(told > 15_000 && told < 2000 + 10 * 2200, `${told} times in ten seconds`);
  assert.ok(latestMs <= 60, `${latestMs} ms`);
  for (const each of loud) {
    const text = each.told.filter(([, stream]) => stream === 'stderr').map(([, , bytes]) => bytes);
    assert.equal(text.join('').length, 10_000);
  }
});

test('a terminal that is written byte by byte is told 250 times a second, all of it, and the rest when its lease ends', () => {
  const clock = new VirtualClock();
  const texts: string[] = [];
  const order = { rows: 1, columns: 1, inputBytesMax: 100, outputBytesMax: 1 << 20 };
  const terminal = new LeaseTerminal(
    order,
    (news) => news.kind === 'output' && texts.push(Buffer.from(news.data, 'base64').toString()),
    (due) => new Pace(clock, agentPace(clock), due),
  );
  for (let byte = 0; byte < 20_000; byte += 1) {
    terminal.output(Buffer.from(String(byte % 10)));
    if (byte % 10 === 9) clock.pass(1);
  }
  terminal.flush();
  assert.equal(texts.join(''), '0123456789'.repeat(2000));
  assert.ok(texts.length >= 500 && texts.length <= 760, `${texts.length} times in two seconds`);
});

test('a terminal whose window is full is told at once: its program waits for that', () => {
  const clock = new VirtualClock();
  let told = 0;
  const order = { rows: 1, columns: 1, inputBytesMax: 100, outputBytesMax: 400 };
  const terminal = new LeaseTerminal(
    order,
    (news) => (told += news.kind === 'output' ? Buffer.from(news.data, 'base64').length : 0),
    (due) => new Pace(clock, agentPace(clock), due),
  );
  for (let byte = 0; byte < 1000; byte += 1) terminal.output(Buffer.from('x'));
  assert.ok(told >= 900, `${told}`);
});

test('what is much is told at once, and makes nobody wait for long', () => {
  const clock = new VirtualClock();
  const shared = agentPace(clock);
  const [much, quiet] = [setPace(clock, shared), setPace(clock, shared)];
  for (let ms = 0; ms < 2000; ms += 1) {
    for (let chunk = 0; chunk < 10; chunk += 1) much.write('x'.repeat(65_536));
    clock.pass(1);
  }
  assert.ok(much.told.length >= 20_000 - 250);
  for (const { write, told } of [quiet, much]) {
    const before = told.length;
    write('prompt: ');
    let waitedMs = 0;
    for (; told.length === before; waitedMs += 1) clock.pass(1);
    assert.ok(waitedMs <= 60, `${waitedMs} ms`);
  }
});
