/**
 * Owns the proof that the keys of an edge are what its owner's file says, and that a file that is wrong is refused with its place.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readEdgeKeys } from '../../agent/site/edge-keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { limitMaxima } from '../../shared/model/limits.ts';

test('a key is found by itself, with its tenant and its most; anything else in the file is refused by its place', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-keys-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys.json');
  const read = (content: unknown) => {
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return readEdgeKeys(path);
  };
  const key = (name: string, more = {}) => ({ name, sha256: digestHex(digestOf(name)), tenant: 'site', ...more });
  const ring = read({ keys: [key('one', { limits: { cpuTimeMs: 5 } }), key('two')] });
  assert.deepEqual(ring.find('one'), { name: 'one', tenantId: 'site', maxima: { ...limitMaxima, cpuTimeMs: 5 } });
  assert.deepEqual(ring.find('two')?.maxima, limitMaxima);
  assert.equal(ring.find(digestHex(digestOf('one'))), null);
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ['{', /can't be read/],
    [{ keys: [] }, /\/keys/],
    [{ keys: [key('one', { tenants: [] })] }, /\/keys\/0\/tenants is not a known field; did you mean 'tenant'/],
    [{ keys: [key('one', { limits: { cpuTime: 1 } })] }, /\/keys\/0\/limits\/cpuTime is not a known field/],
    [{ keys: [key('one', { sha256: 'abc' })] }, /\/keys\/0\/sha256 must be string to match/],
    [{ keys: [key('one'), key('one')] }, /'one' is listed twice/],
    [{ keys: [key('one'), { ...key('one'), name: 'two' }] }, /digest of key 'two' is listed twice/],
  ];
  for (const [content, message] of wrong)
    assert.throws(() => read(content), { code: 'configuration-invalid', message });
});
