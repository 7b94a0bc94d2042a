/**
 * Owns the proof that the verifier publishes what is as it was said to be, refuses everything else by a named reason and leaves
 * nothing of it in the store; over a real directory store and real files.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { PROVENANCE_PAYLOAD_TYPE } from '../../coordinator/environments/verifier/provenance.ts';
import { PublicationsUnderWay } from '../../coordinator/environments/verifier/publications-under-way.ts';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { Verifier } from '../../coordinator/environments/verifier/verifier.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { openEnvelope } from '../../shared/layers/envelope.ts';
import {
  blobKey,
  decodeEnvelope,
  manifestKey,
  openManifest,
  provenanceKey,
} from '../../shared/layers/layer-manifest.ts';
import { RevocationList } from '../../shared/layers/revocation-list.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { PublicationOrder } from '../../shared/model/build.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { describeBytes, type ObjectStore, readObject } from '../../shared/storage/object-store.ts';
import { specOf } from '../support/layer-specs.ts';
import { orderFor, plainTar, stage, withKey } from '../support/staged-layers.ts';
import { tarOf } from '../support/tar-pieces.ts';
import { fetched, startVerifier } from '../support/two-builds.ts';

const bounds = { entriesMax: 1000, bytesMax: 256 * 1024 ** 2 };
const buildId = 'build_0123456789';
const tar = plainTar();
const blob = zstdCompressSync(tar);
const order = orderFor(buildId, tar, blob);

const plain = { trust: { revoked: new RevocationList([]) }, underWay: new PublicationsUnderWay() };

async function createBench(context: TestContext, wrap?: (store: ObjectStore) => ObjectStore) {
  const place = await startVerifier(context, wrap);
  const stored = async () => {
    const found: string[] = [];
    for await (const { key } of place.store.list('')) found.push(key);
    return found;
  };
  return { ...place, stored };
}

async function refusalOf(publication: Promise<unknown>): Promise<string> {
  const error = await publication.then(
    () => new Error('it was published'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SystemError, String(error));
  return error.code === 'publication-refused' ? (error.message.split(':')[0] ?? '') : error.code;
}

test('a true layer is published: blob, provenance and manifest, each signed and found under its name', async (context) => {
  const { staging, store, keys, verifier, stored } = await createBench(context);
  await stage(staging, buildId, blob);
  const { envelope, isNew } = await verifier.publish(order);
  assert.equal(isNew, true);
  const manifest = openManifest(envelope, keys.trusted);
  assert.deepEqual(manifest.blob, { ...order.staged.blob, codec: 'zstd' });
  assert.deepEqual(
    [manifest.scope, manifest.key, manifest.variables],
    ['tenant-local', order.key, { GREETING: 'hello' }],
  );
  const provenance = provenanceKey(manifest.provenance ?? '');
  assert.deepEqual(
    (await stored()).sort(),
    [blobKey(digestOf(blob)), manifestKey('tenant-local', order.key), provenance].sort(),
  );
  assert.deepEqual(Buffer.from((await readObject(store, blobKey(digestOf(blob)), 1e6)) ?? []), blob);
  const statement = await readObject(store, provenance, 1e6);
  assert.equal(digestOf(statement ?? ''), manifest.provenance);
  const opened = openEnvelope(decodeEnvelope(statement ?? Buffer.alloc(0)), keys.trusted, PROVENANCE_PAYLOAD_TYPE);
  const { subject, predicate, predicateType } = JSON.parse(opened.toString());
  assert.equal(predicateType, 'https://slsa.dev/provenance/v1');
  assert.equal(`sha256:${subject[1].digest.sha256}`, digestOf(tar));
  assert.deepEqual(predicate.buildDefinition.externalParameters, order.externalParameters);
  assert.equal(predicate.buildDefinition.internalParameters.areMaterialsComplete, true);
  assert.deepEqual(
    predicate.buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri),
    ['urn:envicutor:layer', 'https://example.org/a.deb'],
  );
});

test('the signed provenance says of every body whether it was kept from earlier, and which mirror served it', async (context) => {
  const { staging, store, keys, verifier } = await createBench(context);
  await stage(staging, buildId, blob);
  const mirror = 'https://mirror.example/remote';
  const wheres = [
    { source: 'upstream', mirror: null },
    { source: 'revalidated', mirror: null },
    { source: 'stored', mirror },
  ] as const;
  const materials = wheres.flatMap((where) => fetched(where).filter(({ kind }) => kind === 'artefact'));
  const { envelope } = await verifier.publish({ ...order, materials: [...materials, ...fetched().slice(-1)] });
  const { provenance } = openManifest(envelope, keys.trusted);
  const statement = await readObject(store, provenanceKey(provenance ?? ''), 1e6);
  const opened = openEnvelope(decodeEnvelope(statement ?? Buffer.alloc(0)), keys.trusted, PROVENANCE_PAYLOAD_TYPE);
  const { resolvedDependencies } = JSON.parse(opened.toString()).predicate.buildDefinition;
  assert.deepEqual(
    resolvedDependencies.slice(1).map(({ uri, annotations }: { uri: string; annotations: (typeof wheres)[number] }) => {
      assert.equal(uri, 'https://example.org/a.deb', 'the true URL, whoever was asked');
      return { source: annotations.source, mirror: annotations.mirror };
    }),
    wheres,
  );
});

test('the same key again, or many at once, gives the one manifest that stands there', async (context) => {
  const { staging, verifier, stored } = await createBench(context);
  await stage(staging, buildId, blob);
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => verifier.publish(order)));
  assert.equal(all.filter(({ isNew }) => isNew).length, 1);
  await rm(join(staging, buildId), { recursive: true });
  const again = await verifier.publish(order);
  assert.equal(again.isNew, false);
  for (const { envelope } of all) assert.deepEqual(envelope, again.envelope);
  assert.equal((await stored()).filter((key) => key.startsWith('manifests/')).length, 1);
  assert.equal(await refusalOf(verifier.publish({ ...order, spec: specOf('another') })), 'key');
  // A private key says nothing to the verifier: what stands there does.
  const own = { ...order, key: `k1t-${'0'.repeat(52)}` };
  await stage(staging, buildId, blob);
  assert.equal((await verifier.publish(own)).isNew, true);
  assert.equal(await refusalOf(verifier.publish({ ...own, spec: specOf('another') })), 'conflict');
});

/** A lie about a layer, under the key that the lie has. */
const changed = (change: (order: PublicationOrder) => unknown): PublicationOrder => {
  const copy = structuredClone(order);
  change(copy);
  return copy.key === order.key ? withKey(copy) : copy;
};
const other = zstdCompressSync(plainTar('other'));
// A frame of one raw block whose header asks for a window of 1 GiB (RFC 8878, 3.1.1.1.2).
const block = Buffer.alloc(3);
block.writeUIntLE((tar.length << 3) | 1, 0, 3);
const hugeWindow = Buffer.concat([Buffer.from('28b52ffd00a0', 'hex'), block, tar]);
const bombTar = tarOf({ name: 'zeros', body: Buffer.alloc(120 * 1024 ** 2) });
const bomb = zstdCompressSync(bombTar);
const setuid = tarOf({ name: 'sudo', mode: 0o4755 });
const noise = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 7919) % 251));
// biome-ignore format: what is wrong, the reason, what is staged, what is ordered
const refused: readonly (readonly [string, string, Buffer | null, PublicationOrder])[] = [
  ['nothing is staged',                   'staging-missing',       null, order],
  ['another layer is staged',             'blob-size',           other, order],
  ['the blob is cut off',                 'blob-not-zstd',         blob.subarray(0, -3), order],
  ['the blob is empty',                   'blob-not-zstd',         Buffer.alloc(0), order],
  ['the blob is padded',                  'blob-trailing-bytes',   Buffer.concat([blob, Buffer.alloc(9)]), order],
  ['a padded blob that was declared so',  'blob-trailing-bytes',   Buffer.concat([blob, noise]), orderFor(buildId, tar, Buffer.concat([blob, noise]))],
  ['a second frame hides behind',         'blob-trailing-bytes',   Buffer.concat([blob, other]), orderFor(buildId, tar, Buffer.concat([blob, other]))],
  ['it is no zstd',                       'blob-not-zstd',         tar, orderFor(buildId, tar, tar)],
  ['it asks for a huge window',           'blob-not-zstd',         hugeWindow, orderFor(buildId, tar, hugeWindow)],
  ['it is a bomb',                        'blob-expands-too-much', bomb, orderFor(buildId, bombTar, bomb, 1)],
  ['it holds a setuid program',           'tar-mode',              zstdCompressSync(setuid), orderFor(buildId, setuid)],
  ['the tar is cut off',                  'tar-truncated',         zstdCompressSync(tar.subarray(0, -512)), order],
  ['the tar is padded',                   'tar-trailing-bytes',    zstdCompressSync(Buffer.concat([tar, Buffer.alloc(512)])), order],
  ['a wrong blob size is said',           'blob-size',             blob, changed((said) => { said.staged.blob.bytes += 1; })],
  ['a wrong blob digest is said',         'blob-digest',           blob, changed((said) => { said.staged.blob.digest = digestOf('x'); })],
  ['a wrong tar size is said',            'tar-size',              blob, changed((said) => { said.staged.tar.bytes -= 1; })],
  ['a wrong tar digest is said',          'tar-digest',            blob, changed((said) => { said.staged.tar.digest = digestOf('x'); })],
  ['a wrong number of entries is said',   'tar-entries',           blob, changed((said) => { said.staged.tar.entries = 3; })],
  ['unknown capture rules are said',      'tar-rules',             blob, changed((said) => { said.staged.tar.rules = 99; })],
  ['a variable is invented',              'variables',             blob, changed((said) => { said.staged.variables = { LD_PRELOAD: '/x' }; })],
  ["a variable's value is another",       'variables',             blob, changed((said) => { said.staged.variables = { GREETING: 'bye' }; })],
  ['a base has parents',                  'parents',               blob, changed((said) => { said.spec.kind = 'base'; })],
  ['another version of rules was asked for', 'tar-rules',           blob, changed((said) => { said.spec.capture = 1; })],
  ["the key is another layer's",          'key',                   blob, changed((said) => { said.key = `k1s-${'0'.repeat(52)}`; })],
  ["a private layer is to be everybody's", 'key',                  blob, changed((said) => { said.scope = 'shared'; said.key = `k1t-${'0'.repeat(52)}`; })],
  ['a setup layer has none',              'parents',               blob, changed((said) => { said.parents = []; })],
  ['the build id is a path',              'request-invalid',       blob, changed((said) => { said.staged.buildId = '../keys'; })],
  ['the key is a path',                   'request-invalid',       blob, changed((said) => { said.key = '../../shared/x'; })],
];

for (const [what, reason, staged, said] of refused) {
  test(`when ${what} it is refused (${reason}) and nothing is stored`, async (context) => {
    const { staging, verifier, stored } = await createBench(context);
    if (staged !== null) await stage(staging, buildId, staged);
    assert.equal(await refusalOf(verifier.publish(said)), reason);
    assert.deepEqual(await stored(), []);
  });
}

test('no blob with one flipped bit is published', async (context) => {
  const { staging, verifier, stored } = await createBench(context);
  for (let bit = 0; bit < blob.length * 8; bit += 13) {
    const flipped = Buffer.from(blob);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await stage(staging, buildId, flipped);
    assert.notEqual(await refusalOf(verifier.publish(order)), 'internal');
  }
  assert.deepEqual(await stored(), []);
});

test('links, folders and fifos in the place of the staged file are not followed', async (context) => {
  const { folder, staging, verifier } = await createBench(context);
  const path = await stage(staging, buildId, blob);
  await rename(path, join(folder, 'elsewhere'));
  await symlink(join(folder, 'elsewhere'), path);
  assert.equal(await refusalOf(verifier.publish(order)), 'staging-not-a-file');
  await rm(path);
  await mkdir(path);
  assert.equal(await refusalOf(verifier.publish(order)), 'staging-not-a-file');
  await rm(path, { recursive: true });
  execFileSync('mkfifo', [path]);
  assert.equal(await refusalOf(verifier.publish(order)), 'staging-not-a-file');
  await rename(join(staging, buildId), join(folder, 'moved'));
  await symlink(join(folder, 'moved'), join(staging, buildId));
  assert.equal(await refusalOf(verifier.publish(order)), 'staging-not-a-file');
});

test('a file that is changed between check and upload is refused', async (context) => {
  const bench = await createBench(context, (store) => ({
    ...bindAll(store),
    put: async (key, source, description) => {
      // The builder strikes when everything has been checked.
      if (key.startsWith('cas/')) await writeFile(path, other);
      return await store.put(key, source, description);
    },
  }));
  const path = await stage(bench.staging, buildId, blob);
  assert.equal(await refusalOf(bench.verifier.publish(order)), 'staging-changed');
  assert.deepEqual(await bench.stored(), []);
});

function bindAll(store: ObjectStore): ObjectStore {
  return {
    get: (key) => store.get(key),
    put: (key, source, description) => store.put(key, source, description),
    head: (key) => store.head(key),
    list: (prefix) => store.list(prefix),
    delete: (key) => store.delete(key),
    presignGet: (key, seconds) => store.presignGet(key, seconds),
  };
}

test('what stands in the store and is not ours is never answered', async (context) => {
  const { staging, store, verifier, folder } = await createBench(context);
  await stage(staging, buildId, blob);
  const stranger = new Verifier({
    store: new DirectoryObjectStore(join(folder, 'strange')),
    keys: await SigningKeys.open(join(folder, 'strange-keys')),
    ...plain,
    stagingDirectory: staging,
    bounds,
    logger: silentLogger,
  });
  const put = (key: string, data: Buffer) => store.put(key, Readable.from([data]), describeBytes(data));
  const forged = Buffer.from(JSON.stringify((await stranger.publish(order)).envelope));
  await put(manifestKey('tenant-local', order.key), forged);
  assert.equal(await refusalOf(verifier.publish(order)), 'layer-untrusted');
  const mine = await verifier.publish({ ...order, key: 'k-another-key' });
  await put(manifestKey('tenant-local', 'k-swapped-key'), Buffer.from(JSON.stringify(mine.envelope)));
  assert.equal(await refusalOf(verifier.publish({ ...order, key: 'k-swapped-key' })), 'layer-untrusted');
  const poisoned = zstdCompressSync(plainTar('poison'));
  await put(blobKey(digestOf(poisoned)), Buffer.from('other bytes'));
  await stage(staging, 'build_poisoned00', poisoned);
  assert.equal(
    await refusalOf(verifier.publish(orderFor('build_poisoned00', plainTar('poison'), poisoned))),
    'layer-corrupt',
  );
});

test("an operator's promotion signs a tenant's layer for everybody, and nothing else", async (context) => {
  const { staging, store, keys, verifier, folder } = await createBench(context);
  await stage(staging, buildId, blob);
  const { envelope } = await verifier.publish(order);
  const promoted = await verifier.promote({ envelope, key: 'k-shared-key' });
  const [before, after] = [openManifest(envelope, keys.trusted), openManifest(promoted.envelope, keys.trusted)];
  assert.deepEqual(after, { ...before, scope: 'shared', key: 'k-shared-key' });
  assert.deepEqual(await verifier.promote({ envelope, key: 'k-shared-key' }), { ...promoted, isNew: false });
  assert.equal(await refusalOf(verifier.promote({ envelope: promoted.envelope, key: 'k-more-key' })), 'conflict');
  assert.equal(await refusalOf(verifier.promote({ envelope, key: '../x' })), 'request-invalid');
  const tampered = { ...envelope, payload: Buffer.from('{}').toString('base64') };
  assert.equal(await refusalOf(verifier.promote({ envelope: tampered, key: 'k-more-key' })), 'layer-untrusted');
  await store.delete(blobKey(digestOf(blob)));
  assert.equal(await refusalOf(verifier.promote({ envelope, key: 'k-more-key' })), 'conflict');
  await rm(join(folder, 'keys'), { recursive: true });
});
