/**
 * Owns the proof of what a capture leaves out, refuses and reads, on tars made byte by byte.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { captureSentences } from '../../coordinator/builder/capture-notes.ts';
import { isDropped } from '../../coordinator/builder/capture-rules.ts';
import { SystemError } from '../../shared/errors.ts';
import { capture, temporaryFolder } from '../support/captured.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';

const directory = (name: string): Piece => ({ name, type: '5' });
const listed = (tar: Buffer): string[] => {
  const names: string[] = [];
  for (let offset = 0; tar[offset] !== 0; ) {
    names.push(tar.toString('latin1', offset, offset + 100).replace(/\0.*$/s, ''));
    offset += 512 + Math.ceil(Number.parseInt(tar.toString('latin1', offset + 124, offset + 135), 8) / 512) * 512;
  }
  return names;
};

test('caches, logs and mount points stay out of a layer; what programs need around them stays', () => {
  const dropped = [
    'var/log/dpkg.log', 'var/cache/apt/pkgcache.bin', 'var/lib/apt/lists/x_InRelease', 'var/cache/ldconfig/aux-cache',
    'environment/.npm', 'environment/.npm/_logs/1', 'environment/.cache/pip/x', 'root/.cache/uv/y', 'tmp/x', 'run/lock',
    'environment/.cargo/.global-cache', 'environment/.m2/repository/a/_remote.repositories', 'environment/workspace',
    'environment/.config/go/telemetry/local/weekends', 'environment/target/.rustc_info.json', 'dev/null', 'proc/1', 'environment/workspace/deep/er',
  ]; // biome-ignore format: a list
  const kept = [
    'var/log', 'var/logs', 'usr/bin/g++', 'environment/.cache/other', 'environment/.npmrc', 'tmp', 'dev', 'etc/resolv.conf',
    'usr/share/_remote.repositories.md', 'environment/workspaces', 'environment/.cargo/registry/x',
  ]; // biome-ignore format: a list
  for (const path of dropped) assert.ok(isDropped({ path, isDirectory: false, isEmptyFile: false }), path);
  for (const path of kept) assert.ok(!isDropped({ path, isDirectory: false, isEmptyFile: false }), path);
  assert.ok(!isDropped({ path: 'var/log/apt', isDirectory: true, isEmptyFile: false }));
  assert.ok(isDropped({ path: 'etc/resolv.conf', isDirectory: false, isEmptyFile: true }));
});

test('a file whose only other name is dropped is kept whole', async (context) => {
  const folder = temporaryFolder(context);
  const raw = tarOf(
    directory('./var/'),
    directory('./var/log/'),
    { name: './var/log/x', body: 'content' },
    directory('./keep/'),
    { name: './keep/y', type: '1', link: './var/log/x' },
    { name: './keep/z', type: '1', link: './var/log/x' },
  );
  const { tar } = await capture(raw, folder);
  assert.deepEqual(listed(tar), ['keep/', 'keep/y', 'keep/z', 'var/', 'var/log/']);
  assert.equal(tar.toString('latin1', 1024, 1031), 'content');
});

test("variables are read from the script's own file, and lines that are none are told", async (context) => {
  const folder = temporaryFolder(context);
  const body = Buffer.from('A=1\nbad line\n\nB=two=2\n9=x\nA=last\nC=\xff\nD=ü \n__proto__=x', 'latin1');
  const raw = tarOf(directory('environment/'), directory('environment/.envicutor/'), {
    name: 'environment/.envicutor/variables',
    body: Buffer.concat([body, Buffer.from('\nE=ü')]),
  });
  const captured = await capture(raw, folder);
  assert.deepEqual(captured.staged.variables, { A: 'last', B: 'two=2', E: 'ü' });
  assert.deepEqual(captured.ignoredVariableLines, [2, 5, 7, 8, 9]);
  assert.match(captureSentences(captured).join(''), /ignored: line 2, 5, 7, 8, 9/);
});

const ours = 'environment/.envicutor/';
// biome-ignore format: what a script left where the mark stands, the pieces, the names in the layer
const marked: readonly (readonly [string, readonly Piece[], readonly string[]])[] = [
  ['nothing',             [],                                                                                    ['environment/', ours, `${ours}private`]],
  ['a mark of its own',   [directory('environment/'), directory(ours), { name: `${ours}private`, body: 'x' }],   ['environment/', ours, `${ours}private`]],
  ['a removed one',       [directory('environment/'), directory(ours), { name: `${ours}private`, type: '3' }],   ['environment/', ours, `${ours}private`]],
  ['no directory of ours', [directory('environment/'), { name: 'environment/.envicutor', type: '3' }],           ['environment/', ours, `${ours}private`]],
  ['a second name of it', [directory('environment/'), directory(ours), { name: `${ours}private`, body: 'x' }, { name: 'z', type: '1', link: `${ours}private` }], ['environment/', ours, `${ours}private`, 'z']],
];

for (const [what, pieces, names] of marked)
  test(`a private layer holds its mark, though its script left ${what} there`, async (context) => {
    const folder = temporaryFolder(context);
    const { tar } = await capture(tarOf(...pieces), folder, { mark: 'the mark of a tenant' });
    const isOpaque = what === 'no directory of ours';
    assert.equal(listed(tar).includes('pax'), isOpaque, 'what is below stays hidden');
    assert.deepEqual(
      listed(tar).filter((name) => name !== 'pax'),
      names,
    );
    assert.ok(tar.includes('the mark of a tenant\n'));
    await assert.rejects(
      capture(tarOf(...pieces, directory(`${ours}private/`), { name: `${ours}private/x` }), folder, { mark: 'm' }),
    );
  });

test('a layer with no room for its mark is none, and is told so before anything is staged', async (context) => {
  const folder = temporaryFolder(context);
  const raw = tarOf({ name: 'a' }, directory('environment/'), directory(ours));
  assert.equal((await capture(raw, folder, { entriesMax: 3 })).staged.tar.entries, 3);
  await assert.rejects(capture(raw, folder, { entriesMax: 3, mark: 'm' }), /more than 3 files/);
  assert.deepEqual(readdirSync(folder), []);
});

const trace = Buffer.from('the public key of the authority of this build, 64 bytes of it....');

test("a layer that holds the build's certificate is refused wherever chunks fall, and leaves nothing", async (context) => {
  for (const chunkBytes of [1, 7, 512, 1000, 65_536]) {
    const folder = temporaryFolder(context);
    const raw = tarOf(
      { name: 'a', body: 'x' },
      { name: 'bundle', body: Buffer.concat([Buffer.alloc(700, 'p'), trace]) },
    );
    await assert.rejects(capture(raw, folder, { traces: [trace], chunkBytes }), /\/bundle.*certificate/);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('a certificate in what the rules drop does no harm, and halves in two files are no certificate', async (context) => {
  const folder = temporaryFolder(context);
  const halves = [trace.subarray(0, 30), trace.subarray(30)];
  const raw = tarOf(
    directory('tmp/'),
    { name: 'tmp/ca.crt', body: trace },
    ...halves.map((body, index) => ({ name: `half-${index}`, body })),
  );
  const { tar } = await capture(raw, folder, { traces: [trace], chunkBytes: 100 });
  assert.deepEqual(listed(tar), ['half-0', 'half-1', 'tmp/']);
});

const refusals: readonly (readonly [string, readonly Piece[], RegExp])[] = [
  ['climbs out', [{ name: '../x' }], /`\.\.` segment/],
  ['climbs out in the middle', [directory('a/'), { name: 'a/../../x' }], /`\.\.` segment/],
  ['is absolute', [{ name: '/etc/passwd' }], /absolute/],
  ['is there twice', [{ name: 'a' }, { name: './a' }], /twice/],
  ['stands below a link', [{ name: 'a', type: '2', link: '/etc' }, { name: 'a/passwd' }], /in no directory/],
  ['stands below nothing', [{ name: 'a/b' }], /in no directory/],
  ['is a hard link out of the layer', [{ name: 'a', type: '1', link: '../../etc/shadow' }], /segment/],
  ['is a hard link to nothing', [{ name: 'a', type: '1', link: 'b' }], /not in it/],
  ['belongs to nobody here', [{ name: 'a', uid: 65_536 }], /65536/],
  ['is too deep', [{ name: 'x', pax: [['path', `${'d/'.repeat(256)}x`]] }], /deeper/],
  ['has too long a segment', [{ name: 'x', pax: [['path', 'n'.repeat(256)]] }], /255/],
  ['holds a NUL', [{ name: 'x', pax: [['path', 'a\0b']] }], /NUL/],
  ['is sparse', [{ name: 'x', pax: [['GNU.sparse.major', '1']] }], /sparse/],
  ['is of an unknown type', [{ name: 'x', type: 'S' }], /unknown type/],
  [
    'is a link in the place of /environment',
    [{ name: 'environment', type: '2', link: '/etc' }],
    /\/environment.* is a symlink/,
  ],
  [
    "is a file in the place of the system's directory",
    [directory('environment/'), { name: 'environment/.envicutor', body: 'A=1' }],
    /\.envicutor.* is a file; the system keeps its directory/,
  ],
  [
    'is a directory in the place of the variables',
    [directory('environment/'), directory('environment/.envicutor/'), directory('environment/.envicutor/variables/')],
    /variables.* is a directory; the system keeps its file/,
  ],
  [
    'is a link in the place of the variables',
    [
      directory('environment/'),
      directory('environment/.envicutor/'),
      { name: 'environment/.envicutor/variables', type: '2', link: '/etc/shadow' },
    ],
    /variables.* is a symlink; the system keeps its file/,
  ],
  ['is a symbolic link to nowhere', [{ name: 'x', type: '2' }], /impossible target/],
];

for (const [what, pieces, reason] of refusals) {
  test(`an entry that ${what} makes no layer`, async (context) => {
    const folder = temporaryFolder(context);
    await assert.rejects(capture(tarOf(...pieces), folder), (error: unknown) => {
      assert.ok(error instanceof SystemError && ['layer-refused', 'build-failed'].includes(error.code));
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('too many entries, too many bytes, names of too many bytes and a tar that is cut off make no layer', async (context) => {
  const folder = temporaryFolder(context);
  const raw = tarOf({ name: 'a', body: 'x'.repeat(2000) }, { name: 'b' }, { name: 'c' });
  await assert.rejects(capture(raw, folder, { entriesMax: 2 }), /more than 2 files/);
  await assert.rejects(capture(raw, folder, { bytesMax: 1999 }), /more than 1999 bytes/);
  await assert.rejects(capture(raw, folder, { namesBytesMax: 2 }), /names and link targets have more than 2 bytes/);
  const links = tarOf({ name: 'a', type: '2', link: 'x'.repeat(90) }, { name: 'p', type: '6' });
  await assert.rejects(capture(links, folder, { namesBytesMax: 90 }), /more than 90 bytes/);
  await assert.rejects(capture(links, folder, { namesBytesMax: 91 }), /more than 91 bytes/, 'what is left out counts');
  await assert.rejects(capture(raw.subarray(0, 3000), folder), /cut off/);
  await assert.rejects(capture(Buffer.from('no tar'.repeat(200)), folder), /can't be read/);
});

test('a layer of nothing is a tar of nothing', async (context) => {
  const { staged, tar } = await capture(tarOf(directory('./')), temporaryFolder(context));
  assert.deepEqual(staged.tar.entries, 0);
  assert.ok(tar.equals(Buffer.alloc(1024)));
});
