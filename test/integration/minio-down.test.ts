/**
 * Owns the proof that a MinIO that dies before or during any step of a publication, or of an agent's pull, is told as
 * `object-store-unavailable`, leaves no half layer visible, and that the same order works when the server is back.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { digestOf } from '../../shared/digest.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { blobKey, manifestKey, openManifest, provenanceKey } from '../../shared/layers/layer-manifest.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { describeBytes, type ObjectStore, readObject } from '../../shared/storage/object-store.ts';
import { orderFor, plainTar, stage } from '../support/staged-layers.ts';
import { startVerifier } from '../support/two-builds.ts';

const isDown = { code: 'object-store-unavailable' };
const BYTES_MAX = 2 ** 20;
let server: MinioServer;
let store: MinioObjectStore;

before(async () => {
  server = await startMinioServer();
  store = new MinioObjectStore(server);
});
after(() => server.stop());

type Step = readonly [method: 'get' | 'put', prefix: string, moment: 'before' | 'during'];

/** Half of it, then the server's death, then the rest. */
async function* dyingMidway(source: Readable | Uint8Array): AsyncGenerator<Buffer> {
  const all = Buffer.from(source instanceof Uint8Array ? source : await buffer(source));
  yield all.subarray(0, all.length >> 1);
  await server.kill();
  yield all.subarray(all.length >> 1);
}

/** The store, whose server dies once, at this step. */
function dyingAt([method, prefix, moment]: Step): ObjectStore {
  let isDead = false;
  const isMet = (asked: 'get' | 'put', key: string): boolean => {
    if (isDead || asked !== method || !key.startsWith(prefix)) return false;
    isDead = true;
    return true;
  };
  return {
    get: async (key) => {
      if (isMet('get', key)) await server.kill();
      return await store.get(key);
    },
    put: async (key, source, description) => {
      if (!isMet('put', key)) return await store.put(key, source, description);
      if (moment === 'during') return await store.put(key, Readable.from(dyingMidway(source)), description);
      await server.kill();
      return await store.put(key, source, description);
    },
    head: (key) => store.head(key),
    list: (prefix) => store.list(prefix),
    delete: (key) => store.delete(key),
    presignGet: (key, seconds) => store.presignGet(key, seconds),
  };
}

// biome-ignore format: what MinIO dies at, and how that step is known
const steps: readonly (readonly [string, Step])[] = [
  ['before the layer is looked up',       ['get', 'manifests/',  'before']],
  ['before the blob is stored',           ['put', 'cas/',        'before']],
  ['while the blob is stored',            ['put', 'cas/',        'during']],
  ['before the provenance is stored',     ['put', 'provenance/', 'before']],
  ['while the provenance is stored',      ['put', 'provenance/', 'during']],
  ['before the manifest is stored',       ['put', 'manifests/',  'before']],
  ['while the manifest is stored',        ['put', 'manifests/',  'during']],
];

for (const [index, [what, step]] of steps.entries()) {
  test(`MinIO that dies ${what} fails the publication by name; the same order is published when it is back`, async (context) => {
    const { staging, keys, verifier } = await startVerifier(context, () => dyingAt(step));
    const tar = plainTar(what);
    const order = orderFor(`build_down0000${index}`, tar);
    await stage(staging, order.staged.buildId, zstdCompressSync(tar));
    const key = manifestKey(order.scope, order.key);
    await assert.rejects(verifier.publish(order), isDown);
    await assert.rejects(verifier.publish(order), isDown, 'it is still down');
    await server.revive();
    assert.equal(await store.get(key), null, 'no manifest stands for what was not published');
    const { envelope, isNew } = await verifier.publish(order);
    assert.equal(isNew, true);
    const { blob, provenance } = openManifest(envelope, keys.trusted);
    assert.deepEqual(digestOf((await readObject(store, blobKey(blob.digest), BYTES_MAX)) ?? ''), blob.digest);
    assert.ok(provenance !== null);
    assert.deepEqual(digestOf((await readObject(store, provenanceKey(provenance), BYTES_MAX)) ?? ''), provenance);
    assert.equal((await verifier.publish(order)).isNew, false);
  });
}

test("MinIO that dies before or during an agent's pull fails it by name, leaves no bytes, and the pull works when it is back", async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'pull-'));
  const incoming = join(directory, 'incoming');
  await mkdir(incoming);
  const fetcher = new LayerFetcher({ directory: incoming });
  context.after(async () => {
    await fetcher.close();
    await rm(directory, { recursive: true });
  });
  const bytes = randomBytes(64 * 1024 ** 2);
  const blob = { digest: digestOf(bytes), bytes: bytes.length, codec: 'zstd' as const };
  await store.put(blobKey(blob.digest), bytes, describeBytes(bytes));
  const url = store.presignGet(blobKey(blob.digest), 600);
  let death: Promise<void> | null = null;
  const dying = (): void => {
    death ??= server.kill();
  };
  await assert.rejects(fetcher.fetch(url, blob, dying), isDown);
  await death;
  await assert.rejects(fetcher.fetch(url, blob), isDown);
  assert.deepEqual(await readdir(incoming), []);
  await server.revive();
  const fetched = await fetcher.fetch(url, blob);
  assert.equal(fetched.bytes, bytes.length);
  await fetched.close();
});
