/**
 * Owns the proof that a layer which is found damaged is put aside: never handed out again, gone with its last user, reported, fetched again.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { SystemError } from '../../shared/errors.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { layerName } from '../../shared/layers/layer-manifest.ts';
import type { LayerIntegrity } from '../../shared/layers/layer-scrub.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { FakeLayerStore } from '../support/fake-layer-store.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { trustState } from '../support/trust-states.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const { signing } = createTestKey();
const all = ['one', 'two', 'three'].map((name) => createTestLayer(signing, name));
const [one, two] = all as [(typeof all)[0], (typeof all)[0]];
const digestsOf = (...layers: typeof all) => layers.map(({ manifest }) => manifest.tar.digest);
const INTERVAL_MS = 60_000;

async function createMachine(context: TestContext, trust = new ManifestTrust()) {
  const directory = await mkdtemp(join(tmpdir(), 'quarantine-'));
  context.after(() => rm(directory, { recursive: true }));
  if (trust.version === 0) trust.accept(trustState([signing]));
  const sandbox = new FakeLayerStore();
  const clock = new VirtualClock();
  const checked: string[] = [];
  const damaged = new Set<string>();
  const checks: (() => void)[] = [];
  const integrity: LayerIntegrity = {
    check: async (digest) => {
      checked.push(digest);
      checks.shift()?.();
      if (damaged.has('unreadable')) throw new Error('the disk does not answer');
      return damaged.has(digest) ? 'damaged' : 'sound';
    },
  };
  const fetched: string[] = [];
  const fetcher = {
    fetch: async (
      url: string,
      { digest, bytes }: { digest: string; bytes: number },
      received?: (bytes: number) => void,
    ) => {
      fetched.push(url);
      received?.(bytes);
      const blob = all.find(({ manifest }) => manifest.blob.digest === digest)?.blob as Buffer;
      return { bytes, read: () => Readable.from([blob]), close: async () => undefined };
    },
  };
  const cache = new LayerCache({
    ...{ sandbox, trust, fetcher, directory, clock, logger: silentLogger },
    ...{ bytesMax: 1e9, scrub: { integrity, intervalMs: INTERVAL_MS } },
  });
  const reports: string[] = [];
  cache.watch((digest) => reports.push(digest));
  await cache.start();
  context.after(() => cache.stop());
  /** Lets the next check happen, and what follows from it. */
  const scrub = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    checks.push(resolve);
    clock.pass(INTERVAL_MS);
    await promise;
    await new Promise(setImmediate);
  };
  const acquire = (layer: (typeof all)[0]) => cache.acquire([layer.reference], 'local');
  return { cache, sandbox, clock, checked, damaged, fetched, reports, scrub, acquire };
}

test('one layer at each interval is checked, in turn, and a sound one stays', async (context) => {
  const { cache, checked, scrub, acquire } = await createMachine(context);
  for (const layer of all) (await acquire(layer)).release();
  for (let number = 0; number < 6; number += 1) await scrub();
  assert.deepEqual(checked.slice(0, 3).sort(), digestsOf(...all).sort());
  assert.deepEqual(checked.slice(3), checked.slice(0, 3));
  assert.equal(cache.held().length, 3);
});

test('a damaged layer that nobody uses goes at once, is reported, and is fetched again at the next use', async (context) => {
  const { cache, sandbox, damaged, fetched, reports, scrub, acquire } = await createMachine(context);
  (await acquire(one)).release();
  damaged.add(one.manifest.tar.digest);
  await scrub();
  assert.deepEqual(reports, digestsOf(one));
  assert.deepEqual([cache.held(), [...sandbox.layers]], [[], []]);
  (await acquire(one)).release();
  assert.deepEqual([fetched.length, cache.held()], [2, digestsOf(one)]);
});

test('a damaged layer in use stays for its users, is handed out to nobody else, and goes with the last of them', async (context) => {
  const { cache, sandbox, damaged, fetched, scrub, acquire } = await createMachine(context);
  const [first, second] = [await acquire(one), await acquire(one)];
  damaged.add(one.manifest.tar.digest);
  await scrub();
  assert.deepEqual(cache.held(), []);
  const elsewhere = (error: unknown) =>
    error instanceof SystemError && error.code === 'layer-corrupt' && error.isRetryable;
  await assert.rejects(acquire(one), elsewhere);
  first.release();
  const name = layerName(one.manifest.tar.digest);
  assert.ok(sandbox.layers.has(name), 'the second still runs on it');
  second.release();
  await cache.stop();
  assert.ok(!sandbox.layers.has(name));
  (await acquire(one)).release();
  assert.deepEqual([fetched.length, cache.held()], [2, digestsOf(one)]);
});

test('a check that could not be made says nothing about a layer', async (context) => {
  const { cache, damaged, reports, scrub, acquire } = await createMachine(context);
  (await acquire(one)).release();
  damaged.add('unreadable');
  await scrub();
  assert.deepEqual([cache.held(), reports], [digestsOf(one), []]);
});

test('with a trust state past its ttl what is here is used, and nothing is fetched', async (context) => {
  const clock = { at: Date.now(), nowMs: () => clock.at };
  const { fetched, acquire } = await createMachine(context, new ManifestTrust([], { clock, ttlMs: 300_000 }));
  (await acquire(one)).release();
  clock.at += 301_000;
  (await acquire(one)).release();
  await assert.rejects(acquire(two), (error) => error instanceof SystemError && error.code === 'trust-expired');
  assert.equal(fetched.length, 1);
});

test('what was used is told once, and progress adds up over the layers that are missing', async (context) => {
  const { cache, acquire } = await createMachine(context);
  (await acquire(one)).release();
  assert.deepEqual(cache.takeUsed(), digestsOf(one));
  assert.deepEqual(cache.takeUsed(), []);
  const child = createTestLayer(signing, 'three', 5, { parents: digestsOf(two), kind: 'setup' });
  const heard: [number, number][] = [];
  const both = await cache.acquire([two.reference, child.reference], 'local', (...progress) => heard.push(progress));
  both.release();
  const total = two.blob.length + child.blob.length;
  assert.deepEqual(heard.at(-1), [total, total]);
});
