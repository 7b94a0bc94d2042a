/**
 * Owns the proof of how the command line's words are read: commands, flags, operands, what is said of what is wrong, and that everything that is derived from the
 * declaration holds all of it. Never asks anybody.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { toCompletion } from '../../client/cli/completion-scripts.ts';
import { commands, type FlagName, flags } from '../../client/cli/declaration.ts';
import { exitCodeLines, exitCodes } from '../../client/cli/exit-codes.ts';
import { toHelp } from '../../client/cli/help-text.ts';
import { readWords } from '../../client/cli/invocation.ts';
import { toCliPage } from '../../ops/docs/cli-page.ts';
import { toManualPage } from '../../ops/docs/manual-page.ts';

function invoked(...words: string[]) {
  const reading = readWords(words);
  assert.equal(reading.kind, 'invocation', JSON.stringify(reading));
  assert.ok(reading.kind === 'invocation');
  return reading.invocation;
}

function problemsOf(...words: string[]): readonly string[] {
  const reading = readWords(words);
  assert.ok(reading.kind === 'problems', JSON.stringify(reading));
  return reading.problems;
}

test('a command has operands, flags in any order and form, and words of the program after --', () => {
  const words = [
    'run',
    '-e',
    'python',
    'a.py',
    '--limits=cpu=1s',
    '-v',
    '--arg',
    'x',
    '-a',
    '--y',
    '--',
    '--env',
    'z',
    '--',
  ];
  const { command, operands, rest, flags: given } = invoked(...words);
  assert.deepEqual([command.name, operands, rest], ['run', ['a.py'], ['--env', 'z', '--']]);
  assert.deepEqual([given.text('env'), given.text('limits'), given.texts('arg')], ['python', 'cpu=1s', ['x', '--y']]);
  assert.deepEqual([given.has('verbose'), given.has('json'), given.text('stdin')], [true, false, null]);
});

test('a command of two words has its own flags', () => {
  const { command, operands, flags: given } = invoked('env', 'build', './here', '--fresh');
  assert.deepEqual([command.name, operands, given.has('fresh')], ['env build', ['./here'], true]);
});

test('what is wrong is told with what was probably meant, everything at once', () => {
  assert.deepEqual(problemsOf('rnu', 'a.py'), ['there is no command rnu; did you mean envicutor run?']);
  assert.deepEqual(problemsOf('env', 'biuld'), ['there is no command env biuld; did you mean envicutor env build?']);
  assert.deepEqual(problemsOf('solution.cpp'), [
    'there is no command solution.cpp; did you mean envicutor run solution.cpp?',
  ]);
  assert.deepEqual(problemsOf('run', 'a.py', '--limit', 'cpu=1s', '--json=yes', '--env'), [
    '--limit is no flag of envicutor run; did you mean --limits?',
    '--json takes no value',
    '--env needs a value: --env NAME|FOLDER|ID',
  ]);
  assert.deepEqual(problemsOf('run', '-z'), ['-z is no flag of envicutor run; see envicutor run --help']);
  assert.deepEqual(problemsOf('run', '--env', 'a', '-e', 'b'), ['-e is given twice']);
  assert.deepEqual(problemsOf('completion', 'tcsh'), ['tcsh is none of bash, zsh, fish']);
  assert.deepEqual(problemsOf('env', 'list', 'x'), ['envicutor env list takes no operand: x is too much']);
  assert.deepEqual(problemsOf('doctor', '--', 'x'), ['envicutor doctor takes nothing after --']);
  assert.deepEqual(problemsOf('--url', 'x'), ['--url comes after a command; see envicutor --help']);
});

test('help is of a command, of a group of them, or of all', () => {
  assert.deepEqual(readWords([]), { kind: 'help', topic: '' });
  assert.deepEqual(readWords(['run', 'a.py', '-h']), { kind: 'help', topic: 'run' });
  assert.deepEqual(readWords(['env']), { kind: 'help', topic: 'env' });
  assert.deepEqual(readWords(['help', 'env', 'log']), { kind: 'help', topic: 'env log' });
  assert.match(toHelp('env'), /^ {2}env build/m);
  assert.doesNotMatch(toHelp('env'), /^ {2}run/m);
});

test('help, page and manual hold every command, flag and exit code', () => {
  const page = toCliPage();
  const manual = toManualPage().replaceAll('\\-', '-');
  for (const command of commands) {
    const help = toHelp(command.name);
    for (const name of command.flags) {
      assert.ok(help.includes(`--${name}`), `${name} in the help of ${command.name}`);
      assert.ok(page.includes(`--${name}`) && manual.includes(`--${name}`), name);
    }
    assert.ok(toHelp('').includes(command.summary), command.name);
    assert.ok(page.includes(`## ${command.name}\n`) && manual.includes(`envicutor ${command.name}`), command.name);
  }
  for (const code of Object.values(exitCodes).filter((code) => code !== 0))
    assert.ok(
      exitCodeLines.some(([told]) => told === String(code)),
      `exit code ${code}`,
    );
  const used = new Set(commands.flatMap((command) => command.flags));
  assert.deepEqual(
    Object.keys(flags).filter((name) => !used.has(name as FlagName)),
    ['help', 'version'],
  );
});

test('the completion of bash completes commands, verbs, flags and values, and each shell has all of them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-completion-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'envicutor.bash'), toCompletion('bash') ?? '');
  const complete = (...words: string[]) => {
    const script = `source ./envicutor.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _envicutor; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
  };
  assert.deepEqual(complete('envicutor', 'do'), ['doctor']);
  assert.deepEqual(complete('envicutor', 'env', 'l'), ['list', 'log']);
  assert.deepEqual(complete('envicutor', 'env', 'build', '--f'), ['--fresh']);
  assert.deepEqual(complete('envicutor', 'run', '--stdin', 'envi'), ['envicutor.bash']);
  assert.deepEqual(complete('envicutor', 'completion', 'z'), ['zsh']);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = toCompletion(shell) ?? '';
    for (const { name, flags: own } of commands)
      for (const word of [...name.split(' '), ...own]) assert.ok(script.includes(word), `${shell}: ${word}`);
  }
  assert.equal(toCompletion('tcsh'), null);
});
