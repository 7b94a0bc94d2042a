/**
 * Owns the proof of what a key looks like: recognisable, of full strength, and with a mistake in it none at all.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyText, isKeyText } from '../../coordinator/tenants/key-text.ts';
import { systemRandom } from '../../shared/clock.ts';

test('a key has 256 random bits behind its prefix, and no two are alike', () => {
  const asked: number[] = [];
  const random = {
    ...systemRandom,
    bytes: (count: number) => {
      asked.push(count);
      return systemRandom.bytes(count);
    },
  };
  const keys = new Set(Array.from({ length: 100 }, () => createKeyText(random)));
  assert.equal(keys.size, 100);
  assert.deepEqual(new Set(asked), new Set([32]));
  for (const key of keys) {
    assert.match(key, /^envk_[0-9a-z]{59}$/);
    assert.ok(isKeyText(key));
  }
});

test('a key is always the same text for the same bits: scanners know its checksum', () => {
  const fixed = { ...systemRandom, bytes: (count: number) => new Uint8Array(count).fill(7) };
  assert.equal(createKeyText(fixed), 'envk_0w3ge1r70w3ge1r70w3ge1r70w3ge1r70w3ge1r70w3ge1r70w3gta99k6r');
});

test('one changed character anywhere makes it no key', () => {
  const key = createKeyText(systemRandom);
  for (let index = 0; index < key.length; index += 1) {
    const other = key[index] === 'x' ? 'y' : 'x';
    assert.ok(!isKeyText(key.slice(0, index) + other + key.slice(index + 1)), `at ${index}`);
  }
  for (const text of ['', 'envk_', `${key}0`, key.slice(1), key.toUpperCase(), ` ${key}`]) assert.ok(!isKeyText(text));
});
