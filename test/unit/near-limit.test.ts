/**
 * Owns the proof of which results are doubted: dirty ones with a time within so many hundredths of its limit, on either side, and no others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDoubt } from '../../coordinator/scheduler/near-limit.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import { makeCertificate } from '../support/timing-facts.ts';

const limits = { ...limitDefaults.run, cpuTimeMs: 1000, wallTimeMs: 2000 };
const order = makeOrder({ run: { ...makeOrder().run, limits } });
const dirty = makeCertificate(false);

const reportOf = (cpuTimeMs: number, wallTimeMs = cpuTimeMs) =>
  makeReport({ usage: { ...makeReport().usage, cpuTimeMs, wallTimeMs } });
const resultOf = (cpuTimeMs: number, wallTimeMs?: number) =>
  makeResult({ run: reportOf(cpuTimeMs, wallTimeMs), certificate: dirty });

test('a dirty result is doubted within five hundredths of a limit on either side, and no further', () => {
  for (const [cpuTimeMs, isNear] of [
    [949, false],
    [950, true],
    [1000, true],
    [1050, true],
    [1051, false],
  ] as const) {
    const doubt = { limit: 'cpuTimeMs', allowed: 1000, observed: cpuTimeMs };
    assert.deepEqual(findDoubt(order, resultOf(cpuTimeMs), 5), isNear ? doubt : null, String(cpuTimeMs));
  }
  assert.equal(findDoubt(order, resultOf(949), 6)?.observed, 949);
  const wall = { limit: 'wallTimeMs', allowed: 2000, observed: 2090 };
  assert.deepEqual(findDoubt(order, resultOf(10, 2090), 5), wall);
  assert.equal(findDoubt(order, resultOf(951, 1990), 5)?.limit, 'wallTimeMs', 'the nearest is told');
});

test('what is clean, can not be proven or has no certificate is not doubted', () => {
  for (const clean of [true, 'unprovable'] as const) {
    assert.equal(findDoubt(order, { ...resultOf(1000), certificate: makeCertificate(clean) }, 5), null);
  }
  const { certificate: _, ...without } = resultOf(1000);
  assert.equal(findDoubt(order, without, 5), null);
});

test('what somebody typed into, what has sent files and what failed by our fault is never run again', () => {
  const terminal = { rows: 24, columns: 80, inputBytesMax: 1, outputBytesMax: 1 };
  assert.equal(findDoubt({ ...order, terminal }, resultOf(1000), 5), null);
  const files = [{ path: 'a', file: 'file_1', bytes: 1 }] as never;
  assert.equal(findDoubt(order, { ...resultOf(1000), files }, 5), null);
  assert.notEqual(findDoubt(order, { ...resultOf(1000), files: [] }, 5), null);
  const failure = { code: 'sandbox-failed', detail: '', isRetryable: false };
  assert.equal(findDoubt(order, { ...resultOf(1000), failure }, 5), null);
});

test('one test near the limit is enough, of several the nearest is told', () => {
  const tested = (report: TestResult['report']): TestResult => ({ name: '1', outcome: 'ok', report, check: null });
  const tests = [tested(reportOf(100)), tested(null), tested(reportOf(960)), tested(reportOf(1004))];
  const result = makeResult({ run: null, tests, certificate: dirty });
  assert.equal(findDoubt(order, result, 5)?.observed, 1004);
  assert.equal(findDoubt(order, { ...result, tests: tests.slice(0, 2) }, 5), null);
});
