/**
 * Owns the proof that an agent sends what a run left, again while that may help, and fails the lease when it does not; nothing is lost in silence.
 * The place where it is sent is a fake.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Collection, type Put } from '../../agent/files/collection.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { makeOrder } from '../support/lease-orders.ts';

const order = makeOrder({
  collect: { patterns: ['*'], bytesMax: 100, filesMax: 10, url: 'http://coordinator/ticket' },
});
/** Time is over at once. */
const clock = {
  after: (_delayMs: number, action: () => void) => {
    queueMicrotask(action);
    return { cancel: () => undefined };
  },
};
const accepted = (bytes: Uint8Array) => ({ status: 200, body: { file: 'file_1', sha256: digestHex(digestOf(bytes)) } });

function prepare(put: Put) {
  const asked: string[] = [];
  const collection = Collection.of(order, clock, (url, bytes) => {
    asked.push(url);
    return put(url, bytes);
  });
  assert.ok(collection !== null);
  const file = { path: 'a b', pathBytes: Buffer.from('a b'), state: 'copied', isExecutable: false, bytes: 1 } as const;
  void collection.listener.collected?.(file);
  void collection.listener.collectedData?.(Buffer.from('x'));
  return { asked, collection };
}

test('an order that asks for nothing collects nothing', () => {
  assert.equal(Collection.of(makeOrder(), clock), null);
});

test('a file is sent again while nobody answers, the store is away, or other bytes arrived', async () => {
  const answers = [
    () => Promise.reject(new Error('ECONNREFUSED')),
    async () => ({ status: 503, body: { code: 'object-store-unavailable' } }),
    async () => ({ status: 200, body: { file: 'file_1', sha256: '00' } }),
    async () => accepted(Buffer.from('x')),
  ];
  const { asked, collection } = prepare(() => answers.shift()?.() ?? assert.fail());
  assert.deepEqual(await collection.send(), { files: [{ path: 'a b', file: 'file_1', bytes: 1 }], uncollected: [] });
  assert.deepEqual(asked, Array(4).fill('http://coordinator/ticket?path=a%20b'));
});

test('what can not be sent after all fails the lease, at once when it is refused', async () => {
  const down = prepare(async () => ({ status: 503, body: {} }));
  await assert.rejects(down.collection.send(), { code: 'object-store-unavailable' });
  assert.equal(down.asked.length, 6);
  const refused = prepare(async () => ({ status: 403, body: { code: 'forbidden' } }));
  await assert.rejects(refused.collection.send(), { code: 'object-store-unavailable' });
  assert.equal(refused.asked.length, 1);
});

test('a tenant without room loses the file by name, and a cancelled lease sends no more', async () => {
  const full = prepare(async () => ({ status: 429, body: { code: 'quota-exceeded' } }));
  assert.deepEqual((await full.collection.send()).uncollected, [{ path: 'a b', state: 'no-room', bytes: 1 }]);
  const cancelled = prepare(async () => assert.fail());
  cancelled.collection.cancel();
  assert.deepEqual(await cancelled.collection.send(), { files: [], uncollected: [] });
});
