/**
 * Owns the proof of when a second build makes a tenant's layer everybody's, and of every named reason why it does not; with a real
 * verifier over a real store.
 */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { PROVENANCE_PAYLOAD_TYPE } from '../../coordinator/environments/verifier/provenance.ts';
import { SystemError } from '../../shared/errors.ts';
import { openEnvelope } from '../../shared/layers/envelope.ts';
import {
  blobKey,
  decodeEnvelope,
  manifestKey,
  openManifest,
  provenanceKey,
} from '../../shared/layers/layer-manifest.ts';
import type { ReproductionOrder } from '../../shared/model/build.ts';
import { describeBytes, readObject } from '../../shared/storage/object-store.ts';
import { stage } from '../support/staged-layers.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';
import { buildTwice, fetched, startVerifier, type TwoBuilds } from '../support/two-builds.ts';

const directory = (name: string): Piece => ({ name, type: '5' });
const same: readonly Piece[] = [directory('environment/'), { name: 'environment/file', body: 'content' }];
const pyc = (stamp: string, code = 'code') => [
  directory('environment/'),
  directory('environment/__pycache__/'),
  { name: 'environment/__pycache__/m.pyc', body: `magic${'\0'.repeat(3)}${stamp}${code}` },
];
const clone = (pack: string, head = 'ref') => [
  directory('.git/'),
  { name: '.git/HEAD', body: head },
  { name: '.git/index', body: `index of ${pack}` },
  directory('.git/logs/'),
  { name: '.git/logs/HEAD', body: `at ${pack}` },
  directory('.git/objects/'),
  directory('.git/objects/pack/'),
  { name: `.git/objects/pack/pack-${'a'.repeat(40)}.pack`, body: pack },
];

async function refusalOf(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => new Error('it was shared'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SystemError, String(error));
  return error.code === 'publication-refused' ? error.message : error.code;
}

test('a layer that two builds agree on is signed for everybody, under its own key, and says how that was shown', async (context) => {
  const bench = await startVerifier(context);
  const order = await buildTwice(bench, { first: same, second: same });
  await bench.verifier.checkCandidate(order);
  const { envelope, isNew } = await bench.verifier.reproduce(order);
  const [own, shared] = [order.first, envelope].map((each) => openManifest(each, bench.keys.trusted));
  assert.equal(isNew, true);
  assert.deepEqual(shared, { ...own, scope: 'shared', provenance: shared?.provenance });
  const stored = await readObject(bench.store, provenanceKey(shared?.provenance ?? ''), 1e6);
  const payload = openEnvelope(decodeEnvelope(stored ?? Buffer.alloc(0)), bench.keys.trusted, PROVENANCE_PAYLOAD_TYPE);
  const { predicate } = JSON.parse(payload.toString());
  assert.equal(predicate.buildDefinition.internalParameters.reproduced, 'identical');
  assert.equal(predicate.runDetails.metadata.invocationId, 'build_first000');
  assert.equal(predicate.runDetails.byproducts[0].annotations.invocationId, 'build_second00');
  const again = await bench.verifier.reproduce(order);
  assert.deepEqual(again, { envelope, isNew: false });
});

// biome-ignore format: what the builds are, and how they may differ
const agreeing: readonly (readonly [string, TwoBuilds])[] = [
  ['the stamp of compiled Python differs',       { first: pyc('11111111'), second: pyc('22222222') }],
  ['a repository was packed differently',        { first: clone('one pack'), second: clone('another, longer') }],
  ['a git fetch brought another pack of the same commit',
    { first: clone('one'), second: clone('two'), order: { materials: fetched({ url: 'https://git.example/x/git-upload-pack', method: 'POST', commits: ['c'.repeat(40)] }) },
      materials: fetched({ url: 'https://git.example/x/git-upload-pack', method: 'POST', commits: ['c'.repeat(40)], sha256: 'b'.repeat(64) }) }],
  ['the first got a kept body by a mirror',      { first: pyc('11111111'), second: pyc('22222222'), order: { materials: fetched({ source: 'stored', mirror: 'https://mirror.example/x' }) } }],
  ["a repository's branches moved",              { first: clone('one'), second: clone('two'), order: { materials: fetched({ url: 'https://git.example/x/info/refs?service=git-upload-pack' }) },
    materials: fetched({ url: 'https://git.example/x/info/refs?service=git-upload-pack', sha256: 'b'.repeat(64) }) }],
];

for (const [what, builds] of agreeing) {
  test(`when only ${what}, the layer is shared for its materials`, async (context) => {
    const bench = await startVerifier(context);
    const { envelope } = await bench.verifier.reproduce(await buildTwice(bench, builds));
    const { scope, provenance } = openManifest(envelope, bench.keys.trusted);
    assert.equal(scope, 'shared');
    const stored = await readObject(bench.store, provenanceKey(provenance ?? ''), 1e6);
    const statement = Buffer.from(decodeEnvelope(stored ?? Buffer.alloc(0)).payload, 'base64').toString();
    assert.match(statement, /"reproduced":"same-materials"/);
    assert.match(statement, /"differing":\["\//);
  });
}

test('what was fetched may differ when the layers are identical', async (context) => {
  const bench = await startVerifier(context);
  const order = await buildTwice(bench, { first: same, second: same, materials: fetched({ sha256: 'c'.repeat(64) }) });
  assert.equal((await bench.verifier.reproduce(order)).isNew, true);
});

const unfinished = fetched().slice(0, 1);
// biome-ignore format: how the builds disagree, what the refusal says
const refused: readonly (readonly [string, RegExp, TwoBuilds, Partial<ReproductionOrder>?])[] = [
  ['a file has other content',         /^reproduction-differs: 1 of its files differ: \/environment\/file$/, { first: same, second: [directory('environment/'), { name: 'environment/file', body: 'CONTENT' }] }],
  ['a file has another mode',          /^reproduction-differs: .*\/environment\/file$/, { first: same, second: [directory('environment/'), { name: 'environment/file', body: 'content', mode: 0o755 }] }],
  ['a file has another owner',         /^reproduction-differs: /, { first: same, second: [directory('environment/'), { name: 'environment/file', body: 'content', uid: 1 }] }],
  ['a file became a link',             /^reproduction-differs: /, { first: same, second: [directory('environment/'), { name: 'environment/file', type: '2', link: '/etc/passwd' }] }],
  ['there is one file more',           /^reproduction-differs: .*\/more$/, { first: same, second: [...same, { name: 'more' }] }],
  ['there is one file less',           /^reproduction-differs: .*\/environment\/file$/, { first: same, second: same.slice(0, 1) }],
  ['a directory hides what is below',  /^reproduction-differs: .*\/environment$/, { first: same, second: [{ ...directory('environment/'), pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] }, ...same.slice(1)] }],
  ['compiled Python is other code',    /^reproduction-differs: .*m\.pyc$/, { first: pyc('11111111'), second: pyc('11111111', 'evil') }],
  ['compiled Python has another length', /^reproduction-differs: .*m\.pyc$/, { first: pyc('11111111'), second: pyc('11111111', 'code and more') }],
  ["a repository's head is another",   /^reproduction-differs: 1 .*\/\.git\/HEAD$/, { first: clone('one'), second: clone('one', 'another') }],
  ['they fetched different bodies, the first one a kept one', /^reproduction-materials: .*a\.deb sha256:b{64}/, { first: pyc('11111111'), second: pyc('22222222'), order: { materials: fetched({ source: 'stored' }) }, materials: fetched({ sha256: 'b'.repeat(64) }) }],
  ['they fetched different bodies',    /^reproduction-materials: .*a\.deb sha256:b{64}/, { first: pyc('11111111'), second: pyc('22222222'), materials: fetched({ sha256: 'b'.repeat(64) }) }],
  ['git fetched another commit',       /^reproduction-materials: /, { first: clone('one'), second: clone('two'), order: { materials: fetched({ commits: ['a'.repeat(40)] }) }, materials: fetched({ commits: ['b'.repeat(40)] }) }],
  ['the first came without TLS',       /^reproduction-plain-http: http:\/\/example.org\/x .*signedPlainHttpUrls/, { first: same, second: same, order: { materials: fetched({ url: 'http://example.org/x' }) } }],
  ['the second came without TLS',      /^reproduction-plain-http: /, { first: same, second: same, materials: fetched({ url: 'http://example.org/x' }) }],
  ['a plain URL only resembles a listed one', /^reproduction-plain-http: /, { first: same, second: same, materials: fetched({ url: 'http://example.org/x' }) }, { signedPlainHttpUrls: ['http://exampleXorg/*', 'http://example.org/y*', 'ttp://example.org/x', 'http://example.org/'] }],
  ['the first fetched with credentials',  /^reproduction-credentials: /, { first: same, second: same, order: { materials: fetched({ isWithCredentials: true }) } }],
  ['the second fetched with credentials', /^reproduction-credentials: /, { first: same, second: same, materials: fetched({ isWithCredentials: true }) }],
  ['the first record is incomplete',   /^reproduction-incomplete: /, { first: same, second: same, order: { materials: unfinished } }],
  ['the second record is incomplete',  /^reproduction-incomplete: /, { first: same, second: same, materials: unfinished }],
  ['a body broke off',                 /^reproduction-incomplete: /, { first: same, second: same, materials: fetched({ isComplete: false }) }],
  ['the layer is private',             /^reproduction-scope: layer k1t-\S+ is private$/, { first: same, second: same, order: { key: 'k1t-00000000' } }],
  ['the layer is shared already',      /^reproduction-scope: /, { first: same, second: same, order: { scope: 'shared' } }],
  ['a parent is missing',              /^reproduction-parents: /, { first: same, second: same }, { parents: [] }],
  ['the second is not what was said',  /^tar-entries: /, { first: same, second: same }, { second: { buildId: 'build_second00', blob: { digest: '', bytes: 0 }, tar: { digest: '', bytes: 0, entries: 0, rules: 2 }, variables: {} } }],
];

for (const [what, reason, builds, changes] of refused) {
  test(`when ${what}, the layer stays its tenant's (${reason.source})`, async (context) => {
    const bench = await startVerifier(context);
    const order = await buildTwice(bench, builds);
    const said = changes?.second === undefined ? { ...order, ...changes } : withWrongEntries(order);
    assert.match(await refusalOf(bench.verifier.reproduce(said)), reason);
    const { key, scope } = openManifest(order.first, bench.keys.trusted);
    if (scope !== 'shared') assert.equal(await bench.store.head(manifestKey('shared', key)), null);
  });
}

function withWrongEntries(order: ReproductionOrder): ReproductionOrder {
  return { ...order, second: { ...order.second, tar: { ...order.second.tar, entries: 77 } } };
}

test('what came without TLS is shared when the operator listed its URL', async (context) => {
  const bench = await startVerifier(context);
  const plain = fetched({ url: 'http://archive.example/debian/pool/main/x.deb' });
  const order = await buildTwice(bench, { first: same, second: same, order: { materials: plain }, materials: plain });
  assert.match(await refusalOf(bench.verifier.checkCandidate(order)), /^reproduction-plain-http/);
  const signedPlainHttpUrls = ['http://*/debian/pool/*.deb'];
  await bench.verifier.checkCandidate({ ...order, signedPlainHttpUrls });
  assert.equal((await bench.verifier.reproduce({ ...order, signedPlainHttpUrls })).isNew, true);
});

test("a layer is not shared upon one that is its tenant's alone", async (context) => {
  const bench = await startVerifier(context);
  const below = await buildTwice(bench, { first: same, second: same });
  const own = openManifest(below.first, bench.keys.trusted);
  const parents = [...below.parents, below.first];
  const order = { parents: [...own.parents, own.tar.digest] };
  await rm(join(bench.staging, 'build_first000'), { recursive: true });
  const above = await buildTwice(bench, { first: [{ name: 'above' }], second: [{ name: 'above' }], order });
  const said = { ...above, parents };
  assert.match(await refusalOf(bench.verifier.reproduce(said)), /^reproduction-parents: .*tenant-local/);
  const { envelope } = await bench.verifier.promote({ envelope: below.first, key: own.key });
  const shared = { ...said, parents: [...below.parents, envelope] };
  assert.equal((await bench.verifier.reproduce(shared)).isNew, true);
});

test('the first build itself is no second one, and a second one is read anew', async (context) => {
  const bench = await startVerifier(context);
  const order = await buildTwice(bench, { first: same, second: same });
  const itself = { ...order, second: { ...order.second, buildId: 'build_first000' } };
  assert.match(await refusalOf(bench.verifier.reproduce(itself)), /^reproduction-same-build: /);
  await stage(bench.staging, 'build_second00', zstdCompressSync(tarOf(...same, { name: 'z' })));
  assert.match(await refusalOf(bench.verifier.reproduce(order)), /^blob-size: /);
  const path = { ...order, second: { ...order.second, buildId: '../keys' } };
  assert.equal(await refusalOf(bench.verifier.reproduce(path)), 'request-invalid');
});

test('a first layer whose blob or provenance was swapped in the store is not shared', async (context) => {
  const bench = await startVerifier(context);
  const order = await buildTwice(bench, { first: same, second: same });
  const first = openManifest(order.first, bench.keys.trusted);
  const swap = async (key: string, data: Buffer) => {
    await bench.store.delete(key);
    await bench.store.put(key, data, describeBytes(data));
  };
  const other = zstdCompressSync(
    tarOf({ name: 'environment/', type: '5' }, { name: 'environment/file', body: 'poison' }),
  );
  const blob = await readObject(bench.store, blobKey(first.blob.digest), 1e6);
  await swap(blobKey(first.blob.digest), other);
  assert.match(await refusalOf(bench.verifier.reproduce(order)), /^blob-(size|digest): /);
  await swap(blobKey(first.blob.digest), Buffer.from(blob ?? []));
  const place = provenanceKey(first.provenance ?? '');
  const statement = await readObject(bench.store, place, 1e6);
  await swap(place, Buffer.from('{}'));
  assert.equal(await refusalOf(bench.verifier.reproduce(order)), 'layer-corrupt');
  await swap(place, Buffer.from(statement ?? []));
  const tampered = { ...order, first: { ...order.first, payload: Buffer.from('{}').toString('base64') } };
  assert.equal(await refusalOf(bench.verifier.reproduce(tampered)), 'layer-untrusted');
  assert.equal((await bench.verifier.reproduce(order)).isNew, true);
});
