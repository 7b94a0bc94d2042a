/**
 * Owns the proof that the agent's reading of a canonical tar agrees with what the builder wrote, and refuses what is not canonical before
 * the kernel sees an index of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SystemError } from '../../shared/errors.ts';
import { toErofsImage } from '../../shared/layers/image/erofs-image.ts';
import { TAR_BLOCK_BYTES, TarIndex } from '../../shared/layers/image/tar-index.ts';
import { oddTar } from '../support/odd-tar.ts';
import { END, type Piece, piece, tarOf } from '../support/tar-pieces.ts';

function indexOf(tar: Buffer, chunkBytes = tar.length) {
  const index = new TarIndex();
  for (let at = 0; at < tar.length; at += chunkBytes) index.push(tar.subarray(at, at + chunkBytes));
  return index.finish();
}

test('bodies are found where they stand, however the tar is cut', () => {
  const bodies = ['', 'x', 'y'.repeat(512), 'z'.repeat(513)];
  const pieces = bodies.map((body, at) => ({ name: `f${at}`, body, mode: 0o640, uid: 7, gid: 8 }));
  const tar = tarOf({ name: 'd/', type: '5', mode: 0o1777 }, ...pieces);
  for (const chunkBytes of [1, 7, 512, 1000, tar.length]) {
    const [root, directory, ...files] = indexOf(tar, chunkBytes);
    assert.equal(root?.kind, 'directory');
    assert.deepEqual([directory?.name, directory?.mode], ['d', 0o1777]);
    for (const [at, { block, size, mode, uid, gid }] of files.entries()) {
      const start = block * TAR_BLOCK_BYTES;
      assert.equal(tar.toString('latin1', start, start + size), bodies[at]);
      assert.deepEqual([mode, uid, gid], [0o640, 7, 8]);
    }
  }
});

const refused: readonly (readonly [why: string, pieces: readonly Piece[]])[] = [
  ['a file without its directory', [{ name: 'd/f', body: 'x' }]],
  [
    'a file below a file',
    [
      { name: 'd', body: 'x' },
      { name: 'd/f', body: 'x' },
    ],
  ],
  [
    'a file below a link',
    [
      { name: 'd', type: '2', link: '/' },
      { name: 'd/f', body: 'x' },
    ],
  ],
  ['a path that climbs', [{ name: '../f', body: 'x' }]],
  ['an absolute path', [{ name: '/f', body: 'x' }]],
  [
    'a path that is there twice',
    [
      { name: 'f', body: 'x' },
      { name: 'f', body: 'y' },
    ],
  ],
  [
    'a directory where a file is',
    [
      { name: 'f', body: 'x' },
      { name: 'f/', type: '5' },
    ],
  ],
  ['a hard link to nothing', [{ name: 'f', type: '1', link: 'g' }]],
  [
    'a hard link to a directory',
    [
      { name: 'd/', type: '5' },
      { name: 'f', type: '1', link: 'd' },
    ],
  ],
  [
    'a hard link to a hard link',
    [
      { name: 'a', body: 'x' },
      { name: 'b', type: '1', link: 'a' },
      { name: 'c', type: '1', link: 'b' },
    ],
  ],
  ['a link that points nowhere', [{ name: 'f', type: '2', link: '' }]],
  ['a device', [{ name: 'f', type: '4' }]],
  ['a file that is named as a directory', [{ name: 'f/', body: 'x' }]],
  ['a directory that is named as a file', [{ name: 'd', type: '5' }]],
  ['a directory with a body', [{ name: 'd/', type: '5', body: 'x' }]],
  ['a file with setuid', [{ name: 'f', body: 'x', mode: 0o4755 }]],
  ['a mode that says another kind of file', [{ name: 'f', body: 'x', mode: 0o20644 }]],
  ['a mode larger than an inode holds', [{ name: 'f', body: 'x', mode: 0o1100102 }]],
  ['an unknown pax record', [{ name: 'f', body: 'x', pax: [['mtime', '1']] }]],
  ['a size that is none', [{ name: 'f', body: 'x', overwrite: { 124: 'zzzzzzzzzzz' } }]],
];

for (const [why, pieces] of refused) {
  test(`${why} is refused`, () => {
    assert.throws(
      () => indexOf(tarOf(...pieces)),
      (error) => error instanceof SystemError && error.code === 'layer-corrupt',
    );
  });
}

test('a tar that is cut off, or goes on after its end, is refused', () => {
  const whole = tarOf({ name: 'f', body: 'x'.repeat(600) });
  const isCorrupt = (error: unknown) => error instanceof SystemError && error.code === 'layer-corrupt';
  for (const bytes of [0, 100, 512, 1000, whole.length - 512]) {
    assert.throws(() => indexOf(whole.subarray(0, bytes)), isCorrupt, `${bytes}`);
  }
  assert.throws(() => indexOf(Buffer.concat([whole, END])), isCorrupt);
  assert.throws(() => indexOf(Buffer.concat([whole, piece({ name: 'g' }), END])), isCorrupt);
});

test('names and link targets of too many bytes together are refused, and as many as are allowed are not', () => {
  const tar = tarOf({ name: 'dir/', type: '5' }, { name: 'dir/link', type: '2', link: 'x'.repeat(89) });
  const reading = (namesBytesMax: number) => () => new TarIndex(namesBytesMax).push(tar);
  assert.throws(reading(99), /names have more than 99 bytes/);
  reading(100)();
});

test('whatever is changed in a tar, it is indexed or refused with the same code, and never anything else', () => {
  const tar = oddTar(7, 60);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
      const changed = Buffer.from(tar);
      for (const [at, byte] of changes) changed[at] = byte;
      try {
        toErofsImage(indexOf(changed), changed.length);
      } catch (error) {
        assert.ok(error instanceof SystemError && error.code === 'layer-corrupt', String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('the same tar gives the same index, and its places lie within tar and index', () => {
  const tar = oddTar(11, 800);
  const entries = indexOf(tar, 1000);
  const image = toErofsImage(entries, tar.length);
  assert.deepEqual(toErofsImage(indexOf(tar), tar.length), image);
  assert.equal(image.length % TAR_BLOCK_BYTES, 0);
  assert.equal(image.readUInt32LE(1024), 0xe0f5e1e2);
  for (const { kind, block, size } of entries) {
    assert.ok(kind !== 'file' || block * TAR_BLOCK_BYTES + size <= tar.length);
  }
});
