/**
 * Owns the proof that the layer room works on the real launcher: GNU tar in a sandbox unpacks every kind of entry as it stands in
 * the tar, an execution runs on the result, what is corrupt leaves nothing, and layers outlive launcher and cache.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { layerName, signManifest } from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';

const { signing, trusted } = createTestKey();
const blobs = new Map<string, Buffer>();
const server = createServer((request, response) => response.end(blobs.get(request.url ?? '')));
let launcher: RealLauncher;

before(async () => {
  launcher = await RealLauncher.start('envicutor-unpack');
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await launcher.stop();
});

/** A signed layer of this tar, served over HTTP; `blob` is what is really served and signed as the blob. */
function publish(tar: Buffer, blob = zstdCompressSync(tar)): LayerReference {
  const { manifest } = createTestLayer(signing, 'any');
  const described = {
    ...manifest,
    blob: { digest: digestOf(blob), bytes: blob.length, codec: 'zstd' as const },
    tar: { ...manifest.tar, digest: digestOf(tar), bytes: tar.length },
  };
  blobs.set(`/${described.blob.digest}`, blob);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/${described.blob.digest}`;
  return { envelope: signManifest(described, signing), url, origin: 'stored' };
}

async function openCache(): Promise<LayerCache> {
  const fetcher = new LayerFetcher({ directory: join(launcher.folder, 'incoming') });
  const trust = new ManifestTrust([trusted]);
  const directory = join(launcher.folder, 'cache');
  const { sandbox } = launcher;
  const cache = new LayerCache({ sandbox, trust, fetcher, directory, bytesMax: 1024 ** 3, logger: silentLogger });
  await cache.start();
  return cache;
}

const long = `d/${'n'.repeat(150)}`;
const everything: readonly Piece[] = [
  { name: 'd/', type: '5', mode: 0o555, uid: 7, gid: 8 },
  { name: 'd/file', body: 'hello', mode: 0o640, uid: 1000, gid: 65_535 },
  { name: 'd/gone', type: '3' },
  { name: 'd/linked', type: '1', link: 'd/file', mode: 0o640, uid: 1000, gid: 65_535 },
  { name: 'd/pointer', type: '2', link: '/etc/shadow' },
  { name: long, body: 'x'.repeat(1000), pax: [['path', long]] },
  { name: 'opaque/', type: '5', mode: 0o1777, pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] },
  { name: 'up', type: '2', link: '../../../../etc' },
];

test('every kind of entry is unpacked as it stands in the tar', async () => {
  const cache = await openCache();
  const acquired = await cache.acquire([publish(tarOf(...everything))], 'local');
  const root = join(launcher.folder, 'store', acquired.names[0] ?? '');
  const entry = (name: string) => {
    const { mode, uid, gid, mtimeMs, rdev, nlink } = lstatSync(join(root, name));
    return { mode: mode.toString(8), uid, gid, mtimeMs, rdev, nlink };
  };
  const plain = { mtimeMs: 0, rdev: 0, nlink: 1 };
  assert.deepEqual(entry('d'), { ...plain, mode: '40555', uid: 7, gid: 8, nlink: 2 });
  assert.deepEqual(entry('d/file'), { ...plain, mode: '100640', uid: 1000, gid: 65_535, nlink: 2 });
  assert.equal(lstatSync(join(root, 'd/linked')).ino, lstatSync(join(root, 'd/file')).ino);
  assert.deepEqual(entry('d/gone'), { ...plain, mode: '20000', uid: 0, gid: 0 });
  assert.equal(readlinkSync(join(root, 'd/pointer')), '/etc/shadow');
  assert.equal(readlinkSync(join(root, 'up')), '../../../../etc');
  assert.equal(readFileSync(join(root, long), 'utf8').length, 1000);
  assert.equal(entry('opaque').mode, '41777');
  const attribute = [
    '-c',
    'import os,sys;print(os.getxattr(sys.argv[1], "user.overlay.opaque"))',
    join(root, 'opaque'),
  ];
  assert.equal(execFileSync('python3', attribute, { encoding: 'utf8' }).trim(), "b'y'");
  acquired.release();
  await cache.stop();
});

test('layers outlive the cache, and a stray one goes at the next start', async () => {
  const { store } = launcher.sandbox;
  const [before_] = (await openCache()).held();
  await store.create('stray');
  await store.commit('stray', layerName(digestOf('stray')));
  const cache = await openCache();
  assert.deepEqual(cache.held(), [before_]);
  assert.deepEqual([...(await store.list())].sort(), ['base', layerName(before_ ?? '')]);
});

test('a corrupt tar, a bomb and a tar that tar refuses leave nothing behind', async () => {
  const cache = await openCache();
  const present = await launcher.sandbox.store.list();
  const good = tarOf({ name: 'a', body: 'x'.repeat(100_000) });
  const wrong: readonly (readonly [string, LayerReference])[] = [
    ['layer-corrupt', publish(good, zstdCompressSync(tarOf({ name: 'a', body: 'y'.repeat(100_000) })))],
    ['layer-corrupt', publish(good, zstdCompressSync(Buffer.alloc(200 * 1024 ** 2)))],
    ['layer-corrupt', publish(good, Buffer.from('no zstd frame'))],
    ['layer-corrupt', publish(good, zstdCompressSync(good).subarray(0, -5))],
    ['sandbox-failed', publish(Buffer.alloc(2048, 'not a tar '))],
  ];
  for (const [code, reference] of wrong) {
    await assert.rejects(
      cache.acquire([reference], 'local'),
      (error) => error instanceof SystemError && error.code === code,
    );
  }
  assert.deepEqual(await launcher.sandbox.store.list(), present);
  assert.deepEqual(readdirSync(join(launcher.folder, 'store', 'incoming')), []);
});

test('a tar that climbs out of its root, signed by mistake, still can not', async () => {
  const cache = await openCache();
  const climbing = tarOf({ name: '../../escaped', body: 'x' }, { name: '/tmp/escaped-envicutor', body: 'x' });
  await cache.acquire([publish(climbing)], 'local').catch(() => undefined);
  const through = tarOf({ name: 'way', type: '2', link: '/tmp' }, { name: 'way/escaped-envicutor', body: 'x' });
  await cache.acquire([publish(through)], 'local').catch(() => undefined);
  assert.equal(existsSync('/tmp/escaped-envicutor'), false);
  assert.equal(existsSync(join(launcher.folder, 'escaped')), false);
});
