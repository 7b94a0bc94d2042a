/**
 * Owns what every state store must do with tenants, keys, usage and the audit, against each implementation in turn. Nothing here knows an engine.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { StoredKey } from '../../coordinator/executions/tenant-store.ts';
import { digestOf } from '../../shared/digest.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { stateEngines, takeLeases } from '../support/state-engines.ts';

const key = (id: string, tenantId = 'one'): StoredKey => ({
  ...{ id: `key_${id}`, tenantId, name: `name ${id}`, digest: digestOf(id), scopes: ['execute', 'operate'] },
  ...{ createdAtMs: 5, expiresAtMs: null, lastUsedAtMs: null },
});
const day = (tenantId: string, name: string, executions = 1, storedBytes = 0) => ({
  ...{ tenantId, day: name, executions, cpuMs: 10 * executions, wallMs: 20 * executions, storedBytes },
});
const entry = (atMs: number, action = 'PUT /v1/tenants/:id') => ({
  ...{ atMs, tenantId: 'operator', keyId: 'key_o', keyName: 'o', address: '127.0.0.1', requestId: 'req_1' },
  ...{ action, target: 'one', detail: '{"weight":2}' },
});

for (const [name, createEngine] of Object.entries(stateEngines)) {
  describe(name, async () => {
    const engine = await createEngine();
    let store = await engine.open();
    after(async () => {
      await store.close();
      await engine.end();
    });
    const reopen = async () => {
      await store.close();
      store = await engine.open();
    };

    test('tenants and keys are there after a restart, and every change raises the version', async () => {
      const versions = [await store.tenants.version()];
      const saved = async () => versions.push(await store.tenants.version());
      assert.equal((await store.tenants.save('one', { weight: 2, quotas: { concurrencyMax: 3 } }, 7, 10))?.id, 'one');
      await saved();
      assert.equal(await store.tenants.addKey({ ...key('a'), expiresAtMs: 900 }, 10), true);
      await saved();
      assert.equal(await store.tenants.addKey(key('b'), 10), true);
      await saved();
      assert.equal(await store.tenants.removeKey('one', 'key_b'), true);
      await saved();
      assert.deepEqual(
        versions.map((version) => version - (versions[0] ?? 0)),
        [0, 1, 2, 3, 4],
      );
      await reopen();
      const view = await store.tenants.read();
      const settings = { weight: 2, quotas: { concurrencyMax: 3 } };
      assert.deepEqual(view.tenants, [{ id: 'one', settings, createdAtMs: 7 }]);
      assert.deepEqual(view.keys, [{ ...key('a'), expiresAtMs: 900 }]);
      assert.equal(view.version, versions.at(-1));
    });

    test('other settings replace those before, and a tenant stays as old as it is', async () => {
      await store.tenants.save('one', { isOperator: true }, 70, 10);
      const [tenant] = (await store.tenants.read()).tenants;
      assert.deepEqual(tenant, { id: 'one', settings: { isOperator: true }, createdAtMs: 7 });
    });

    test('there are no more tenants and keys than allowed, and what is there can still be changed', async () => {
      assert.equal(await store.tenants.save('two', {}, 7, 1), null);
      assert.notEqual(await store.tenants.save('one', {}, 7, 1), null);
      assert.equal(await store.tenants.addKey(key('c'), 1), false);
      assert.equal(await store.tenants.addKey(key('c', 'two'), 1), true, 'keys of others do not count');
      assert.equal((await store.tenants.read()).keys.length, 2);
    });

    test("a key is removed by its own tenant's name only, and what removes nothing leaves the version", async () => {
      const before = await store.tenants.version();
      assert.equal(await store.tenants.removeKey('one', 'key_c'), false);
      assert.equal(await store.tenants.version(), before);
    });

    test('when a key was used is kept, the latest time wins, and the version stays', async () => {
      const before = await store.tenants.version();
      await store.tenants.keysUsed(new Map([['key_a', 50]]));
      await store.tenants.keysUsed(
        new Map([
          ['key_a', 40],
          ['key_gone', 60],
        ]),
      );
      const used = (await store.tenants.read()).keys.map(({ id, lastUsedAtMs }) => [id, lastUsedAtMs]);
      assert.deepEqual(Object.fromEntries(used), { key_a: 50, key_c: null });
      assert.equal(await store.tenants.version(), before);
    });

    test('a batch of usage counts once, however often it is added, and batches of writers do not hinder each other', async () => {
      const { usage } = store;
      await usage.add('first', 1, [day('one', '2026-11-27'), day('one', '2026-11-28', 2, 500)], 0);
      await usage.add('first', 1, [day('one', '2026-11-28', 2, 500)], 0);
      await usage.add('second', 1, [day('one', '2026-11-28', 3, 400), day('two', '2026-11-28')], 0);
      await usage.add('first', 2, [day('one', '2026-11-28', 1, 0)], 0);
      await usage.add('first', 1, [day('one', '2026-11-28', 9, 0)], 0);
      await usage.add('third', 1, [], 0);
      assert.deepEqual(await usage.days('one', '2026-11-28'), [day('one', '2026-11-28', 6, 500)]);
      assert.deepEqual(
        (await usage.days('one', '')).map((each) => each.day),
        ['2026-11-28', '2026-11-27'],
      );
      await usage.trim('2026-11-28', 1);
      assert.equal((await usage.days('one', '')).length, 1);
    });

    test('what is stored for a tenant are its executions, its environments and its own layers', async () => {
      const bytes = () => store.usage.storedBytes('one', 'tenant-aa');
      assert.equal(await bytes(), 0);
      const lease = (await takeLeases(store, 'first'))('one');
      const answer = { id: 'exec_a', stage: 'queued' } as never;
      const request = { environment: 'env_00000000', run: { script: 'é' } };
      await store.executions.accept({ tenantId: 'one', answer, request, idempotency: null }, lease);
      const expected = Buffer.byteLength(JSON.stringify(answer)) + Buffer.byteLength(JSON.stringify(request));
      assert.equal(await bytes(), expected);
      const layer = (scope: string, number: number) =>
        store.cache.record({
          objectKey: `manifests/${scope}/key-${number}.dsse`,
          manifest: { tar: { digest: digestOf(scope) }, blob: { bytes: 1000 * number } } as LayerManifest,
          lastUsedAtMs: 0,
        });
      await Promise.all([layer('tenant-aa', 1), layer('tenant-aa', 2), layer('tenant-aab', 4), layer('shared', 8)]);
      assert.equal(await bytes(), expected + 3000);
      assert.equal(await store.usage.storedBytes('two', 'tenant-bb'), 0);
    });

    test('the audit keeps who did what, how it ended when that is known, and lists the newest first', async () => {
      const { audit } = store;
      const first = await audit.begin(entry(100));
      const second = await audit.begin(entry(200, 'POST /v1/cache/purge'));
      await audit.end(second, 403);
      await reopen();
      const page = await store.audit.list(null, 1);
      assert.deepEqual(page.items, [{ ...entry(200, 'POST /v1/cache/purge'), sequence: second, outcome: 403 }]);
      assert.deepEqual((await store.audit.list(page.next, 1)).items, [
        { ...entry(100), sequence: first, outcome: null },
      ]);
    });

    test('the audit forgets what is older than it may be, and the oldest beyond so many', async () => {
      const { audit } = store;
      for (const atMs of [300, 400, 500]) await audit.begin(entry(atMs));
      assert.equal(await audit.trim(200, 1000), 1);
      assert.equal(await audit.trim(0, 2), 2);
      const times = (await audit.list(null, 10)).items.map(({ atMs }) => atMs);
      assert.deepEqual(times, [500, 400]);
    });
  });
}
