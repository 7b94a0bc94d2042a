/**
 * Owns what the end of a check program or of a conversation means.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCheckVerdict } from '../../agent/judging/check-verdict.ts';
import { Pipe, toInteractionVerdict } from '../../agent/judging/interaction.ts';
import { CHECK_MESSAGE_CHARACTERS_MAX } from '../../shared/model/judging.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { makeReport } from '../support/lease-results.ts';

const exits = (exitCode: number, stderr = '', stdout = '') =>
  makeReport({ exitCode, verdict: exitCode === 0 ? 'ok' : 'nonzero-exit', stderr, stdout });

/** What testlib's exit codes come to. */
const codes: readonly (readonly [number, string, string, number])[] = [
  [0, 'ok 3 numbers', 'accepted', 1],
  [1, 'wrong answer', 'wrong-answer', 0],
  [2, 'wrong output format', 'wrong-answer', 0],
  [3, 'FAIL the answer is wrong', 'checker-failed', 0],
  [4, 'dirt', 'wrong-answer', 0],
  [5, '', 'checker-failed', 0],
  [7, 'points 0.5 half', 'wrong-answer', 0.5],
  [7, 'points 1', 'accepted', 1],
  [7, 'points 1.5', 'checker-failed', 0],
  [7, 'points', 'checker-failed', 0],
  [7, 'points -1', 'checker-failed', 0],
  [7, 'points nan', 'checker-failed', 0],
  [8, 'unexpected end of file', 'wrong-answer', 0],
  [100, '', 'checker-failed', 0],
];

for (const [code, said, outcome, score] of codes) {
  test(`a check program that exits with ${code} saying '${said}' means ${outcome}`, () => {
    const verdict = toCheckVerdict(exits(code, said));
    assert.deepEqual([verdict.outcome, verdict.check.score], [outcome, score]);
    assert.ok(verdict.check.message.endsWith(said));
  });
}

test('its message is on standard error, else on standard output, and of bounded length', () => {
  assert.equal(toCheckVerdict(exits(0, '  \n', 'said here\n')).check.message, 'said here');
  const long = toCheckVerdict(exits(1, 'ä'.repeat(100_000))).check.message;
  assert.equal(long.length, CHECK_MESSAGE_CHARACTERS_MAX);
  assert.ok(toCheckVerdict(makeReport({ verdict: 'ok', stderr: '/w==', stderrEncoding: 'base64' })).check.message);
});

test('one that crashes or meets a limit has failed, whatever it says', () => {
  for (const verdict of ['signaled', 'cpu-time-exceeded', 'memory-exceeded', 'start-failed'] as const) {
    const { outcome, check } = toCheckVerdict(makeReport({ verdict, exitCode: null, stderr: 'ok' }));
    assert.equal(outcome, 'checker-failed');
    assert.match(check.message, new RegExp(`^the check program ended with ${verdict}`));
  }
});

/** A conversation: how each ended, and when. */
function talked(solution: Report, solutionMs: number, interactor: Report, interactorMs: number) {
  const end = (endedAtMs: number) =>
    ({ launch: { endedAtMs }, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }) as never;
  const ends = { solution: end(solutionMs), interactor: end(interactorMs), lastToSpeak: 'solution' as const };
  return toInteractionVerdict(ends, { solution, interactor }).outcome;
}

test('of a conversation it is the fault of whoever ended first by one, else what the interactor says', () => {
  const crashed = makeReport({ verdict: 'signaled', exitCode: null, signal: 'SIGSEGV' });
  const idle = makeReport({ verdict: 'idle-time-exceeded', exitCode: null });
  const [fine, accepts, refuses, fails] = [exits(0), exits(0), exits(1), exits(3)];
  assert.equal(talked(fine, 1, accepts, 2), 'accepted');
  assert.equal(talked(fine, 1, refuses, 2), 'wrong-answer');
  assert.equal(talked(crashed, 1, refuses, 2), 'signaled');
  assert.equal(talked(crashed, 1, fails, 2), 'signaled');
  assert.equal(talked(crashed, 2, refuses, 1), 'wrong-answer');
  assert.equal(talked(crashed, 2, accepts, 1), 'signaled', 'an accepting interactor needs a program that ended well');
  assert.equal(talked(fine, 1, fails, 2), 'checker-failed');
  assert.equal(talked(idle, 1, refuses, 2), 'idle-time-exceeded');
  assert.equal(talked(fine, 2, idle, 1), 'idle-time-exceeded');
  assert.equal(talked(fine, 1, idle, 2), 'checker-failed', 'it waited for nobody any more');
});

test('a pipe gives what was written before its end, in order, and takes nothing after it', async () => {
  const pipe = new Pipe();
  const chunk = Buffer.from('one');
  pipe.write(chunk);
  chunk.fill(0);
  const read: string[] = [];
  const reading = (async () => {
    for await (const part of pipe) read.push(Buffer.from(part).toString());
  })();
  await Promise.resolve();
  pipe.write(Buffer.from('two'));
  pipe.end();
  pipe.write(Buffer.from('three'));
  await reading;
  assert.deepEqual(read, ['one', 'two']);
});
