/**
 * Owns how much values are said to be: exactly how much text is in them, and about how much memory they hold.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rememberFinished } from '../../coordinator/executions/finished-executions.ts';
import type { LiveExecution } from '../../coordinator/executions/live-execution.ts';
import { RequestMemory } from '../../coordinator/executions/request-memory.ts';
import { localTenant } from '../../coordinator/tenants/keys.ts';
import { memoryBytesOf, textLengthOf } from '../../shared/text-length.ts';

const nothing = (count: number) => Array.from({ length: count }, () => '');
/** Of which there is much, and which says nothing. */
const hollow = {
  environment: {},
  run: { script: 'true' },
  tests: Array.from({ length: 100 }, () => ({ arguments: nothing(1000) })),
};

test('the text in a value is what its strings have together', () => {
  assert.equal(textLengthOf({ one: 'ab', two: ['c', null, 1, { three: 'def' }], four: undefined }), 6);
  assert.equal(textLengthOf(hollow), 4);
  assert.equal(textLengthOf(null), 0);
});

test('what a value holds of memory is more than its text: what is empty weighs, too, and so do names', () => {
  assert.equal(memoryBytesOf('abc'), 3);
  assert.equal(memoryBytesOf([]), 48);
  assert.equal(memoryBytesOf(nothing(10)), 48 + 160);
  assert.equal(memoryBytesOf({ name: 'value' }), 48 + 16 + 4 + 5);
  assert.equal(memoryBytesOf(Object.fromEntries([['N'.repeat(1000), '']])), 48 + 16 + 1000);
  assert.equal(memoryBytesOf([null, 1.5, true]), 48 + 48);
});

test('a request of many things that say nothing is as heavy as it is', () => {
  const memory = new RequestMemory({ liveRequestBytesMax: 10_000_000, isEmbedded: true });
  const [bytes = 0] = memory.take(localTenant, [hollow]);
  assert.ok(bytes > 1_600_000 && bytes < 1_700_000, `${bytes}`);
  const finished = rememberFinished(10);
  finished.set('one', { result: null, terms: { request: hollow }, log: { bytes: 0 } } as unknown as LiveExecution);
  assert.ok(finished.calculatedSize > 1_600_000, `${finished.calculatedSize}`);
});
