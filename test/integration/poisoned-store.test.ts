/**
 * Owns the proof that whoever can write to the bucket, and nobody's signature, gets no layer handed out: each poisoning of a manifest is
 * refused with its named reason before anything is built upon or run from it. A whole coordinator over a real directory store.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { checkParents, decodeEnvelope, encodeEnvelope, signManifest } from '../../shared/layers/layer-manifest.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { describeBytes, readObject } from '../../shared/storage/object-store.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { createTestKey } from '../support/signed-layers.ts';

const tenant = (id: string) => ({ id, isOperator: false, keys: [{ name: 'k', sha256: digestHex(digestOf(id)) }] });
const setup = { setup: 'apt-get install -y g++' };

async function startPoisonable(t: TestContext) {
  const ring = createKeyRing({ tenants: [tenant('mallory'), tenant('alice')] });
  const coordinator = await startCoordinator(t, {}, ring);
  const as = (name: string) => ({ authorization: `Bearer ${name}` });
  const build = async (name: string, request: object = setup) => {
    const { id } = await (await coordinator.ask('POST', '/v1/environments', request, as(name))).json();
    await (await coordinator.ask('GET', `/v1/environments/${id}/events`, undefined, as(name))).text();
    return await (await coordinator.ask('GET', `/v1/environments/${id}`, undefined, as(name))).json();
  };
  await build('mallory');
  const own: string[] = [];
  for await (const { key } of coordinator.store.list('manifests/tenant-mallory/')) own.push(key);
  const place = own[0] ?? '';
  const stored = Buffer.from((await readObject(coordinator.store, place, 1e6)) ?? []);
  const put = async (key: string, data: Buffer) => {
    await coordinator.store.delete(key);
    await coordinator.store.put(key, data, describeBytes(data));
  };
  return Object.assign(coordinator, { build, place, stored, put });
}

const payloadOf = (stored: Buffer) =>
  JSON.parse(Buffer.from(decodeEnvelope(stored).payload, 'base64').toString()) as LayerManifest;
const stranger = createTestKey().signing;
const resigned = (stored: Buffer, changes: Partial<LayerManifest>) =>
  encodeEnvelope(signManifest({ ...payloadOf(stored), ...changes }, stranger));
/** The verifier's signature over other words. */
const reworded = (stored: Buffer, changes: Partial<LayerManifest>) => {
  const payload = Buffer.from(JSON.stringify({ ...payloadOf(stored), ...changes })).toString('base64');
  return encodeEnvelope({ ...decodeEnvelope(stored), payload });
};
const shared = { scope: 'shared' } as const;
const hers = { scope: 'tenant-alice' } as const;

// biome-ignore format: what is put into the bucket, where Alice will look first or next, and why it is refused
const poisonings: readonly (readonly [string, 'shared' | 'tenant-alice', (stored: Buffer) => Buffer, string])[] = [
  ["another tenant's manifest, copied to everybody's place",       'shared',       (stored) => stored,                                    'layer-corrupt'],
  ["another tenant's manifest, copied to her own place",           'tenant-alice', (stored) => stored,                                    'layer-corrupt'],
  ["the same, made everybody's by a stranger's key",               'shared',       (stored) => resigned(stored, shared),                  'layer-untrusted'],
  ["the same, made hers by a stranger's key",                      'tenant-alice', (stored) => resigned(stored, hers),                    'layer-untrusted'],
  ["the same, made everybody's under the old signature",           'shared',       (stored) => reworded(stored, shared),                  'layer-untrusted'],
  ['another layer under the old signature',                        'tenant-alice', (stored) => reworded(stored, { ...hers, tar: { ...payloadOf(stored).tar, digest: digestOf('evil') } }), 'layer-untrusted'],
  ['a manifest that is cut off',                                   'shared',       (stored) => stored.subarray(0, -9),                    'layer-untrusted'],
  ['a manifest with something behind it',                          'shared',       (stored) => Buffer.concat([stored, stored]),           'layer-untrusted'],
  ['an envelope without signatures',                               'shared',       (stored) => Buffer.from(JSON.stringify({ ...decodeEnvelope(stored), signatures: [] })), 'layer-untrusted'],
  ['an envelope of another payload type',                          'shared',       (stored) => encodeEnvelope({ ...decodeEnvelope(stored), payloadType: 'application/vnd.in-toto+json' }), 'layer-untrusted'],
  ['five megabytes of anything',                                   'shared',       () => Buffer.alloc(5 * 1024 ** 2, 'x'),                'layer-corrupt'],
];

for (const [what, scope, poison, code] of poisonings) {
  test(`a bucket that holds ${what} serves nobody: ${code}`, async (t) => {
    const coordinator = await startPoisonable(t);
    await coordinator.put(coordinator.place.replace('tenant-mallory', scope), poison(coordinator.stored));
    const before = coordinator.services.orders.length;
    const { state, layers, failure } = await coordinator.build('alice');
    assert.deepEqual([state, layers, failure?.code], ['failed', [], code]);
    assert.equal(coordinator.services.orders.length, before, 'nothing is built upon it');
  });
}

test('an older build of the same key that is put back does not fit the layers above it', async (t) => {
  const coordinator = await startPoisonable(t);
  const both = { ...setup, dependencies: 'npm install' };
  assert.equal((await coordinator.build('mallory', both)).state, 'ready');
  // The layer is purged and built anew; then somebody puts the old manifest back.
  await coordinator.store.delete(coordinator.place);
  await coordinator.restart();
  const anew = await coordinator.build('mallory', both);
  await coordinator.put(coordinator.place, coordinator.stored);
  await coordinator.restart();
  const id = anew.id as string;
  const execution = { environment: id, run: { script: 'true' } };
  const agent = await coordinator.join();
  await coordinator.ask('POST', '/v1/executions', execution, { authorization: 'Bearer mallory' });
  const { order } = await agent.heard('lease.offer');
  const [, below, above] = order.layers.map(({ envelope }) => payloadOf(Buffer.from(JSON.stringify(envelope))));
  assert.equal(below?.tar.digest, payloadOf(coordinator.stored).tar.digest);
  assert.notEqual(above?.parents[1], below?.tar.digest);
  // What the agent does with every offer, before anything is fetched.
  assert.throws(() => checkParents(order.layers.map(({ envelope }) => payloadOf(encodeEnvelope(envelope)))), {
    code: 'layer-untrusted',
  });
});
