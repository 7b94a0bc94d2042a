/**
 * Owns the proof that the layer room works on the real launcher: as an image and as a tree every kind of entry is as it stands in the tar,
 * an execution runs on the result, what is corrupt leaves nothing, and layers outlive launcher and cache.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { systemRandom } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { checkImage } from '../../shared/layers/image/layer-imager.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import { layerName, signManifest } from '../../shared/layers/layer-manifest.ts';
import { unpackTree } from '../../shared/layers/layer-unpacker.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { OutputBuffer } from '../../shared/sandbox/output-buffer.ts';
import { notInGuest } from '../support/guest.ts';
import { launchSpec } from '../support/launch-spec.ts';
import { oddTar } from '../support/odd-tar.ts';
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
  const { manifest, reference } = createTestLayer(signing, 'any');
  const described = {
    ...manifest,
    blob: { digest: digestOf(blob), bytes: blob.length, codec: 'zstd' as const },
    tar: { ...manifest.tar, digest: digestOf(tar), bytes: tar.length },
  };
  blobs.set(`/${described.blob.digest}`, blob);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/${described.blob.digest}`;
  return { ...reference, envelope: signManifest(described, signing), url };
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

/** Where a layer's files can be looked at from here: an image is mounted in the launcher's own view of the machine only. */
function rootOf(name: string): string {
  const image = `/proc/${launcher.processId}/root${join(launcher.folder, 'store/images', name, 'mount')}`;
  return existsSync(image) ? image : join(launcher.folder, 'store', name);
}

async function makeTree(tar: Buffer, name: string): Promise<void> {
  const { store } = launcher.sandbox;
  await store.create(`${name}-new`);
  await unpackTree(launcher.sandbox, `${name}-new`, toBlob(tar), describe(tar));
  await store.commit(`${name}-new`, name);
}

const installer = () => new LayerInstaller({ sandbox: launcher.sandbox, random: systemRandom, logger: silentLogger });
const toBlob = (tar: Buffer) => ({ read: () => Readable.from([zstdCompressSync(tar)]) });
const describe = (tar: Buffer) => ({ tar: { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 } });

const makers: Readonly<Record<string, (tar: Buffer, name: string) => Promise<unknown>>> = {
  'as this machine can': (tar, name) => installer().install(toBlob(tar), describe(tar), name),
  'as a tree': makeTree,
};

for (const [how, make] of Object.entries(makers)) {
  test(`every kind of entry of a layer stands as it stands in the tar, kept ${how}`, async () => {
    const name = `kinds-${digestOf(how).slice(7, 17)}`;
    await make(tarOf(...everything), name);
    const root = rootOf(name);
    const entry = (path: string) => {
      const { mode, uid, gid, mtimeMs, rdev, nlink } = lstatSync(join(root, path));
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
    const script = 'import os,sys;print(os.getxattr(sys.argv[1], "user.overlay.opaque"))';
    const said = execFileSync('python3', ['-c', script, join(root, 'opaque')], { encoding: 'utf8' });
    assert.equal(said.trim(), "b'y'");
  });
}

test('both forms of a large and odd tree are the same to whoever looks', async () => {
  const tar = oddTar(20_261_128, 4000);
  const listings: string[][] = [];
  for (const [how, make] of Object.entries(makers)) {
    const name = `odd-${digestOf(how).slice(7, 17)}`;
    await make(tar, name);
    listings.push(listingOf(rootOf(name)));
  }
  const [image = [], tree = []] = listings;
  // Line by line: the difference of two such listings as a whole takes the assertion longer than anybody waits.
  for (const [index, line] of image.entries()) assert.equal(line, tree[index]);
  assert.ok(image.length === tree.length && image.length > 4000);
});

/** All that can be seen of a tree but the size of directories and the root, which the overlay's own hides: one line an entry, and one for each file with the digest of its body. */
function listingOf(root: string): string[] {
  const find = (...parameters: string[]) =>
    execFileSync('find', ['.', '-mindepth', '1', ...parameters], { cwd: root, encoding: 'latin1', maxBuffer: 1 << 26 })
      .split('\0')
      .sort();
  return [
    ...find('!', '-type', 'd', '-printf', '%P %y %m %U %G %n %s %T@ %l\\0'),
    ...find('-type', 'd', '-printf', '%P %y %m %U %G %n %T@\\0'),
    ...find('-type', 'f', '-exec', 'sha256sum', '--zero', '{}', '+'),
  ];
}

test('a layer that is removed still serves the program that runs on it, and nobody after it', async () => {
  const name = 'removed-under-way';
  await installer().install(
    toBlob(tarOf({ name: 'kept', body: 'still here' })),
    describe(tarOf({ name: 'kept', body: 'still here' })),
    name,
  );
  const layers = ['base', name];
  const said = new OutputBuffer();
  const started = Promise.withResolvers<void>();
  const stdin = Promise.withResolvers<void>();
  async function* when(): AsyncGenerator<Uint8Array> {
    await stdin.promise;
    yield Buffer.from('go\n');
  }
  const launch = launcher.sandbox.launch(
    launchSpec(['/bin/sh', '-c', 'head -n 1 >/dev/null; cat /kept'], { layers, stdin: when() }),
    { stdout: said.append.bind(said), started: () => started.resolve() },
  );
  await started.promise;
  await launcher.sandbox.store.remove(name);
  stdin.resolve();
  const { exitCode } = await launch.report;
  assert.deepEqual([exitCode, said.bytes().toString()], [0, 'still here']);
  const after_ = await launcher.sandbox.launch(launchSpec(['/bin/true'], { layers })).report;
  assert.equal(after_.failure?.step, 'layers');
});

test('a layer is there again after its launcher was killed', async () => {
  const tar = tarOf({ name: 'lasting', body: 'a'.repeat(5000) });
  await installer().install(toBlob(tar), describe(tar), 'lasting');
  await launcher.restart();
  const said = new OutputBuffer();
  const launch = launcher.sandbox.launch(launchSpec(['/bin/cat', '/lasting'], { layers: ['base', 'lasting'] }), {
    stdout: said.append.bind(said),
  });
  assert.equal((await launch.report).exitCode, 0);
  assert.equal(said.bytes().toString(), 'a'.repeat(5000));
});

test('an image whose tar or index was changed on the disk is found out', notInGuest('noErofs'), async () => {
  const tar = tarOf({ name: 'a', body: 'x'.repeat(3000) }, { name: 'b', type: '2', link: 'a' });
  await makeTree(tar, 'unchanged-tree');
  assert.equal(await checkImage(launcher.sandbox, 'unchanged-tree', digestOf(tar)), 'unchecked');
  const check = (name: string) => checkImage(launcher.sandbox, name, digestOf(tar));
  for (const [file, position] of [
    ['tar', 600],
    ['tar', tar.length],
    ['index', 2100],
  ] as const) {
    const name = `changed-${file}-${position}`;
    const { form } = await installer().install(toBlob(tar), describe(tar), name);
    assert.equal(form, 'image');
    assert.equal(await check(name), 'sound');
    const stored = openSync(join(launcher.folder, 'store/images', name, file), 'r+');
    writeSync(stored, 'X', position);
    closeSync(stored);
    assert.equal(await check(name), 'damaged', `${file} ${position}`);
  }
});

test('layers outlive the cache, and a stray one goes at the next start', async () => {
  const { store } = launcher.sandbox;
  for (const name of await store.list()) if (name !== 'base') await store.remove(name);
  const first = await openCache();
  (await first.acquire([publish(tarOf(...everything))], 'local')).release();
  const [before_] = first.held();
  await first.stop();
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
    ['layer-corrupt', publish(Buffer.alloc(2048, 'not a tar '))],
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
