/**
 * Owns the proof that sweeping removes what nothing needs and nothing else: mark and sweep over a real store, publications under way, a kill -9
 * between any two steps, a store that fails, a process without the purger's credential.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { PublicationsUnderWay } from '../../coordinator/environments/verifier/publications-under-way.ts';
import { choose, Sweeper } from '../../coordinator/environments/verifier/sweeper.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { blobKey, encodeEnvelope, manifestKey, provenanceKey } from '../../shared/layers/layer-manifest.ts';
import { silentLogger } from '../../shared/logger.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { describeBytes, type ObjectStore } from '../../shared/storage/object-store.ts';
import { createTestKey, createTestLayer, type TestLayer } from '../support/signed-layers.ts';

const { signing } = createTestKey();
const DAY_MS = 86_400_000;

async function createBench(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sweep-'));
  context.after(() => rm(folder, { recursive: true }));
  const store = new DirectoryObjectStore(folder);
  const put = (key: string, data: Buffer) => store.put(key, data, describeBytes(data));
  const publish = async (name: string, parents: readonly TestLayer[] = []) => {
    const said = Buffer.from(`provenance of ${name}`);
    const changes = { parents: parents.map(({ manifest }) => manifest.tar.digest), provenance: digestOf(said) };
    const layer = createTestLayer(signing, name, name.length, changes);
    await put(blobKey(layer.manifest.blob.digest), layer.blob);
    await put(provenanceKey(digestOf(said)), said);
    await put(placeOf(layer), encodeEnvelope(layer.reference.envelope));
    return layer;
  };
  const keys = async () => {
    const found: string[] = [];
    for await (const { key } of store.list('')) found.push(key);
    return found;
  };
  const underWay = new PublicationsUnderWay();
  const clock = { nowMs: () => Date.now() + 2000 };
  const sweeperOn = (on: Pick<ObjectStore, 'get' | 'list' | 'delete'> | null) =>
    new Sweeper({ store: on, underWay, clock, logger: silentLogger });
  return { store, put, publish, keys, underWay, sweeperOn, sweeper: sweeperOn(store) };
}

const placeOf = ({ manifest }: TestLayer) => manifestKey(manifest.scope, manifest.key);
const objectsOf = ({ manifest }: TestLayer) => [
  blobKey(manifest.blob.digest),
  provenanceKey(manifest.provenance ?? ''),
];
const order = (manifests: string[] = [], graceMs = 0, isRehearsal = false) => ({ manifests, graceMs, isRehearsal });

test('a manifest goes with its blob and provenance; what another one needs as well, or stands on, stays', async (context) => {
  const { put, publish, keys, sweeper } = await createBench(context);
  const base = await publish('base');
  const child = await publish('child', [base]);
  const other = await publish('other', [base]);
  const twin = createTestLayer(signing, 'child', 5, { ...child.manifest, key: 'key-of-the-twin', scope: 'tenant-a' });
  await put(placeOf(twin), encodeEnvelope(twin.reference.envelope));
  const result = await sweeper.sweep(order([base, child, other].map(placeOf)));
  assert.deepEqual(result.removed.sort(), [child, other].map(placeOf).sort());
  assert.deepEqual(result.kept, [{ manifest: placeOf(base), reason: 'needed-by-child' }]);
  assert.deepEqual([result.blobs, result.provenances], [1, 1]);
  assert.deepEqual(
    (await keys()).sort(),
    [placeOf(base), placeOf(twin), ...objectsOf(base), ...objectsOf(child)].sort(),
  );
  const rest = await sweeper.sweep(order([base, twin].map(placeOf)));
  assert.deepEqual([rest.removed.length, rest.bytesLeft, await keys()], [2, 0, []]);
});

test('a rehearsal says the same and removes nothing', async (context) => {
  const { publish, keys, sweeper } = await createBench(context);
  const base = await publish('base');
  const child = await publish('child', [base]);
  const before = await keys();
  const rehearsed = await sweeper.sweep(order([child].map(placeOf), DAY_MS, true));
  assert.deepEqual(await keys(), before);
  assert.deepEqual(await sweeper.sweep(order([child].map(placeOf), DAY_MS)), rehearsed);
  assert.equal((await keys()).length, 3);
});

test('what no manifest names is removed once it is older than the grace: a publication may be on its way to it', async (context) => {
  const { put, keys, sweeper } = await createBench(context);
  const data = Buffer.from('uploaded, and then its verifier was killed');
  await put(blobKey(digestOf(data)), data);
  await sweeper.sweep(order([], DAY_MS));
  assert.equal((await keys()).length, 1);
  const result = await sweeper.sweep(order());
  assert.deepEqual([result.blobs, result.bytes, await keys()], [1, data.length, []]);
});

test('what a publication relies on, now or since the sweep began, is not removed; what is being removed is not relied on', async (context) => {
  const { store, put, keys, underWay, sweeperOn } = await createBench(context);
  const data = Buffer.from('a blob that nobody needs yet');
  const key = blobKey(digestOf(data));
  await put(key, data);
  const release = await underWay.rely([key]);
  await sweeperOn(store).sweep(order());
  assert.deepEqual(await keys(), [key]);
  // Relied on and released while the manifests were being read.
  const during: Pick<ObjectStore, 'get' | 'list' | 'delete'> = {
    get: (asked) => store.get(asked),
    delete: (asked) => store.delete(asked),
    list: async function* (prefix: string) {
      if (prefix === 'manifests/') (await underWay.rely([key]))();
      yield* store.list(prefix);
    },
  };
  release();
  await sweeperOn(during).sweep(order());
  assert.deepEqual(await keys(), [key]);
  const events: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const slow = {
    ...during,
    list: (prefix: string) => store.list(prefix),
    delete: async (asked: string) => {
      begin();
      await gate;
      events.push('removed');
      await store.delete(asked);
    },
  };
  const sweeping = sweeperOn(slow).sweep(order());
  await begun;
  const relying = underWay.rely([key]).then(() => events.push('relied on'));
  open();
  await Promise.all([sweeping, relying]);
  assert.deepEqual(events, ['removed', 'relied on']);
});

test('a sweep that ends between any two removals leaves whole layers only, and the next one finishes it', async (context) => {
  const { store, publish, keys, sweeper, sweeperOn } = await createBench(context);
  for (let allowed = 0; allowed < 6; allowed += 1) {
    const base = await publish('base');
    const going = [await publish('one', [base]), await publish('two', [base])];
    let left = allowed;
    const dying = {
      get: (key: string) => store.get(key),
      list: (prefix: string) => store.list(prefix),
      delete: async (key: string) => {
        if (left === 0) throw new SystemError('object-store-unavailable', 'killed here');
        left -= 1;
        await store.delete(key);
      },
    };
    await assert.rejects(sweeperOn(dying).sweep(order(going.map(placeOf))));
    const present = new Set(await keys());
    for (const layer of [base, ...going]) {
      if (!present.has(placeOf(layer))) continue;
      for (const object of objectsOf(layer)) assert.ok(present.has(object), `after ${allowed} removals`);
    }
    await sweeper.sweep(order(going.map(placeOf)));
    assert.deepEqual((await keys()).sort(), [placeOf(base), ...objectsOf(base)].sort());
  }
});

test('a manifest that can not be read may need anything: nothing loose goes until it is gone itself', async (context) => {
  const { put, keys, sweeper } = await createBench(context);
  const data = Buffer.from('loose');
  await put(blobKey(digestOf(data)), data);
  await put('manifests/shared/k-unreadable.dsse', Buffer.from('{'));
  await sweeper.sweep(order());
  assert.equal((await keys()).length, 2);
  await sweeper.sweep(order(['manifests/shared/k-unreadable.dsse']));
  assert.deepEqual(await keys(), []);
});

test('a verifier without the credential refuses, and says which setting is missing', async (context) => {
  const { sweeperOn } = await createBench(context);
  await assert.rejects(sweeperOn(null).sweep(order()), (error) => {
    return error instanceof SystemError && error.code === 'forbidden' && /minioPurgerAccessKey/.test(error.message);
  });
});

test('whatever is chosen, no manifest that stays stands on one that goes, and none is kept without need', () => {
  const layers = fc.array(
    fc.record({ parents: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }), isWanted: fc.boolean() }),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(layers, (all) => {
      const needs = new Map(
        all.map(({ parents }, index) => {
          const below = parents.filter((parent) => parent < index).map((parent) => digestOf(`${parent}`));
          const tar = { digest: digestOf(`${index}`), bytes: 1, entries: 1, rules: 1 };
          return [
            `m${index}`,
            { blob: { digest: tar.digest, bytes: 1, codec: 'zstd' as const }, tar, parents: below, provenance: null },
          ];
        }),
      );
      const wanted = all.flatMap(({ isWanted }, index) => (isWanted ? [`m${index}`] : []));
      const { going, kept } = choose(needs, wanted);
      const staying = [...needs].filter(([key]) => !going.includes(key)).flatMap(([, { parents }]) => parents);
      const digest = (key: string) => needs.get(key)?.tar.digest ?? digestOf('none');
      for (const key of going) assert.ok(!staying.includes(digest(key)));
      for (const { manifest } of kept) assert.ok(staying.includes(digest(manifest)));
      assert.deepEqual([...going, ...kept.map(({ manifest }) => manifest)].sort(), wanted.sort());
    }),
  );
});
