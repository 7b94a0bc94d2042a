/**
 * Owns the proof of envicutor-run's command line: flags come from the limits' declaration, and nothing wrong or unknown passes.
 * Never runs a program: test/sandbox/envicutor-run.test.ts does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusLines, toExitStatus } from '../../client/run/exit-status.ts';
import { flags, type Invocation, readInvocation, toHelp } from '../../client/run/flags.ts';
import { limitNames } from '../../shared/model/limits.ts';
import type { Report } from '../../shared/model/verdict.ts';

function read(...words: string[]): Invocation {
  const asked = readInvocation(words);
  assert.ok(asked !== 'help' && 'invocation' in asked, JSON.stringify(asked));
  return asked.invocation;
}

function problems(...words: string[]): readonly string[] {
  const asked = readInvocation(words);
  return asked !== 'help' && 'problems' in asked ? asked.problems : [];
}

test('every limit has a flag with its name and unit, and the help tells each with its default', () => {
  const values = limitNames.map((name, index) => [
    `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    `${index + 1}`,
  ]);
  assert.deepEqual(
    read(...values.flat(), 'true').limits,
    Object.fromEntries(limitNames.map((name, index) => [name, index + 1])),
  );
  const help = toHelp(statusLines);
  for (const name of Object.keys(flags)) assert.match(help, new RegExp(`^  --${name}[ \\n]`, 'm'));
  assert.match(help, /--cpu-time-ms N +Processor time .*Default 10000\./);
});

test('flags end at -- or at the first word that is none; what follows is the program, whatever it looks like', () => {
  assert.deepEqual(read('--json', '--', '--help').command, ['--help']);
  assert.deepEqual(read('--stdin', '-', 'ls', '--json', '--', 'x').command, ['ls', '--json', '--', 'x']);
  assert.equal(read('ls', '--json').isReportPrinted, false);
});

test('values come behind a space or an equals sign, and repeat where that makes sense', () => {
  const { files, environment, collect, directories } = read(
    ...[
      '--file=a=b',
      '--file',
      'c=d=e',
      '--environment',
      'A=',
      '--environment=B=x=y',
      '--collect',
      '*.o',
      '--collect=*.a',
    ],
    ...['--directory', 'src', 'true'],
  );
  assert.deepEqual(files, [
    { source: 'a', path: 'b' },
    { source: 'c', path: 'd=e' },
  ]);
  assert.deepEqual([environment, collect, directories], [{ A: '', B: 'x=y' }, ['*.o', '*.a'], ['src']]);
});

test('the defaults are our own input, streamed output and no report', () => {
  const { stdin, isTerminal, reportPath, isReportPrinted, root } = read('true');
  assert.deepEqual([stdin, isTerminal, reportPath, isReportPrinted, root], ['-', false, null, false, null]);
  assert.deepEqual(read('--report', '-', 'true').isReportPrinted, true);
  assert.deepEqual(read('--report', 'r.json', 'true').reportPath, 'r.json');
});

test('everything wrong is told at once, in a sentence with the remedy', () => {
  assert.deepEqual(problems('--cpu-time=1', '--processes', '0', '--memory-bytes=1MB', '--file', 'a', '--json=1'), [
    '--cpu-time is no flag; there is --cpu-time-ms, --cpu-shares, --cpus',
    '--json takes no value',
    "--memory-bytes is '1MB': give a whole number from 1 to 9007199254740991",
    "--processes is '0': give a whole number from 1 to 4194304",
    "--file is 'a': give SOURCE=PATH",
    'no program is given: end with -- PROGRAM ARGUMENTS',
  ]);
  assert.deepEqual(problems('-x', 'true'), ['-x is no flag; see --help']);
  assert.deepEqual(problems('--stdin'), ['--stdin needs FILE', 'no program is given: end with -- PROGRAM ARGUMENTS']);
  assert.deepEqual(problems('--root', 'a', '--root', 'b', 'true'), ['--root is given twice']);
  assert.deepEqual(problems('--toString', 'true'), ['--toString is no flag; see --help']);
  assert.equal(readInvocation(['--nope', '--help']), 'help');
});

test("the exit status is the program's own, 128 and its signal, or says whose doing the end was", () => {
  const report = (fields: Partial<Report>) =>
    ({ verdict: 'ok', exitCode: null, signal: null, start: null, ...fields }) as Report;
  assert.equal(toExitStatus(report({ exitCode: 0 })), 0);
  assert.equal(toExitStatus(report({ verdict: 'nonzero-exit', exitCode: 42 })), 42);
  assert.equal(toExitStatus(report({ verdict: 'signaled', signal: 'SIGSEGV' })), 139);
  assert.equal(toExitStatus(report({ verdict: 'signaled', signal: 'SIGRTMIN+3' })), 165);
  assert.equal(toExitStatus(report({ verdict: 'memory-exceeded', signal: 'SIGKILL' })), 124);
  assert.equal(toExitStatus(report({ verdict: 'disk-exceeded', exitCode: 1 })), 124);
  assert.equal(
    toExitStatus(report({ verdict: 'start-failed', start: { step: 'exec', errno: 'ENOENT', detail: '' } })),
    127,
  );
  assert.equal(
    toExitStatus(report({ verdict: 'start-failed', start: { step: 'exec', errno: 'EACCES', detail: '' } })),
    126,
  );
});
