/**
 * Owns the proof of `run --test`'s parts: folders of tests, comparisons, the table, the difference of the first wrong one; and of exit codes. Asks nobody.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildBoard, toPlainText } from '../../client/cli/build-board.ts';
import { toExitCode } from '../../client/cli/exit-codes.ts';
import { LogProgress } from '../../client/cli/log-progress.ts';
import { CommandError, type Paint, type Surroundings } from '../../client/cli/surroundings.ts';
import { findTests, readComparison } from '../../client/cli/test-folder.ts';
import { toDifference, toFirstWrong, toRow } from '../../client/cli/test-table.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import { makeReport } from '../support/lease-results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const plain: Paint = (_, text) => text;

function folderOf(t: { after(ending: () => void): void }, ...names: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-tests-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'deep'));
  for (const name of names) writeFileSync(join(folder, name), name);
  return folder;
}

test('tests are pairs, in the order in which people count, also below folders', (t) => {
  const folder = folderOf(t, '10.in', '10.ans', '2.in', '2.out', 'deep/1.in', 'deep/1.ans', 'README');
  const found = findTests(folder, 'tests');
  assert.deepEqual(
    found.map(({ name, answer }) => [name, answer.slice(folder.length + 1)]),
    [
      ['2', '2.out'],
      ['10', '10.ans'],
      ['deep/1', 'deep/1.ans'],
    ],
  );
});

test('an input without an answer, a folder without tests and a comparison that is none are told', (t) => {
  const folder = folderOf(t, '1.in', '2.in', '2.ans');
  assert.throws(() => findTests(folder, 'tests'), /tests: 1\.in has no 1\.ans$/);
  assert.throws(() => findTests(join(folder, 'deep'), 'tests'), /holds no file that ends with \.in/);
  assert.throws(() => findTests(join(folder, 'nowhere'), 'tests'), /ENOENT/);
  for (const text of ['float=2', 'lines=1', 'fuzzy']) assert.throws(() => readComparison(text), CommandError);
  assert.deepEqual(
    [readComparison(null), readComparison('float=1e-6')],
    [{ kind: 'lines' }, { kind: 'float', tolerance: 1e-6 }],
  );
});

test('a difference shows where two texts part, what stands before it, and no more than is readable', () => {
  assert.deepEqual(toDifference('1\n2\n3\n4\n5\n', '1\n2\n3\nfour\n5\n', false), [
    'line 4:',
    '  2',
    '  3',
    '- 4',
    '+ four',
  ]);
  assert.deepEqual(toDifference('a\n', 'a\nb\n', false), ['line 2:', '  a', '+ b']);
  assert.deepEqual(toDifference('a\nb\n', 'a\n', false), ['line 2:', '  a', '- b']);
  assert.deepEqual(toDifference('a \n', 'a\n\n', false), ['no line differs but for spaces at its end']);
  const many = Array.from({ length: 20 }, (_, line) => `${line}`).join('\n');
  assert.equal(toDifference(many, 'x', false).at(9), '- … and 12 more');
  assert.equal(toDifference('a\nb', 'a\nc', true).at(-1), '+ … what follows was not told');
});

const result = (name: string, outcome: TestResult['outcome'], stdout = ''): TestResult => ({
  ...{ name, outcome, check: null },
  report: outcome === 'skipped' ? null : { ...makeReport(), stdout },
});

test('the table has a row for each test, and the first wrong one is told at length without what a terminal would obey', () => {
  assert.match(toRow(result('7', 'accepted'), 4, plain), /^7 {5}accepted .* s .* MiB$/);
  assert.equal(toRow(result('8', 'skipped'), 4, plain), '8     skipped');
  const results = [
    result('1', 'accepted', 'a\n'),
    result('2', 'wrong-answer', 'b\u001b[2J\n'),
    result('3', 'wrong-answer', 'x\n'),
  ];
  const told = toFirstWrong(results, (index) => `expected of ${index}\n`, plain);
  assert.deepEqual(told, ['2: wrong-answer', '  line 1:', '  - expected of 1', '  + b']);
  assert.deepEqual(
    toFirstWrong([result('1', 'accepted')], () => '', plain),
    [],
  );
  assert.equal(toPlainText('a\u001b[31mb\u0007\u0085c\u001b]0;title\u0007'), 'abc');
});

test('exit codes are the program’s own, and apart for limits, compilers, environments, tests and failures of ours', () => {
  const report = makeReport();
  const codeOf = (part: Partial<Execution>) =>
    toExitCode({ verdict: 'ok', endedIn: 'run', run: report, ...part } as Execution);
  assert.equal(codeOf({}), 0);
  assert.equal(codeOf({ verdict: 'nonzero-exit', run: { ...report, verdict: 'nonzero-exit', exitCode: 42 } }), 42);
  assert.equal(
    codeOf({ verdict: 'signaled', run: { ...report, verdict: 'signaled', exitCode: null, signal: 'SIGSEGV' } }),
    139,
  );
  assert.equal(
    codeOf({ verdict: 'memory-exceeded', run: { ...report, verdict: 'memory-exceeded', exitCode: null } }),
    124,
  );
  assert.equal(codeOf({ verdict: 'start-failed', run: { ...report, verdict: 'start-failed', exitCode: null } }), 126);
  assert.equal(codeOf({ verdict: 'nonzero-exit', endedIn: 'compile', run: null }), 121);
  assert.equal(codeOf({ verdict: 'nonzero-exit', endedIn: 'setup', run: null }), 120);
  assert.equal(codeOf({ verdict: 'accepted', endedIn: 'tests', run: null }), 0);
  assert.equal(codeOf({ verdict: 'wrong-answer', endedIn: 'tests', run: null }), 1);
  assert.equal(codeOf({ verdict: null, endedIn: null, run: null }), 125);
});

/** A board on a terminal that is none, and what it wrote. */
function boardOn(isTTY: boolean, options = { isVerbose: false, isQuiet: false }) {
  const written: string[] = [];
  const stderr = { isTTY, columns: 100, write: (text: string) => written.push(text) };
  const clock = new VirtualClock();
  const surroundings = { stderr, clock, variables: { NO_COLOR: '1' } } as unknown as Surroundings;
  return { board: new BuildBoard(surroundings, options), written, clock };
}

const phase = (layer: string, name: string) =>
  ({ type: 'build.phase', id: '1', data: { layer, phase: name } }) as never;
const log = (layer: string, text: string) =>
  ({ type: 'build.log', id: '1', data: { layer, stream: 'stdout', text } }) as never;

test('a build is a bar for each script on a terminal, with a percentage where the whole is known, and lines elsewhere', () => {
  const { board, written, clock } = boardOn(true);
  board.hear(phase('setup', 'running'));
  board.hear(phase('setup', 'capturing'));
  board.hear({
    type: 'build.progress',
    id: '1',
    data: { layer: 'setup', phase: 'capturing', bytes: 1, fraction: 0.5 },
  } as never);
  // What comes too soon after what was drawn is drawn a moment later.
  clock.pass(100);
  board.hear(log('setup', 'half a \u001b[2Jline'));
  board.hear(phase('dependencies', 'running'));
  board.rest(false);
  const rows = (written.at(-1) ?? '').split('\u001b[2K').slice(1);
  assert.match(rows[0] ?? '', /^setup {8}█{24} finished +100 %/);
  assert.match(rows[1] ?? '', /^dependencies █░{23} running +0\.0 s/);
  assert.ok(written.some((text) => text.includes('capturing         50 %')));
  assert.ok(!written.join('').includes('\u001b[2J'));

  const other = boardOn(false);
  other.board.hear(phase('setup', 'running'));
  other.board.hear(log('setup', 'Get:1\nGet:'));
  other.board.hear(log('setup', '2\n'));
  assert.deepEqual([other.written, other.board.tail], [['envicutor: setup: running\n'], ['Get:1', 'Get:2']]);

  const quiet = boardOn(true, { isVerbose: false, isQuiet: true });
  quiet.board.hear(phase('setup', 'running'));
  assert.deepEqual(quiet.written, []);
});

test('how far a script is, is known where it says so: by packages that apt announced, by percentages, by steps', () => {
  const progress = new LogProgress();
  const after = (...lines: string[]) => {
    for (const line of lines) progress.hear(line);
    return progress.fraction;
  };
  assert.equal(after('Get:1 http://host lists [1 kB]', 'Reading package lists...'), null);
  assert.equal(after('0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.'), 0);
  assert.equal(after('Get:1 http://host a', 'Get:2 http://host b', 'Unpacking a (1) ...'), 0.5);
  assert.equal(after('Unpacking b (1) ...', 'Setting up a (1) ...', 'Setting up b (1) ...', 'Setting up c ...'), 1);
  assert.equal(after('[ 45%] Building CXX object'), 0.45);
  assert.equal(after('[30/40] Linking'), 0.75);
});
