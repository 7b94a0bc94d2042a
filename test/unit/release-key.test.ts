/**
 * Owns the proof of whose key signs a release: the given one, else a development key that is made once, readable by its owner alone; never another kind.
 * Never makes a release (test/integration/release.test.ts does).
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readLock } from '../../ops/release/locked-packages.ts';
import { openReleaseKey, sign, toPublicPem } from '../../ops/release/release-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-release-key-'));
after(() => rmSync(folder, { recursive: true }));

function writeKey(name: string, key: ReturnType<typeof generateKeyPairSync>['privateKey']): string {
  const path = join(folder, name);
  writeFileSync(path, key.export({ type: 'pkcs8', format: 'pem' }));
  return path;
}

test('without a key one is made for development, for its owner alone, and is the same the next time', () => {
  const state = join(folder, 'state');
  const [first, second] = [openReleaseKey(undefined, state), openReleaseKey(undefined, state)];
  assert.ok(first.isForDevelopment && second.isForDevelopment);
  assert.ok(first.privateKey.equals(second.privateKey));
  assert.equal(statSync(first.path).mode & 0o777, 0o600);
});

test('a given key signs, and then none is made', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const state = join(folder, 'unused');
  const key = openReleaseKey(writeKey('given.pem', privateKey), state);
  assert.equal(key.isForDevelopment, false);
  const signature = sign(key.privateKey, Buffer.from('sums'));
  assert.equal(signature.length, 64);
  assert.ok(verify(null, Buffer.from('sums'), toPublicPem(key.privateKey), signature));
  assert.equal(existsSync(state), false);
});

test('a key of another kind, or none, is refused with the path and the remedy', () => {
  const other = writeKey('other.pem', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  assert.throws(() => openReleaseKey(other, folder), /other\.pem' is ec, not Ed25519; make one: openssl genpkey/);
  assert.throws(() => openReleaseKey(join(folder, 'none.pem'), folder), /none\.pem' can't be read .*ENOENT.* make one/);
});

test('a lock is read package by package, and one without integrity is refused', () => {
  const locked = { version: '1.2.3', integrity: 'sha512-AA==', license: 'MIT' };
  const packages = { '': {}, 'node_modules/@a/b': locked, 'node_modules/c/node_modules/d': { ...locked, dev: true } };
  const read = readLock(JSON.stringify({ packages }));
  assert.deepEqual(
    read.map(({ name, isForProduction }) => [name, isForProduction]),
    [
      ['@a/b', true],
      ['d', false],
    ],
  );
  const text = JSON.stringify({ packages: { 'node_modules/e': { version: '1.0.0' } } });
  assert.throws(() => readLock(text), /no version or integrity of 'node_modules\/e'/);
});
