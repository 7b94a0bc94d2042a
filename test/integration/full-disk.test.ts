/**
 * Owns the proof of what an agent does on a disk that is really full: it says so by the right name, keeps no layer in use that nobody uses, and
 * writes down later what it could not write before. Needs root.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { KeptResults } from '../../agent/connection/kept-results.ts';
import { Outbox } from '../../agent/connection/outbox.ts';
import type { SystemError } from '../../shared/errors.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { FakeLayerStore } from '../support/fake-layer-store.ts';
import { makeResult } from '../support/lease-results.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { SmallDisk } from '../support/small-disk.ts';

const { signing, trusted } = createTestKey();
const layer = createTestLayer(signing, 'one');

async function openDisk(context: TestContext) {
  const disk = await SmallDisk.mount(16 << 20);
  context.after(() => disk.close());
  return { disk, folder: await mkdtemp(join(disk.folder, 'state-')) };
}

test('a blob for which there is no room is a failure of this machine, not of the store that gave it', async (context) => {
  const { disk, folder } = await openDisk(context);
  const server = createServer((_, response) => response.end(layer.blob)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const fetcher = new LayerFetcher({ directory: folder });
  context.after(() => fetcher.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  disk.fill();
  await assert.rejects(fetcher.fetch(url, layer.manifest.blob), ({ code, message }: SystemError) => {
    return code === 'sandbox-failed' && message.includes('ENOSPC');
  });
  disk.free();
  const blob = await fetcher.fetch(url, layer.manifest.blob);
  await blob.close();
});

test('a layer that came whole is used and let go again though its weight could not be written down', async (context) => {
  const { disk, folder } = await openDisk(context);
  const sandbox = new FakeLayerStore();
  const fetcher = {
    fetch: async () => {
      const { blob } = layer;
      return { bytes: blob.length, read: () => Readable.from([blob]), close: async () => disk.fill() };
    },
  };
  const trust = new ManifestTrust([trusted]);
  const cache = new LayerCache({ sandbox, trust, fetcher, directory: folder, bytesMax: 1e9, logger: silentLogger });
  await cache.start();
  const acquired = await cache.acquire([layer.reference], 'local');
  assert.equal(cache.gauges().inUse, 1);
  acquired.release();
  assert.deepEqual([cache.gauges().inUse, cache.held()], [0, [layer.manifest.tar.digest]]);
  disk.free();
  await cache.stop();
});

test('a result that found no room on the disk is kept there as soon as another finds some', async (context) => {
  const { disk, folder } = await openDisk(context);
  const kept = await KeptResults.open(folder, silentLogger);
  const outbox = new Outbox({ entriesMax: 10, bytesMax: 1e6 }, kept);
  const add = async (lease: string, fence: number) => {
    outbox.add({ lease, fence, text: encodeMessage({ type: 'lease.completed', lease, fence, result: makeResult() }) });
    await kept.settled();
  };
  disk.fill();
  await add('lease_a', 1);
  assert.deepEqual(await readdir(join(folder, 'results')), []);
  disk.free();
  await add('lease_b', 2);
  await new Promise(setImmediate);
  await kept.settled();
  const { before } = await KeptResults.open(folder, silentLogger);
  assert.deepEqual(
    before.map(({ lease }) => lease),
    ['lease_a', 'lease_b'],
  );
});
