/**
 * Owns the proof of `envicutor-run`: streams, exit status, report and files of one program, started as a shell starts it.
 * Runs the real launcher; needs root. What its flags are is proven by test/unit/run-flags.test.ts.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { Report } from '../../shared/model/verdict.ts';
import { cgroupsNamed, untilGone } from '../support/host-traces.ts';

const program = join(import.meta.dirname, '../../client/run/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-run-'));
after(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
  return spawn(process.execPath, [program, ...words], { cwd: folder, stdio: [stdin, 'pipe', 'pipe'] });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  const [status] = await once(child, 'close', { signal: AbortSignal.timeout(30_000) });
  return { status, ...said };
}

const run = (...words: string[]): Promise<Ended> => ended(start(words));
const reportOf = (text: string): Report => {
  const report: unknown = JSON.parse(text);
  assert.deepEqual([...Value.Errors(Report, report)], []);
  return report as Report;
};

test("output and exit code are the program's own; a signal is 128 and its number", async () => {
  assert.deepEqual(await run('sh', '-c', 'echo out; echo err >&2; exit 7'), {
    status: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  assert.equal((await run('--', 'sh', '-c', 'kill -ABRT $$')).status, 134);
});

test('standard input is streamed while the program runs, and a program that ends does not wait for its end', async () => {
  const child = start(['sh', '-c', 'read a; echo "got $a"; read b; echo "got $b"'], 'pipe');
  const lines: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    lines.push(text);
    child.stdin?.write('second\n');
  });
  child.stdin?.write('first\n');
  const [status] = await once(child, 'close', { signal: AbortSignal.timeout(30_000) });
  assert.deepEqual([status, lines], [0, ['got first\n', 'got second\n']]);
});

test('a limit, a program that is not there, one that can not be executed and a wrong flag are told apart by the status', async () => {
  const limited = await run('--wall-time-ms', '200', '--', 'sleep', '60');
  assert.equal(limited.status, 124);
  assert.match(limited.stderr, /^envicutor-run: wall-time-exceeded: wallTimeMs is 200, observed \d+\n$/);
  assert.equal((await run('no-such-program')).status, 127);
  assert.equal((await run('/etc/passwd')).status, 126);
  const wrong = await run('--wall-time', '200', '--', 'true');
  assert.deepEqual([wrong.status, wrong.stdout], [125, '']);
  assert.match(wrong.stderr, /--wall-time is no flag; there is --wall-time-ms/);
  const unrunnable = await run('--root', 'nowhere', '--', 'true');
  assert.equal(unrunnable.status, 125);
  assert.match(unrunnable.stderr, /^envicutor-run: the root 'nowhere' can't be used/);
});

test("the report is the HTTP API's, in a file or on standard output", async () => {
  await run('--report', 'report.json', '--', 'sh', '-c', 'echo hi; exit 3');
  const report = reportOf(readFileSync(join(folder, 'report.json'), 'utf8'));
  assert.deepEqual([report.verdict, report.exitCode, report.stdout], ['nonzero-exit', 3, 'hi\n']);
  const printed = await run('--json', '--cpu-time-ms', '100', '--', 'sh', '-c', 'echo hi; while :; do :; done');
  assert.deepEqual([printed.status, printed.stderr], [124, '']);
  const { exceeded, stdout } = reportOf(printed.stdout);
  assert.deepEqual([exceeded?.limit, exceeded?.allowed, stdout], ['cpuTimeMs', 100, 'hi\n']);
});

test('files go in with their mode, folders as a whole, and nothing by way of a link', async () => {
  mkdirSync(join(folder, 'tree/sub'), { recursive: true });
  writeFileSync(join(folder, 'tree/sub/data'), 'inside');
  writeFileSync(join(folder, 'tool'), '#!/bin/sh\ncat sub/data; echo " $1"', { mode: 0o755 });
  const { stdout, stderr } = await run(
    '--directory',
    'tree',
    '--file',
    'tool=bin/tool',
    '--',
    './bin/tool',
    'argument',
  );
  assert.equal(stdout, 'inside argument\n', stderr);
  symlinkSync('/etc/shadow', join(folder, 'tree/link'));
  const linked = await run('--directory', 'tree', '--', 'true');
  assert.equal(linked.status, 125);
  assert.match(linked.stderr, /'tree\/link' is no regular file/);
  assert.equal((await run('--file', 'none=x', '--', 'true')).status, 125);
});

test('collected files are written where they are wanted, and what is no regular file is named', async () => {
  const script = 'mkdir out; echo 42 > out/answer; chmod +x out/answer; ln -s /etc/passwd out/link';
  const { status, stderr } = await run('--collect', 'out/*', '--collect-into', 'results', '--', 'sh', '-c', script);
  assert.deepEqual([status, stderr], [0, "envicutor-run: 'out/link' was not collected: not-regular\n"]);
  assert.equal(readFileSync(join(folder, 'results/out/answer'), 'utf8'), '42\n');
  assert.equal(statSync(join(folder, 'results/out/answer')).mode & 0o111, 0o111);
  assert.deepEqual(readdirSync(join(folder, 'results/out')), ['answer']);
});

test('with --tty the program has a terminal', async () => {
  const { status, stdout } = await run('--tty', '--', 'sh', '-c', 'test -t 0 && test -t 2 && stty size');
  assert.deepEqual([status, stdout], [0, '24 80\r\n']);
});

test('variables and input come from the flags, and from nowhere else', async () => {
  writeFileSync(join(folder, 'input'), 'from a file');
  const { stdout } = await run(
    '--environment',
    'A=b=c',
    '--stdin',
    'input',
    '--',
    'sh',
    '-c',
    'cat; echo; env | grep -v -E "^(PATH|PWD)="',
  );
  assert.deepEqual(
    stdout.split('\n').toSorted(),
    [
      '',
      'HOME=/environment/workspace',
      'LANG=C.UTF-8',
      'TMPDIR=/tmp',
      'USER=program',
      'A=b=c',
      'from a file',
    ].toSorted(),
  );
});

test('who stops reading our output ends the program', async () => {
  const child = start(['--output-bytes', '1000000000', '--', 'yes']);
  child.stderr?.resume();
  await once(child.stdout ?? child, 'data');
  child.stdout?.destroy();
  const [status] = await once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
  assert.equal(status, 141);
});

test('an interrupt ends program and sandbox, and the status says so', async () => {
  const child = start(['sh', '-c', 'echo started; sleep 4713']);
  await once(child.stdout ?? child, 'data');
  child.kill('SIGINT');
  assert.equal((await ended(child)).status, 130);
  await untilGone(() => cgroupsNamed(`envicutor-embedded-${child.pid}-`));
});
