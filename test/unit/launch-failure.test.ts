/**
 * Owns the proof that every failure of the launcher has a sentence for people, which keeps step and errno.
 * Never makes the launcher fail: test/sandbox/launcher-refusals.test.ts does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { names } from '../../shared/sandbox/contract.ts';
import { toFailureSentence, toLaunchSentence } from '../../shared/sandbox/launch-failure.ts';
import { toStepName } from '../../shared/sandbox/launch-report.ts';
import { launchReport } from '../support/fake-sandbox.ts';

test('every step of the contract has a sentence with a remedy', () => {
  for (const [name, number] of Object.entries(names.STEP)) {
    if (name === 'NONE') continue;
    const sentence = toFailureSentence({ step: toStepName(number), errno: 'EIO' });
    assert.match(sentence, /^[^:]{15,}: .{20,} \(step [a-z]+, EIO\)$/, name);
    assert.doesNotMatch(sentence, /does not know/, name);
  }
});

test('a step that is newer than this program is named all the same', () => {
  assert.match(toFailureSentence({ step: 'step-99', errno: 'errno-4711' }), /\(step step-99, errno-4711\)$/);
});

test('what is known of an errno takes the place of the general remedy', () => {
  assert.match(toFailureSentence({ step: 'exec', errno: 'ENOEXEC' }), /architecture/);
  assert.match(toFailureSentence({ step: 'cgroup', errno: 'EOPNOTSUPP' }), /cpuset/);
  assert.match(toFailureSentence({ step: 'files', errno: 'ENOSPC' }), /diskBytes/);
});

test('a launch without a failure is told by its end', () => {
  assert.equal(toLaunchSentence(launchReport({ end: 'client' })), 'the run was ended by us');
});
