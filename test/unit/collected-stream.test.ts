/**
 * Owns the proof that the frames of collected files reach the listener exactly, split anyhow, and that nothing less than all of them is
 * taken for all.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollectedStream } from '../../shared/sandbox/collected-stream.ts';
import { names } from '../../shared/sandbox/contract.ts';
import { encodeFrame } from '../../shared/sandbox/frames.ts';
import type { LaunchListener } from '../../shared/sandbox/sandbox.ts';

const { COPIED, TOO_LARGE, TOO_MANY } = names.COLLECT;
const file = (path: string, size: number, state: number = COPIED): Buffer =>
  encodeFrame('COLLECTED', { path: Buffer.from(path, 'latin1'), state, executable: 0, size });
const data = (text: string): Buffer => encodeFrame('COLLECTED_DATA', { data: Buffer.from(text) });
const last = file('', 0);

function hearing(): { readonly heard: string[]; readonly listener: LaunchListener } {
  const heard: string[] = [];
  const listener: LaunchListener = {
    collected: ({ path, state, bytes }) => void heard.push(`${path} ${state} ${bytes}`),
    collectedData: (chunk) => void heard.push(Buffer.from(chunk).toString()),
  };
  return { heard, listener };
}

test('files arrive in order, whatever pieces the bytes come in', async () => {
  const all = Buffer.concat([file('a', 3), data('ab'), data('c'), file('b', 9, TOO_LARGE), file('c\xff', 0), last]);
  for (const size of [1, 2, 7, all.length]) {
    const { heard, listener } = hearing();
    const stream = new CollectedStream(listener);
    for (let at = 0; at < all.length; at += size) await stream.push(all.subarray(at, at + size));
    await stream.end();
    const expected = ['a copied 3', 'ab', 'c', 'b too-large 9', 'c\ufffd copied 0'];
    assert.deepEqual(heard, expected, `pieces of ${size}`);
  }
});

test('a last frame that says that something is missing is told', async () => {
  const { heard, listener } = hearing();
  const stream = new CollectedStream(listener);
  await stream.push(file('', 0, TOO_MANY));
  await stream.end();
  assert.deepEqual(heard, [' too-many 0']);
});

for (const [title, frames] of [
  ['no last frame', [file('a', 0)]],
  ['half a frame at the end', [last.subarray(0, 5)]],
  ['nothing at all', []],
] as const)
  test(`the report is rejected after ${title}`, async () => {
    const stream = new CollectedStream({});
    for (const frame of frames) await stream.push(frame);
    await assert.rejects(stream.end(), { code: 'sandbox-failed' });
  });

for (const [title, frames] of [
  ['more bytes than were announced', [file('a', 2), data('abc')]],
  ['fewer bytes than were announced', [file('a', 2), data('a'), last]],
  ['bytes of no file', [data('a')]],
  ['a frame after the last', [last, file('a', 0)]],
  ['an unknown state', [file('a', 0, 99)]],
  ['a frame of something else', [encodeFrame('KILL', { launch: 1 })]],
  ['no frame', [Buffer.alloc(16)]],
] as const)
  test(`${title} is refused`, () => {
    const stream = new CollectedStream({});
    assert.throws(() => stream.push(Buffer.concat(frames)), { code: 'sandbox-failed' });
  });

test('the end waits for the listener, and fails with it', async () => {
  let take: () => void = () => undefined;
  const taken = new Promise<void>((resolve) => {
    take = resolve;
  });
  const slow = new CollectedStream({ collected: () => taken });
  const held = slow.push(Buffer.concat([file('a', 0), last]));
  assert.ok(held instanceof Promise);
  let hasEnded = false;
  const end = slow.end().then(() => {
    hasEnded = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(hasEnded, false);
  take();
  await end;
  const failure = new Error('no room');
  const failing = new CollectedStream({ collectedData: () => Promise.reject(failure) });
  await assert.rejects(Promise.resolve(failing.push(Buffer.concat([file('a', 1), data('a'), last]))), failure);
  await assert.rejects(failing.end(), failure);
});
