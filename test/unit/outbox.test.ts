/**
 * Owns the proof that the outbox keeps results in order until they are acknowledged, and says when it is full.
 * Never sends anything.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from '../../agent/connection/outbox.ts';

const entry = (lease: string, text = 'text') => ({ lease, fence: 1, text });

test('results stay in order until they are forgotten, the first one of a lease wins', () => {
  const outbox = new Outbox({ entriesMax: 10, bytesMax: 1000 });
  for (const lease of ['a', 'b', 'c']) outbox.add(entry(lease));
  outbox.add(entry('a', 'another'));
  outbox.forget('b');
  outbox.forget('b');
  const left = outbox.entries().map(({ lease, text }) => [lease, text]);
  assert.deepEqual(left, [
    ['a', 'text'],
    ['c', 'text'],
  ]);
  assert.equal(outbox.get('b'), undefined);
});

test('it is full by number or by size, but keeps what comes all the same', () => {
  const byNumber = new Outbox({ entriesMax: 2, bytesMax: 1000 });
  byNumber.add(entry('a'));
  assert.equal(byNumber.isFull, false);
  byNumber.add(entry('b'));
  assert.equal(byNumber.isFull, true);
  byNumber.add(entry('c'));
  assert.equal(byNumber.size, 3);
  const bySize = new Outbox({ entriesMax: 10, bytesMax: 8 });
  bySize.add(entry('a', '12345678'));
  assert.equal(bySize.isFull, true);
  bySize.forget('a');
  assert.equal(bySize.isFull, false);
});
