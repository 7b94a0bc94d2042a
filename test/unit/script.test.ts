/**
 * Owns the proof that a script means the same to the shell however we start it, and that its last command takes the shell's place where
 * that is safe. Runs the real /bin/sh, without a sandbox: the scripts are ours.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toScriptLaunch } from '../../shared/sandbox/script.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-script-'));
after(() => rmSync(folder, { recursive: true }));

function textOf(script: string): string {
  return Buffer.from(toScriptLaunch(script, []).file.content).toString();
}

function run(text: string): object {
  const path = join(folder, 'script');
  writeFileSync(path, text);
  const { status, signal, stdout } = spawnSync('/bin/sh', ['-e', path, 'one', 'two words'], { cwd: folder });
  return { status, signal, stdout: stdout.toString() };
}

test('a script runs by the shell, with -e and its arguments', () => {
  const { argv, file } = toScriptLaunch('echo "$1"', ['a b']);
  assert.deepEqual(argv, ['/bin/sh', '-e', '/run/envicutor/script', 'a b']);
  assert.deepEqual([file.path, file.isExecutable], ['script', true]);
});

test('a script with an interpreter line is executed itself, untouched', () => {
  const script = '#!/usr/bin/env python3\nprint(1)\n';
  assert.deepEqual(toScriptLaunch(script, ['x']).argv, ['/run/envicutor/script', 'x']);
  assert.equal(textOf(script), script);
});

const replaced = [
  './main',
  './main < input.txt > out.txt',
  'python3 main.py $1 *.txt\n',
  '# compile\ncd src\nX=1\ng++ -O2 main.cpp -o main  \n\n',
];
for (const script of replaced) {
  test(`the last command takes the shell's place: ${JSON.stringify(script)}`, () => {
    const lines = script.trimEnd().split('\n');
    const last = `exec ${lines.pop()}\n`;
    assert.equal(textOf(script), [...lines, last].join('\n'));
  });
}

const kept = [
  'true',
  'exit 3',
  'X=1 ./main',
  './main; echo done',
  './main && ./other',
  './main | cat',
  './server & ./main',
  'echo "a\n./main',
  'cat <<END\n./main',
  'cat <<END\n./main\nEND',
  'if true\nthen ./main\nfi',
  'while read x\ndo\n./main',
  "trap 'echo bye' EXIT\n./main",
  'echo a \\\n./main',
  '. ./functions\nmain',
  '(cd x\n./main)',
  './main $(cat x)',
  './main # comment',
  '! ./main',
  './main\r\n',
  'f() {\n./main',
  '-strange',
  '',
  '\n',
];
for (const script of kept) {
  test(`a script is left alone: ${JSON.stringify(script)}`, () => assert.equal(textOf(script), script));
}

const meanings = [
  'printf %s:%s\\\\n "$1" "$2"',
  'env printf %s-%s $1 $2',
  'cd /tmp\nenv pwd',
  'env false\nenv echo not reached',
  'NAME=value\nexport NAME\nenv printenv NAME',
  'no-such-command',
  '/dev/null',
  'sleep 0',
];
for (const script of meanings) {
  test(`the shell does the same with it: ${JSON.stringify(script)}`, () => {
    assert.deepEqual(run(textOf(script)), run(script));
  });
}

test("a program's own signal is seen instead of the shell's 128+n", () => {
  writeFileSync(join(folder, 'crash'), '#!/bin/sh\nkill -SEGV $$\n', { mode: 0o755 });
  assert.deepEqual(run('./crash'), { status: 139, signal: null, stdout: '' });
  assert.deepEqual(run(textOf('./crash')), { status: null, signal: 'SIGSEGV', stdout: '' });
});
