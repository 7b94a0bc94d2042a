/**
 * Owns what an execution's answer becomes in the words of Judge0's protocol, written from its published contract: statuses, messages, figures, output.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64Lines } from '../../coordinator/compatibility/judge0/judge0-answer.ts';
import { type Submission, toText } from '../../coordinator/compatibility/judge0/judge0-attributes.ts';
import { isExpected, toOutcome, toSeconds } from '../../coordinator/compatibility/judge0/judge0-outcome.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { answeredExample } from '../../shared/model/execution-examples.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { makeReport } from '../support/lease-results.ts';

const submission: Submission = {
  ...{ source_code: toText(Buffer.from('x')), language_id: 71, compiler_options: null, command_line_arguments: null },
  ...{ stdin: null, expected_output: null, cpu_time_limit: 5, cpu_extra_time: 1, wall_time_limit: 10 },
  ...{ memory_limit: 128_000, stack_limit: 64_000, max_processes_and_or_threads: 60, max_file_size: 1024 },
  ...{ number_of_runs: 1, enable_per_process_and_thread_time_limit: false, redirect_stderr_to_stdout: false },
  ...{ enable_per_process_and_thread_memory_limit: false, enable_network: false, callback_url: null },
  additional_files: null,
};

const usage = makeReport().usage;
const example = answeredExample as unknown as Execution;
const finished: Execution = {
  ...example,
  ...{ stage: 'finished', verdict: 'ok', endedIn: 'run', setup: null, dependencies: null, verify: null },
  ...{ compile: null, tests: [], failure: null, run: makeReport(), finishedAt: '2026-01-01T00:00:01.000Z' },
};
const ran = (run: Partial<Report>, asked: Partial<Submission> = {}) =>
  toOutcome({ ...finished, run: makeReport(run) }, { ...submission, ...asked });
const told = (run: Partial<Report>, asked: Partial<Submission> = {}) => {
  const { status, message, exit_code, exit_signal } = ran(run, asked);
  return [status.id, message?.text ?? null, exit_code, exit_signal];
};
const expecting = (text: string) => ({ expected_output: toText(Buffer.from(text)) });

test('every way in which a program may end has its status, message, exit code and signal', () => {
  const signaled = (signal: string) => told({ verdict: 'signaled', exitCode: null, signal });
  assert.deepEqual(told({}), [3, null, 0, null]);
  assert.deepEqual(told({ verdict: 'nonzero-exit', exitCode: 7 }), [11, 'Exited with error status 7', 7, null]);
  assert.deepEqual(signaled('SIGSEGV'), [7, 'Caught fatal signal 11', 0, 11]);
  assert.deepEqual(signaled('SIGXFSZ'), [8, 'Caught fatal signal 25', 0, 25]);
  assert.deepEqual(signaled('SIGFPE'), [9, 'Caught fatal signal 8', 0, 8]);
  assert.deepEqual(signaled('SIGABRT'), [10, 'Caught fatal signal 6', 0, 6]);
  assert.deepEqual(signaled('SIGTERM'), [12, 'Caught fatal signal 15', 0, 15]);
  assert.deepEqual(signaled('SIGRTMIN+3'), [12, 'Caught fatal signal 37', 0, 37]);
  const killed = { exitCode: null, signal: 'SIGKILL' };
  assert.deepEqual(told({ ...killed, verdict: 'cpu-time-exceeded' }), [5, 'Time limit exceeded', 0, null]);
  assert.deepEqual(told({ ...killed, verdict: 'wall-time-exceeded' }), [
    5,
    'Time limit exceeded (wall clock)',
    0,
    null,
  ]);
  assert.deepEqual(told({ ...killed, verdict: 'memory-exceeded' }), [12, 'Caught fatal signal 9', 0, 9]);
  assert.deepEqual(told({ ...killed, verdict: 'output-exceeded' }), [8, 'Caught fatal signal 25', 0, 25]);
  const start = (errno: string) =>
    told({ verdict: 'start-failed', exitCode: null, start: { step: 'exec', errno, detail: 'no way' } });
  assert.deepEqual(start('ENOEXEC'), [14, 'execve: Exec format error', 0, null]);
  assert.deepEqual(start('EAGAIN'), [13, 'no way', 0, null]);
});

test('extra time is time to be told in, not to be used: a program that ended in it is late', () => {
  const used = (cpuTimeMs: number) => ({ usage: { ...usage, cpuTimeMs } });
  assert.equal(ran(used(5000)).status.id, 3);
  assert.equal(ran(used(5001)).status.id, 5);
  assert.equal(ran({ ...used(5001), verdict: 'nonzero-exit', exitCode: 1 }).status.id, 5);
  assert.equal(ran(used(9000), { cpu_time_limit: 0 }).status.id, 3, 'zero is no limit of the client');
});

test('output is compared by lines without what is white at their end; a program without output is never right', () => {
  const compared = (stdout: string, expected: string) => ran({ stdout }, expecting(expected)).status.id;
  assert.equal(compared('a \t\nb\n\n\n', 'a\nb'), 3);
  assert.equal(compared('a\nb', 'a  \r\nb\r\n \n'), 3);
  assert.equal(compared(' a', 'a'), 4);
  assert.equal(compared('a\n\nb', 'a\nb'), 4);
  assert.equal(compared('', ''), 4);
  assert.equal(compared('\n', ''), 3);
  assert.equal(isExpected(Buffer.from('x\0\n'), Buffer.from('x')), true);
  assert.equal(isExpected(Buffer.from([0xff, 10]), Buffer.from([0xff])), true);
  assert.equal(isExpected(Buffer.from('a\nb'), Buffer.from('a\nb\nc')), false);
  const failing = { verdict: 'nonzero-exit', exitCode: 1, stdout: 'a' } as const;
  assert.equal(ran(failing, expecting('a')).status.id, 11, 'what failed is not compared');
});

test('a compile error has the output of the compiler and nothing of a run', () => {
  const compile = makeReport({ verdict: 'nonzero-exit', exitCode: 1, stdout: 'one\n', stderr: 'two\n' });
  const execution: Execution = { ...finished, verdict: 'nonzero-exit', endedIn: 'compile', compile, run: null };
  const { status, compile_output, ...rest } = toOutcome(execution, submission);
  assert.deepEqual([status.id, compile_output?.text], [6, 'one\ntwo\n']);
  assert.deepEqual(new Set(Object.values(rest)), new Set([null]));
  const late = { ...execution, compile: makeReport({ verdict: 'wall-time-exceeded', exitCode: null }) };
  assert.equal(toOutcome(late, submission).compile_output?.text, 'Compilation time limit exceeded.');
  const warned = { ...finished, compile: makeReport({ stdout: '', stderr: 'warning\n' }) };
  assert.equal(toOutcome(warned, submission).compile_output?.text, 'warning\n');
  const silent = { ...finished, compile: makeReport({ stdout: '', stderr: '' }) };
  assert.equal(toOutcome(silent, submission).compile_output, null);
});

test('what goes on is in the queue or being processed; what failed by our fault says why', () => {
  const at = (stage: Execution['stage']) =>
    toOutcome({ ...finished, stage, run: null, finishedAt: null }, submission).status.id;
  assert.deepEqual([at('queued'), at('building'), at('preparing'), at('running')], [1, 1, 2, 2]);
  const failed: Execution = { ...finished, stage: 'failed', run: null, verdict: null, endedIn: null };
  const fault = toOutcome({ ...failed, failure: { code: 'agent-lost', detail: 'three agents were lost' } }, submission);
  assert.deepEqual([fault.status.id, fault.message?.text], [13, 'three agents were lost']);
  const unbuilt: Execution = { ...finished, run: null, verdict: 'nonzero-exit', endedIn: 'setup' };
  assert.match(toOutcome(unbuilt, submission).message?.text ?? '', /script 'setup' failed/);
});

test('several runs have the mean of their figures, and the verdict of the first that went wrong', () => {
  const test = (outcome: 'accepted' | 'wrong-answer', cpuTimeMs: number, stdout = 'a\n') => ({
    ...{ name: '1', outcome, check: null },
    report: makeReport({ stdout, usage: { ...usage, cpuTimeMs, memoryPeakBytes: cpuTimeMs * 1024 } }),
  });
  const skipped = { name: '3', outcome: 'skipped', check: null, report: null } as const;
  const judged = (verdict: Execution['verdict'], tests: Execution['tests']) =>
    toOutcome({ ...finished, run: null, endedIn: 'tests', verdict, tests }, { ...submission, ...expecting('a') });
  const right = judged('accepted', [test('accepted', 10), test('accepted', 30)]);
  assert.deepEqual([right.status.id, right.time, right.memory, right.stdout?.text], [3, '0.02', 20, 'a\n']);
  assert.equal(judged('accepted', [test('accepted', 10, '')]).status.id, 4, 'silence is never right');
  const wrong = judged('wrong-answer', [test('accepted', 10), test('wrong-answer', 20, 'b\n'), skipped]);
  assert.deepEqual([wrong.status.id, wrong.stdout?.text, wrong.time], [4, 'b\n', '0.015']);
});

test('seconds have one to three digits, base64 has lines of 60 characters', () => {
  assert.deepEqual([0, 1, 170, 5000, 1234.6].map(toSeconds), ['0.0', '0.001', '0.17', '5.0', '1.235']);
  const lines = toBase64Lines(Buffer.alloc(46, 'a')).split('\n');
  assert.deepEqual(
    lines.map(({ length }) => length),
    [60, 4, 0],
  );
  assert.equal(toBase64Lines(Buffer.from('hello')), 'aGVsbG8=\n');
});
