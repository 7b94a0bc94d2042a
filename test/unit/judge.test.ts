/**
 * Owns the proof of the contract's rules about verdicts, case by case.
 * Never runs a program: reports are made up from one that ended well.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitDefaults } from '../../shared/model/limits.ts';
import { isJudgeable, judge } from '../../shared/sandbox/judge.ts';
import type { ExceededLimit, LaunchReport } from '../../shared/sandbox/sandbox.ts';
import { toSignalName } from '../../shared/sandbox/signal-names.ts';
import { launchReport } from '../support/fake-sandbox.ts';

const limits = limitDefaults.run;
const none = Buffer.alloc(0);
const verdictOf = (changes: Partial<LaunchReport>) =>
  judge({ launch: launchReport(changes), limits, stdout: none, stderr: none, slot: 3 });

test('exit 0 is ok, another exit is nonzero-exit, also 126 and 127', () => {
  assert.equal(verdictOf({}).verdict, 'ok');
  for (const exitCode of [1, 3, 126, 127, 139, 255]) {
    const report = verdictOf({ exitCode });
    assert.deepEqual([report.verdict, report.exitCode, report.start], ['nonzero-exit', exitCode, null]);
  }
});

test('a program that could not be started says at which step and why, and has no exit code', () => {
  const failure = { step: 'exec', errno: 'ENOENT' };
  const report = verdictOf({ end: 'start-failed', exitCode: null, failure, startedAtMs: null });
  const { detail = '', ...start } = report.start ?? {};
  assert.deepEqual([report.verdict, start, report.exitCode], ['start-failed', failure, null]);
  assert.match(detail, /^the program could not be started: it does not exist, .* \(step exec, ENOENT\)$/);
  assert.equal(report.startedAt, null);
});

test('a signal that nobody of us sent is signaled, by name', () => {
  const report = verdictOf({ end: 'signaled', exitCode: null, signal: 11 });
  assert.deepEqual([report.verdict, report.signal, report.exitCode], ['signaled', 'SIGSEGV', null]);
});

test('signals are spelled as the contract says', () => {
  const spelled = [6, 9, 29, 31, 33, 34, 37, 64].map(toSignalName);
  const expected = ['SIGABRT', 'SIGKILL', 'SIGIO', 'SIGSYS', 'SIG33', 'SIGRTMIN+0', 'SIGRTMIN+3', 'SIGRTMIN+30'];
  assert.deepEqual(spelled, expected);
});

const limitVerdicts: readonly [ExceededLimit, string][] = [
  ['cpuTimeMs', 'cpu-time-exceeded'],
  ['wallTimeMs', 'wall-time-exceeded'],
  ['idleTimeMs', 'idle-time-exceeded'],
  ['memoryBytes', 'memory-exceeded'],
  ['outputBytes', 'output-exceeded'],
  ['fileSizeBytes', 'file-size-exceeded'],
];
for (const [limit, verdict] of limitVerdicts) {
  test(`${limit} that ended the program is ${verdict}, with what was allowed and seen`, () => {
    const exceeded = { limit, allowed: 100, observed: 101 };
    const report = verdictOf({ end: 'signaled', exitCode: null, signal: 9, exceeded });
    assert.deepEqual([report.verdict, report.exceeded, report.signal], [verdict, exceeded, 'SIGKILL']);
  });
}

test('a full disk is disk-exceeded only when the program failed', () => {
  assert.equal(verdictOf({ diskFull: 'bytes' }).verdict, 'ok');
  const bytes = verdictOf({ diskFull: 'bytes', exitCode: 1, diskBytes: limits.diskBytes });
  assert.equal(bytes.verdict, 'disk-exceeded');
  assert.deepEqual(bytes.exceeded, {
    limit: 'diskBytes',
    allowed: limits.diskBytes,
    observed: limits.diskBytes,
  });
  const inodes = verdictOf({ diskFull: 'inodes', end: 'signaled', exitCode: null, signal: 6, diskInodes: 20_000 });
  assert.deepEqual([inodes.verdict, inodes.exceeded?.limit], ['disk-exceeded', 'diskInodes']);
});

test("files of the request that do not fit are the disk limit's doing, what stands in their way is the scripts', every other failed setup is ours", () => {
  const full = launchReport({ end: 'setup-failed', exitCode: null, failure: { step: 'files', errno: 'ENOSPC' } });
  assert.ok(isJudgeable(full));
  assert.equal(judge({ launch: full, limits, stdout: none, stderr: none, slot: null }).verdict, 'disk-exceeded');
  for (const errno of ['ENOTDIR', 'ELOOP', 'EISDIR', 'EEXIST', 'EACCES']) {
    const barred = launchReport({ end: 'setup-failed', exitCode: null, failure: { step: 'files', errno } });
    assert.ok(isJudgeable(barred), errno);
    const { verdict, start, exceeded } = judge({ launch: barred, limits, stdout: none, stderr: none, slot: null });
    assert.deepEqual([verdict, start?.step, start?.errno, exceeded], ['start-failed', 'files', errno, null]);
  }
  const lacking = launchReport({ end: 'setup-failed', exitCode: null, failure: { step: 'files', errno: 'EIO' } });
  assert.equal(isJudgeable(lacking), false);
  const broken = launchReport({ end: 'setup-failed', exitCode: null, failure: { step: 'overlay', errno: 'EINVAL' } });
  assert.equal(isJudgeable(broken), false);
  assert.throws(() => judge({ launch: broken, limits, stdout: none, stderr: none, slot: null }), /has no verdict/);
  assert.equal(isJudgeable(launchReport({ end: 'client' })), false);
});

test('output that is not UTF-8 is base64, each stream by itself', () => {
  const report = judge({
    launch: launchReport({ stdoutTruncated: true, stdoutBytes: 2, stderrBytes: 7 }),
    ...{ limits, stdout: Buffer.from([0xff, 0xfe]), stderr: Buffer.from('grüße'), slot: 0 },
  });
  assert.deepEqual([report.stdout, report.stdoutEncoding, report.stdoutTruncated], ['//4=', 'base64', true]);
  assert.deepEqual([report.stderr, report.stderrEncoding, report.stderrTruncated], ['grüße', 'utf8', false]);
  assert.equal(report.usage.outputBytes, 9);
});
