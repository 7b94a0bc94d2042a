/**
 * Owns the proof that loading undici leaves the way of this process's own fetch as somebody else has set it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

test('what the process has put where its fetch looks for a dispatcher is there when undici has been loaded', async () => {
  const place = Symbol.for('undici.globalDispatcher.1');
  const proxy = { dispatch: () => true };
  Reflect.set(globalThis, place, proxy);
  const { Client } = await import('../../shared/undici.ts');
  assert.equal(Reflect.get(globalThis, place), proxy);
  assert.equal(typeof Client, 'function');
});
