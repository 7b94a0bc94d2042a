/**
 * Owns how large what a receiver is sent may be, whatever the execution was: its outputs are cut first, then what is told of its tests.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../../coordinator/deliveries/delivery-store.ts';
import { PAYLOAD_BYTES_MAX, toPayload } from '../../coordinator/deliveries/payload.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { CHECK_MESSAGE_CHARACTERS_MAX, TESTS_MAX, type TestResult } from '../../shared/model/judging.ts';
import { makeReport } from '../support/lease-results.ts';
import { toAnswer } from '../support/receipts.ts';

const delivery = { event: 'execution.finished', createdAtMs: 0 } as Delivery;

/** What is sent of an execution with so many tests alike. */
function sent(count: number, { name = '', ...one }: Partial<TestResult>): Execution {
  const tests = Array.from({ length: count }, (_, index): TestResult => {
    const rest = { outcome: 'accepted', report: makeReport(), check: null } as const;
    return { ...rest, ...one, name: `${name}${index}` };
  });
  const body = toPayload(delivery, { ...toAnswer(), tests, score: { points: 1, of: count } });
  assert.ok(body.length <= PAYLOAD_BYTES_MAX, `${body.length} bytes`);
  return JSON.parse(body.toString()).data;
}

test('a few tests are told whole, and of more the outputs are cut, which their reports say', () => {
  const [few] = sent(3, {}).tests;
  assert.deepEqual(few?.report, makeReport());
  const [many] = sent(100, { report: makeReport({ stdout: 'x'.repeat(16_384) }) }).tests;
  assert.deepEqual([many?.report?.stdoutTruncated, many?.report?.stdout], [true, 'x'.repeat(1024)]);
});

test('of as many tests as there may be each is told by its outcome, however much a check said of it', () => {
  const message = 'm'.repeat(CHECK_MESSAGE_CHARACTERS_MAX);
  const { tests, score } = sent(TESTS_MAX, { check: { message, score: 1, report: makeReport() } });
  assert.equal(tests.length, TESTS_MAX);
  assert.deepEqual(tests[7], { name: '7', outcome: 'accepted', report: null, check: null });
  assert.deepEqual(score, { points: 1, of: TESTS_MAX });
});

test('names that are too long together are not sent, and the score is', () => {
  const { tests, score } = sent(TESTS_MAX, { name: '😀'.repeat(62) });
  assert.deepEqual([tests, score], [[], { points: 1, of: TESTS_MAX }]);
});
