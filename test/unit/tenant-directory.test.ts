/**
 * Owns the proof of how long the memory of tenants and keys holds and what it costs: keys that come and go elsewhere, a store that is away, a file
 * that changes, and keys that are guessed. A real SQLite file, virtual time.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import type { TenantStore } from '../../coordinator/executions/tenant-store.ts';
import { createKeyText } from '../../coordinator/tenants/key-text.ts';
import { createKeyRing, type KeyRing, readTenants } from '../../coordinator/tenants/keys.ts';
import { TenantDirectory } from '../../coordinator/tenants/tenant-directory.ts';
import { watchTenantsFile } from '../../coordinator/tenants/tenants-file.ts';
import { systemRandom } from '../../shared/clock.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { silentLogger } from '../../shared/logger.ts';
import { temporaryFolder } from '../support/captured.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const options = { keysRefreshMs: 1000, keysGraceMs: 60_000 };
const listed = (id: string, more = {}) => ({ id, ...more, keys: [{ name: 'k', sha256: digestHex(digestOf(id)) }] });
const turns = () => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

async function start(t: TestContext, more: { ring?: KeyRing; reread?: () => KeyRing | null } = {}) {
  const state = openSqliteStateStore(join(temporaryFolder(t), 'state.sqlite'));
  t.after(() => state.close());
  const clock = new VirtualClock();
  const asked = { version: 0, read: 0 };
  let isAway = false;
  const gone = () => Promise.reject(new SystemError('state-store-unavailable', 'away'));
  const store: TenantStore = {
    ...state.tenants,
    version: () => {
      asked.version += 1;
      return isAway ? gone() : state.tenants.version();
    },
    read: () => {
      asked.read += 1;
      return isAway ? gone() : state.tenants.read();
    },
  };
  const { ring = createKeyRing({ tenants: [listed('file', { isOperator: true })] }), reread } = more;
  const deps = { clock, log: silentLogger, store, listed: ring, ...(reread === undefined ? {} : { reread }) };
  const directory = new TenantDirectory(deps, options);
  await directory.start();
  t.after(() => directory.stop());
  const issue = async (tenantId: string, changes: object = {}) => {
    const key = createKeyText(systemRandom);
    const id = `key_${asked.read}_${key.slice(5, 12)}`;
    const times = { createdAtMs: 0, expiresAtMs: null, lastUsedAtMs: null };
    const scopes = ['execute' as const];
    await state.tenants.addKey({ id, tenantId, name: id, digest: digestOf(key), scopes, ...times, ...changes }, 100);
    return { key, id };
  };
  const pass = async (ms: number) => {
    clock.pass(ms);
    await turns();
    await turns();
  };
  const away = (now: boolean) => {
    isAway = now;
  };
  return { state, clock, directory, issue, pass, asked, away };
}

test('what somebody else changes in the store holds here after one refresh, and nothing is read while nothing changes', async (t) => {
  const { state, directory, issue, pass, asked } = await start(t);
  await state.tenants.save('new', { weight: 3, quotas: { concurrencyMax: 2 } }, 0, 10);
  const { key, id } = await issue('new');
  assert.equal(directory.find(key), null);
  await pass(1000);
  const asker = directory.find(key);
  assert.deepEqual([asker?.tenant.id, asker?.tenant.weight, asker?.key.id], ['new', 3, id]);
  await state.tenants.removeKey('new', id);
  assert.notEqual(directory.find(key), null);
  await pass(1000);
  assert.equal(directory.find(key), null, 'revoked elsewhere: known for one refresh at most');
  const { read } = asked;
  for (let second = 0; second < 5; second += 1) await pass(1000);
  assert.equal(asked.read, read, 'a version is looked at, and nothing else');
});

test('a key that was given out a moment ago elsewhere is found at once, and guessing keys asks the store four times a second at most', async (t) => {
  const { directory, issue, asked, pass } = await start(t);
  const { key } = await issue('file');
  const finding = directory.lookFor(key);
  await pass(250);
  assert.equal((await finding)?.tenant.id, 'file');
  // Each of those that are given out later is looked for anew, also when the last look is long ago.
  for (let count = 0; count < 3; count += 1) {
    await pass(400);
    const { key: later } = await issue('file');
    const again = directory.lookFor(later);
    await pass(250);
    assert.equal((await again)?.tenant.id, 'file');
  }
  const before = asked.version;
  const guesses = Array.from({ length: 500 }, () => directory.lookFor(createKeyText(systemRandom)));
  await pass(250);
  assert.deepEqual(new Set(await Promise.all(guesses)), new Set([null]));
  assert.ok(asked.version - before <= 2, 'one for all of them, and perhaps the refresh');
  const same = createKeyText(systemRandom);
  const first = directory.lookFor(same);
  await pass(250);
  await first;
  const known = asked.version;
  assert.equal(await directory.lookFor(same), null);
  assert.equal(await directory.lookFor('no-key-at-all'), null);
  assert.equal(asked.version, known, 'neither what was looked for a moment ago nor what can be none is asked for');
});

test('without the store known keys are good for a while, then refused by name; those of the file always are', async (t) => {
  const { directory, issue, pass, away } = await start(t);
  const { key } = await issue('file');
  await pass(1000);
  away(true);
  await pass(59_000);
  assert.notEqual(directory.find(key), null);
  await pass(3000);
  assert.throws(() => directory.find(key), { code: 'state-store-unavailable' });
  assert.equal(directory.find('file')?.tenant.id, 'file');
  away(false);
  await pass(1000);
  assert.notEqual(directory.find(key), null);
});

test('a key expires by itself, and two of a tenant are good at once: so one is changed for another', async (t) => {
  const { directory, issue, pass, clock, state } = await start(t);
  const old = await issue('file', { expiresAtMs: clock.nowMs() + 5000 });
  const next = await issue('file');
  await pass(1000);
  assert.deepEqual([directory.find(old.key)?.tenant.id, directory.find(next.key)?.tenant.id], ['file', 'file']);
  await pass(4000);
  assert.throws(() => directory.find(old.key), { code: 'unauthenticated', message: /has expired/ });
  assert.notEqual(directory.find(next.key), null);
  await pass(60_000);
  const used = (await state.tenants.read()).keys.find(({ id }) => id === next.id)?.lastUsedAtMs;
  assert.ok(used, 'when it was used is written down');
});

test("a key's tenant is an operator only where both may operate", async (t) => {
  const { directory, issue, pass, state } = await start(t);
  await state.tenants.save('plain', {}, 0, 10);
  const keys = [
    await issue('file', { scopes: ['execute'] }),
    await issue('file', { scopes: ['operate'] }),
    await issue('plain', { scopes: ['operate'] }),
  ];
  await pass(1000);
  const may = keys.map(({ key }) => directory.find(key)?.tenant.isOperator);
  assert.deepEqual(may, [false, true, false]);
  assert.equal(directory.get('file').isOperator, true);
});

test('the file is read again when it changes; a broken one changes nothing, and it says everything about whom it lists', async (t) => {
  const path = join(temporaryFolder(t), 'tenants.json');
  const write = (...tenants: object[]) => writeFileSync(path, JSON.stringify({ tenants }));
  write(listed('file', { weight: 2 }));
  const { directory, state, pass } = await start(t, { ring: readTenants(path), reread: watchTenantsFile(path) });
  await state.tenants.save('file', { weight: 7 }, 0, 10);
  await state.tenants.save('later', { weight: 7 }, 0, 10);
  await pass(1000);
  assert.deepEqual([directory.get('file').weight, directory.get('later').weight], [2, 7]);
  writeFileSync(path, '{');
  await pass(1000);
  assert.equal(directory.find('file')?.tenant.weight, 2);
  write(listed('file', { weight: 5 }), listed('later', { weight: 4 }));
  await pass(1000);
  assert.deepEqual([directory.find('file')?.tenant.weight, directory.find('later')?.tenant.weight], [5, 4]);
  write(listed('later'));
  await pass(1000);
  assert.equal(directory.find('file'), null);
  assert.equal(directory.get('file').weight, 7, 'what the store says holds for whom the file lists no more');
});

test('finding out who asks takes a few microseconds with ten thousand keys', async (t) => {
  const { directory, state, pass } = await start(t);
  const keys: string[] = [];
  const scopes = ['execute' as const];
  const times = { createdAtMs: 0, expiresAtMs: null, lastUsedAtMs: null };
  const adding = Array.from({ length: 10_000 }, (_, index) => {
    const key = createKeyText(systemRandom);
    keys.push(key);
    const stored = { id: `key_${index}`, tenantId: 'file', name: 'n', digest: digestOf(key), scopes, ...times };
    return state.tenants.addKey(stored, 20_000);
  });
  await Promise.all(adding);
  await pass(1000);
  const begun = performance.now();
  for (const key of keys) assert.notEqual(directory.find(key), null);
  const eachMs = (performance.now() - begun) / keys.length;
  assert.ok(eachMs < 0.05, `${eachMs} ms each`);
  t.diagnostic(`${(eachMs * 1000).toFixed(1)} µs each`);
});
