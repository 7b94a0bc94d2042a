/**
 * Owns the proof of the layer cache's promises: one fetch per layer, nothing in use is removed, least recently used goes first,
 * order and contents survive a crash, and nothing untrusted or corrupt is ever handed out.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { toErofsImage } from '../../shared/layers/image/erofs-image.ts';
import { TarIndex } from '../../shared/layers/image/tar-index.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import type { BlobDescription } from '../../shared/layers/layer-fetcher.ts';
import { layerName } from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { FakeLayerStore } from '../support/fake-layer-store.ts';
import { createTestKey, createTestLayer, type TestLayer } from '../support/signed-layers.ts';

const { signing, trusted } = createTestKey();
const layer = (name: string, bytes?: number, changes = {}) => createTestLayer(signing, name, bytes, changes);
const [one, two, three] = ['one', 'two', 'three'].map((name) => layer(name)) as [TestLayer, TestLayer, TestLayer];
/** What each of the test layers takes: its tar, and the tar's index. */
const WEIGHT = one.tar.length + indexOf(one.tar).length;

function indexOf(tar: Buffer): Buffer {
  const index = new TarIndex();
  index.push(tar);
  return toErofsImage(index.finish(), tar.length);
}

/** A launcher, a source of blobs and a folder that outlive any cache on them. */
async function createMachine(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'layers-'));
  context.after(() => rm(directory, { recursive: true }));
  const sandbox = new FakeLayerStore();
  const blobs = new Map([one, two, three].map(({ manifest, blob }) => [manifest.blob.digest, blob]));
  const fetches: string[] = [];
  const fetcher = {
    fetch: async (url: string, description: BlobDescription) => {
      fetches.push(url);
      await sandbox.gate;
      const content = blobs.get(description.digest);
      if (content === undefined || url.includes('expired')) throw new SystemError('object-store-unavailable', 'gone');
      return { bytes: content.length, read: () => Readable.from([content]), close: async () => undefined };
    },
  };
  const open = async (bytesMax = 100 * WEIGHT) => {
    const trust = new ManifestTrust([trusted]);
    const cache = new LayerCache({ sandbox, trust, fetcher, directory, bytesMax, logger: silentLogger });
    await cache.start();
    return cache;
  };
  return { directory, sandbox, blobs, fetches, open };
}

const withCode = (code: string) => (error: unknown) => error instanceof SystemError && error.code === code;
const digests = (...layers: TestLayer[]) => layers.map(({ manifest }) => manifest.tar.digest);

async function use(cache: LayerCache, ...layers: TestLayer[]): Promise<void> {
  for (const { reference } of layers) (await cache.acquire([reference], 'local')).release();
}

test('a layer is fetched once, however many ask at once, and is local from then on', async (context) => {
  const { sandbox, fetches, open } = await createMachine(context);
  const cache = await open();
  const all = await Promise.all([1, 2, 3].map(() => cache.acquire([one.reference], 'local')));
  assert.equal(fetches.length, 1);
  assert.deepEqual(all[0]?.names, [layerName(one.manifest.tar.digest)]);
  assert.deepEqual(all[0]?.manifests, [one.manifest]);
  assert.deepEqual(all[2]?.uses, [
    { kind: 'base', digest: one.manifest.tar.digest, bytes: one.blob.length, origin: 'fetched' },
  ]);
  const again = await cache.acquire([{ ...one.reference, origin: 'built' }], 'local');
  assert.equal(again.uses[0]?.origin, 'local');
  assert.equal(cache.gauges().inUse, 1);
  for (const acquired of [...all, again]) acquired.release();
  assert.deepEqual({ inUse: cache.gauges().inUse, held: cache.held() }, { inUse: 0, held: digests(one) });
  assert.deepEqual([...sandbox.layers], [layerName(one.manifest.tar.digest)]);
});

test('layers come lowest first and say where they came from', async (context) => {
  const { blobs, open } = await createMachine(context);
  const setup = layer('setup', 10, { kind: 'setup', parents: digests(one) });
  blobs.set(setup.manifest.blob.digest, setup.blob);
  const cache = await open();
  await use(cache, one);
  const acquired = await cache.acquire([one.reference, { ...setup.reference, origin: 'built' }], 'local');
  assert.deepEqual(acquired.names, digests(one, setup).map(layerName));
  assert.deepEqual(
    acquired.uses.map(({ origin }) => origin),
    ['local', 'built'],
  );
});

test('a right layer is refused for a wrong request, be it here or not', async (context) => {
  const { fetches, open } = await createMachine(context);
  const cache = await open();
  await use(cache, one);
  // What somebody who may write manifests, or a coordinator that mixes them up, hands out instead of the second layer.
  const swapped = { ...two.reference, envelope: one.reference.envelope };
  await assert.rejects(cache.acquire([swapped], 'local'), withCode('layer-untrusted'));
  await assert.rejects(cache.prefetch([swapped]), withCode('layer-untrusted'));
  await assert.rejects(
    cache.acquire([{ ...one.reference, envelope: two.reference.envelope }], 'local'),
    withCode('layer-untrusted'),
  );
  assert.equal(fetches.length, 1);
  assert.equal(cache.gauges().inUse, 0);
});

test('the least recently used goes first, and never what is in use or pinned', async (context) => {
  const { sandbox, open } = await createMachine(context);
  const cache = await open(2 * WEIGHT);
  await use(cache, one, two, one, three);
  assert.deepEqual(cache.held(), digests(one, three));
  const held = await cache.acquire([one.reference], 'local');
  await cache.pinExactly(digests(three));
  await use(cache, two);
  assert.deepEqual([...cache.held()].sort(), [...digests(one, three)].sort(), 'there was no room to keep the third');
  held.release();
  held.release();
  await use(cache, two);
  assert.deepEqual([...cache.held()].sort(), [...digests(two, three)].sort());
  await cache.pinExactly(digests(one));
  await cache.stop();
  assert.deepEqual([...sandbox.layers].sort(), digests(two, three).map(layerName).sort());
  assert.equal(cache.gauges().bytes, 2 * WEIGHT);
});

test('pins that change while a layer is on its way are its pins', async (context) => {
  const { sandbox, open } = await createMachine(context);
  const cache = await open(WEIGHT);
  const { promise, resolve } = Promise.withResolvers<void>();
  sandbox.gate = promise;
  const used = use(cache, one);
  await cache.pinExactly(digests(one));
  resolve();
  await used;
  await use(cache, two);
  assert.deepEqual([cache.held(), cache.gauges().pinned], [digests(one), 1]);
  await cache.pinExactly([]);
  await cache.stop();
});

test('a layer that is wanted again while the damaged one still has to go is not that one after a crash', async (context) => {
  const { sandbox, open } = await createMachine(context);
  const cache = await open();
  await use(cache, one);
  sandbox.removal = new Promise(() => undefined);
  cache.discard(digestOf(one.tar));
  void use(cache, one);
  await use(cache, two);
  // No stop: the process is gone, and the damaged layer is in the store.
  sandbox.removal = Promise.resolve();
  assert.deepEqual((await open()).held(), digests(two));
});

test('a layer that is being removed comes back whole when it is asked for at that moment', async (context) => {
  const { sandbox, open } = await createMachine(context);
  const cache = await open(WEIGHT);
  await use(cache, one);
  sandbox.removal = new Promise((resolve) => setTimeout(resolve, 50));
  await use(cache, two);
  const acquired = await cache.acquire([one.reference], 'local');
  await cache.stop();
  assert.ok(sandbox.layers.has(acquired.names[0] ?? ''));
});

test('order, pins and contents survive a crash; half a layer does not', async (context) => {
  const { directory, sandbox, fetches, open } = await createMachine(context);
  const cache = await open();
  await use(cache, one, two, three, one);
  await cache.pinExactly(digests(two));
  // No stop: the process is gone. A layer that was committed without a line, and a line without a layer, are left behind.
  const stray = layerName(digestOf('stray'));
  sandbox.layers.add(stray);
  sandbox.layers.delete(layerName(three.manifest.tar.digest));
  sandbox.layers.add('not-ours');
  const next = await open();
  assert.deepEqual(next.held(), digests(one, two));
  assert.equal(next.gauges().pinned, 1);
  assert.ok(!sandbox.layers.has(stray) && sandbox.layers.has('not-ours'));
  await use(next, one, two);
  assert.equal(fetches.length, 3, 'nothing was fetched again');
  await next.stop();
  await writeFile(join(directory, 'layers.json'), '{"version":1,"layers":[{"dig');
  assert.deepEqual((await open()).held(), [], 'an index that can not be read is a cold start');
});

test('the order of use alone reaches the index soon', async (context) => {
  const { directory, open } = await createMachine(context);
  const cache = await open();
  await use(cache, one, two, one);
  const order = async () =>
    JSON.parse(await readFile(join(directory, 'layers.json'), 'utf8')).layers.map(
      (item: { digest: string }) => item.digest,
    );
  const deadline = Date.now() + 5000;
  while ((await order())[0] !== two.manifest.tar.digest && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await order(), digests(two, one));
});

test('a smaller allowance at the next start removes the oldest', async (context) => {
  const { open } = await createMachine(context);
  await use(await open(), one, two, three);
  assert.deepEqual((await open(2 * WEIGHT)).held(), digests(two, three));
});

test('nothing untrusted is fetched or handed out, here already or not', async (context) => {
  const { fetches, open } = await createMachine(context);
  const cache = await open();
  const stranger = createTestLayer(createTestKey().signing, 'one');
  const foreign = layer('foreign', 9, { scope: 'tenant-other' });
  const orphan = layer('orphan', 9, { parents: digests(two) });
  const arm = layer('arm', 9, { architecture: process.arch === 'arm64' ? 'x86_64' : 'aarch64' });
  for (const wrong of [stranger, foreign, orphan, arm]) {
    await assert.rejects(cache.acquire([wrong.reference], 'local'), withCode('layer-untrusted'));
  }
  assert.deepEqual(fetches, []);
  await use(cache, one);
  await assert.rejects(cache.acquire([stranger.reference], 'local'), withCode('layer-untrusted'));
});

test('a tar that is not the signed one is quarantined, whatever is wrong with it', async (context) => {
  const { sandbox, blobs, open } = await createMachine(context);
  const cache = await open();
  const bomb = zstdCompressSync(Buffer.alloc(50 * 1024 ** 2));
  const { blob } = one;
  const corruptions = [
    two.blob,
    bomb,
    Buffer.from('no zstd'),
    blob.subarray(0, blob.length - 3),
    zstdCompressSync(one.tar.subarray(0, 512)),
  ];
  for (const wrong of corruptions) {
    blobs.set(one.manifest.blob.digest, wrong);
    await assert.rejects(cache.acquire([one.reference], 'local'), withCode('layer-corrupt'));
    assert.deepEqual([...sandbox.layers], []);
  }
  blobs.set(one.manifest.blob.digest, blob);
  sandbox.exitCode = 2;
  await assert.rejects(cache.acquire([one.reference], 'local'), withCode('sandbox-failed'));
  assert.deepEqual([[...sandbox.layers], cache.gauges().bytes], [[], 0]);
});

test("one layer's failure lets go of the others; another's expired address is no reason to fail", async (context) => {
  const { blobs, fetches, open } = await createMachine(context);
  const cache = await open();
  await use(cache, one);
  const setup = layer('setup', 10, { kind: 'setup', parents: digests(one) });
  const expired = { ...setup.reference, url: 'http://127.0.0.1:1/expired' };
  await assert.rejects(cache.acquire([one.reference, expired], 'local'), withCode('object-store-unavailable'));
  assert.equal(cache.gauges().inUse, 0);
  blobs.set(setup.manifest.blob.digest, setup.blob);
  const both = await Promise.allSettled([
    cache.acquire([one.reference, expired], 'local'),
    cache.acquire([one.reference, setup.reference], 'local'),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
  assert.equal(fetches.filter((url) => !url.includes('expired')).length, 2);
});

test('prefetch brings layers of any tenant and holds none', async (context) => {
  const { blobs, open } = await createMachine(context);
  const own = layer('own', 9, { scope: 'tenant-a' });
  blobs.set(own.manifest.blob.digest, own.blob);
  const cache = await open();
  await cache.prefetch([own.reference]);
  assert.deepEqual([cache.held(), cache.gauges().inUse], [digests(own), 0]);
});

test('a warm acquire fetches and unpacks nothing, however often and however its references are spelled', async (context) => {
  const { blobs, open } = await createMachine(context);
  const setup = layer('setup', 10, { kind: 'setup', parents: digests(one) });
  blobs.set(setup.manifest.blob.digest, setup.blob);
  const cache = await open();
  const references = [one.reference, setup.reference];
  (await cache.acquire(references, 'local')).release();
  const fresh = Array.from({ length: 2000 }, () => structuredClone(references));
  const before = cache.gauges();
  const eachMs: number[] = [];
  for (const asked of fresh) {
    const startedAt = performance.now();
    (await cache.acquire(asked, 'local')).release();
    eachMs.push(performance.now() - startedAt);
  }
  const medianMs = eachMs.sort((left, right) => left - right)[eachMs.length / 2] ?? Number.NaN;
  context.diagnostic(`${(medianMs * 1000).toFixed(1)} µs`);
  const { misses, fetchedBytes, hits } = cache.gauges();
  assert.deepEqual([misses, fetchedBytes], [before.misses, before.fetchedBytes]);
  assert.equal(hits, before.hits + fresh.length * references.length);
});
