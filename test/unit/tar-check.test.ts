/**
 * Owns the proof that the verifier's tar checker accepts the canonical form and refuses, by name, everything near it.
 * Every refusal is made from a tar that passes by changing one thing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal, type RefusalReason } from '../../coordinator/environments/verifier/refusal.ts';
import { TarCheck, type TarSummary, VARIABLES_PATH } from '../../coordinator/environments/verifier/tar-check.ts';
import { END, type Piece, piece, tarOf } from '../support/tar-pieces.ts';

const bounds = { entriesMax: 1000, bytesMax: 1024 ** 2, namesBytesMax: 50_000 };

function check(tar: Buffer, chunkBytes = tar.length): TarSummary {
  const checker = new TarCheck(bounds);
  for (let offset = 0; offset < tar.length; offset += chunkBytes) {
    checker.push(tar.subarray(offset, offset + chunkBytes));
  }
  return checker.finish();
}

function reasonOf(tar: Buffer): RefusalReason | null {
  try {
    check(tar);
    return null;
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
}

const directory = (name: string): Piece => ({ name, type: '5' });
const long = `d/${'n'.repeat(120)}`;
const good: readonly Piece[] = [
  directory('d/'),
  { name: 'd/a', body: 'hello', mode: 0o755, uid: 1000, gid: 65_535 },
  { name: 'd/b', type: '1', link: 'd/a', mode: 0o755, uid: 1000, gid: 65_535 },
  { name: 'd/c', type: '2', link: '../../etc/passwd' },
  { name: 'd/gone', type: '3' },
  { name: long, body: 'x'.repeat(512), pax: [['path', long]] },
  { name: 'd-e', body: '' },
  { name: 'o/', type: '5', mode: 0o1777, pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] },
];
// Sorted as the stored names are: "d-e" comes before "d/".
const sorted = [good[6], ...good.slice(0, 6), good[7]] as Piece[];

test('a canonical tar passes, in chunks of any size', () => {
  const tar = tarOf(...sorted);
  for (const chunkBytes of [1, 7, 511, 512, 513, tar.length]) {
    assert.deepEqual(check(tar, chunkBytes), { entries: 8, bytes: tar.length, variablesFile: null });
  }
  assert.equal(check(END).entries, 0);
});

test('the variables file is handed out, and only a regular one', () => {
  const way = [directory('environment/'), directory('environment/.envicutor/')];
  const tar = tarOf(...way, { name: VARIABLES_PATH, body: 'A=1\nB=2\n' });
  assert.equal(check(tar, 5).variablesFile?.toString(), 'A=1\nB=2\n');
  assert.equal(check(tarOf(...way, { name: VARIABLES_PATH, body: '' })).variablesFile?.length, 0);
  assert.equal(check(tarOf(...way, { name: VARIABLES_PATH, type: '2', link: '/etc/shadow' })).variablesFile, null);
  assert.equal(reasonOf(tarOf(...way, { name: VARIABLES_PATH, body: Buffer.alloc(1024 ** 2 - 3000) })), null);
});

const file = (name: string, more: Partial<Piece> = {}): Buffer => tarOf({ name, ...more });
// biome-ignore format: a table of what is wrong, the reason, and the tar
const refused: readonly (readonly [string, RefusalReason, Buffer])[] = [
  ['a name that leaves the root',         'tar-path',   file('../x')],
  ['.. in the middle',                    'tar-path',   tarOf(directory('a/'), { name: 'a/../b' })],
  ['an absolute name',                    'tar-path',   file('/etc/passwd')],
  ['a leading ./',                        'tar-path',   file('./x')],
  ['an empty name',                       'tar-path',   file('')],
  ['the root itself',                     'tar-path',   tarOf(directory('./'))],
  ['an empty segment',                    'tar-path',   tarOf(directory('a/'), { name: 'a//b' })],
  ['a file that ends with a slash',       'tar-path',   file('a/')],
  ['a directory without a slash',         'tar-path',   tarOf(directory('a'))],
  ['a directory with two slashes',        'tar-path',   tarOf(directory('a//'))],
  ['a segment of 256 bytes',              'tar-path',   file('x'.repeat(256), { pax: [['path', 'x'.repeat(256)]] })],
  ['a NUL in a pax name',                 'tar-path',   file('x'.repeat(101), { pax: [['path', `${'x'.repeat(101)}\0`]] })],
  ['a duplicate',                         'tar-order',  tarOf({ name: 'a' }, { name: 'a' })],
  ['a file and a directory of one name',  'tar-order',  tarOf({ name: 'a' }, { name: 'a-b' }, directory('a/'))],
  ['a directory that follows its file',   'tar-order',  tarOf({ name: 'a' }, directory('a/'))],
  ['names out of order',                  'tar-order',  tarOf({ name: 'b' }, { name: 'a' })],
  ['a directory before a-b',              'tar-order',  tarOf(directory('a/'), { name: 'a-b' })],
  ['a return to a directory',             'tar-order',  tarOf(directory('a/'), { name: 'b' }, { name: 'a/x' })],
  ['a missing parent',                    'tar-parent', file('a/b')],
  ['two missing parents',                 'tar-parent', tarOf(directory('a/'), { name: 'a/b/c' })],
  ['a path through a symbolic link',      'tar-parent', tarOf({ name: 'a', type: '2', link: '/etc' }, { name: 'a/passwd' })],
  ['a path through a hard link',          'tar-parent', tarOf({ name: 'a' }, { name: 'b', type: '1', link: 'a' }, { name: 'b/x' })],
  ['a path through a whiteout',           'tar-parent', tarOf({ name: 'a', type: '3' }, { name: 'a/x' })],
  ['a hard link to nothing',              'tar-link',   file('a', { type: '1', link: 'b' })],
  ['a hard link to itself',               'tar-link',   file('a', { type: '1', link: 'a' })],
  ['a hard link out of the tar',          'tar-link',   file('a', { type: '1', link: '/etc/shadow' })],
  ['a hard link to a later file',         'tar-link',   tarOf({ name: 'a', type: '1', link: 'b' }, { name: 'b' })],
  ['a hard link to a symbolic link',      'tar-link',   tarOf({ name: 'a', type: '2', link: '/etc/shadow' }, { name: 'b', type: '1', link: 'a', mode: 0o777 })],
  ['a hard link to a directory',          'tar-link',   tarOf(directory('a/'), { name: 'b', type: '1', link: 'a/', mode: 0o755 })],
  ['a hard link to a hard link',          'tar-link',   tarOf({ name: 'a' }, { name: 'b', type: '1', link: 'a' }, { name: 'c', type: '1', link: 'b' })],
  ['a hard link with another mode',       'tar-link',   tarOf({ name: 'a' }, { name: 'b', type: '1', link: 'a', mode: 0o600 })],
  ['a link without a target',             'tar-link',   file('a', { type: '2' })],
  ['a file with a target',                'tar-link',   file('a', { link: 'b' })],
  ['a block device',                      'tar-type',   file('a', { type: '4' })],
  ['a fifo',                              'tar-type',   file('a', { type: '6' })],
  ['a contiguous file',                   'tar-type',   file('a', { type: '7' })],
  ['an old-style file',                   'tar-type',   file('a', { type: '\0' })],
  ['a GNU long name',                     'tar-type',   file('a', { type: 'L', body: 'long' })],
  ['a GNU sparse file',                   'tar-type',   file('a', { type: 'S' })],
  ['a global pax header',                 'tar-type',   file('a', { type: 'g', body: '9 path=x\n' })],
  ['a directory with a body',             'tar-type',   tarOf({ ...directory('a/'), body: 'x' })],
  ['a symbolic link with a body',         'tar-type',   file('a', { type: '2', link: 'b', body: 'x' })],
  ['a device that is no whiteout',        'tar-device', file('a', { type: '3', overwrite: { 329: '0000001\0', 337: '0000003\0' } })],
  ['a file with device numbers',          'tar-device', file('a', { overwrite: { 337: '0000003\0' } })],
  ['setuid',                              'tar-mode',   file('a', { mode: 0o4755 })],
  ['setgid',                              'tar-mode',   file('a', { mode: 0o2755 })],
  ['file type bits in the mode',          'tar-mode',   file('a', { mode: 0o100644 })],
  ['a symbolic link with rights',         'tar-mode',   file('a', { type: '2', link: 'b', mode: 0o644 })],
  ['a whiteout with rights',              'tar-mode',   file('a', { type: '3', mode: 0o644 })],
  ['a whiteout with an owner',            'tar-mode',   file('a', { type: '3', uid: 5 })],
  ['a user id beyond the namespace',      'tar-owner',  file('a', { uid: 65_536 })],
  ['a group id beyond the namespace',     'tar-owner',  file('a', { gid: 2_000_000 })],
  ['a time',                              'tar-time',   file('a', { mtime: 1 })],
  ['a user name',                         'tar-header', file('a', { overwrite: { 265: 'root' } })],
  ['a group name',                        'tar-header', file('a', { overwrite: { 297: 'root' } })],
  ['a prefix',                            'tar-header', file('a', { overwrite: { 345: '/etc' } })],
  ['bytes after the prefix',              'tar-header', file('a', { overwrite: { 505: 'x' } })],
  ['the magic of GNU',                    'tar-header', file('a', { overwrite: { 257: 'ustar  \0' } })],
  ['a size in base 256',                  'tar-header', file('a', { overwrite: { 124: '\x80\0\0\0\0\0\0\0\0\0\0\0' } })],
  ['a number with blanks',                'tar-header', file('a', { overwrite: { 100: '   644 \0' } })],
  ['a number without its NUL',            'tar-header', file('a', { overwrite: { 100: '00000644' } })],
  ['a name that goes on after NUL',       'tar-header', file('a', { overwrite: { 2: 'b' } })],
  ['a pax key that is not allowed',       'tar-pax',    file('a', { pax: [['mtime', '5']] })],
  ['a file capability',                   'tar-pax',    file('a', { pax: [['SCHILY.xattr.security.capability', 'x']] })],
  ['a trusted attribute',                 'tar-pax',    tarOf({ ...directory('a/'), pax: [['SCHILY.xattr.trusted.overlay.opaque', 'y']] })],
  ['a redirect',                          'tar-pax',    tarOf({ ...directory('a/'), pax: [['SCHILY.xattr.user.overlay.redirect', '/etc']] })],
  ['a GNU sparse map',                    'tar-pax',    file('a', { pax: [['GNU.sparse.major', '1']] })],
  ['a path in pax that fits',             'tar-pax',    file('a', { pax: [['path', 'a']] })],
  ['a path in pax that says otherwise',   'tar-pax',    file('b'.repeat(100), { pax: [['path', 'x'.repeat(120)]] })],
  ['a size in pax that fits',             'tar-pax',    file('a', { pax: [['size', '5']] })],
  ['a repeated pax key',                  'tar-pax',    file('x'.repeat(120), { pax: [['path', 'x'.repeat(120)], ['path', 'x'.repeat(120)]] })],
  ['pax keys out of order',               'tar-pax',    tarOf({ name: `${'x'.repeat(120)}/`, type: '5', pax: [['path', `${'x'.repeat(120)}/`], ['SCHILY.xattr.user.overlay.opaque', 'y']] })],
  ['an opaque mark with another value',   'tar-pax',    tarOf({ ...directory('a/'), pax: [['SCHILY.xattr.user.overlay.opaque', 'x']] })],
  ['an opaque file',                      'tar-pax',    file('a', { pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] })],
  ['an empty pax header',                 'tar-pax',    Buffer.concat([piece({ name: 'pax', type: 'x' }), END])],
  ['a pax header under another name',     'tar-pax',    Buffer.concat([piece({ name: 'PaxHeaders/a', type: 'x', body: '9 path=x\n' }), END])],
  ['a huge pax header',                   'tar-pax',    file('a', { pax: [['path', 'x'.repeat(10_000)]] })],
  ['a pax record of a wrong length',      'tar-pax',    Buffer.concat([piece({ name: 'pax', type: 'x', body: '99 path=x\n' }), END])],
  ['a pax header at the end',             'tar-pax',    Buffer.concat([piece({ name: 'pax', type: 'x', body: '9 path=x\n' }), END])],
  ['two pax headers in a row',            'tar-pax',    Buffer.concat([...[1, 2].map(() => piece({ name: 'pax', type: 'x', body: '9 path=x\n' })), END])],
  ['padding that is not zero',            'tar-padding', (() => { const tar = file('a', { body: 'x' }); tar[600] = 1; return tar; })()],
  ['one zero block',                      'tar-truncated', file('a').subarray(0, 1024)],
  ['no zero block',                       'tar-truncated', file('a').subarray(0, 512)],
  ['an end within a body',                'tar-truncated', file('a', { body: 'x'.repeat(2000) }).subarray(0, 1000)],
  ['no byte at all',                      'tar-truncated', Buffer.alloc(0)],
  ['a third zero block',                  'tar-trailing-bytes', Buffer.concat([file('a'), Buffer.alloc(512)])],
  ['one byte after the end',              'tar-trailing-bytes', Buffer.concat([file('a'), Buffer.alloc(1)])],
  ['an entry between the zero blocks',    'tar-trailing-bytes', Buffer.concat([END.subarray(0, 512), file('a')])],
  ['a second tar behind the first',       'tar-trailing-bytes', Buffer.concat([file('a'), file('b')])],
  ['more bytes than allowed',             'tar-too-large', file('a', { body: Buffer.alloc(1024 ** 2) })],
  ['more entries than allowed',           'tar-too-large', tarOf(...Array.from({ length: 1001 }, (_, index) => ({ name: `a${1000 + index}` })))],
  ['more bytes of names than allowed',    'tar-too-large', tarOf(...Array.from({ length: 201 }, (_, index) => ({ name: `a${1000 + index}`, type: '2', link: 'x'.repeat(100), pax: [['linkpath', 'x'.repeat(250)]] as const })))],
  ['a deep path',                         'tar-path',   file('a/'.repeat(300).slice(0, -1), { pax: [['path', 'a/'.repeat(300).slice(0, -1)]] })],
];

for (const [what, reason, tar] of refused) {
  test(`${what} is refused: ${reason}`, () => assert.equal(reasonOf(tar), reason));
}

test('a wrong checksum is refused', () => {
  const tar = tarOf(...sorted);
  tar.write('a', 0);
  assert.equal(reasonOf(tar), 'tar-checksum');
});

test('no flipped bit in a header, in padding or at the end passes', () => {
  const tar = tarOf({ name: 'a', body: 'hello' }, { name: 'b', type: '2', link: 'a' });
  const isBody = (offset: number) => offset >= 512 && offset < 517;
  fc.assert(
    fc.property(fc.nat(tar.length - 1), fc.nat(7), (offset, bit) => {
      fc.pre(!isBody(offset));
      const changed = Buffer.from(tar);
      changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
      return reasonOf(changed) !== null;
    }),
    { numRuns: 2000 },
  );
});

test('random bytes, cuts and splices end in a refusal or a summary, never in anything else', () => {
  const tar = tarOf(...sorted);
  fc.assert(
    fc.property(fc.nat(tar.length), fc.nat(tar.length), fc.uint8Array({ maxLength: 600 }), (from, to, bytes) => {
      reasonOf(Buffer.concat([tar.subarray(0, from), bytes, tar.subarray(to)]));
    }),
    { numRuns: 1000 },
  );
});

test('whatever order names are given in, only the sorted one passes', () => {
  const segment = fc.stringMatching(/^[a-c.-]{1,2}$/).filter((name) => name !== '.' && name !== '..');
  fc.assert(
    fc.property(fc.uniqueArray(segment, { minLength: 2, maxLength: 6 }), (names) => {
      const pieces = names.map((name, index) => (index % 2 === 0 ? directory(`${name}/`) : { name }));
      const stored = pieces.map(({ name }) => name);
      const isSorted = stored.every((name, index) => index === 0 || (stored[index - 1] ?? '') < name);
      return (reasonOf(tarOf(...pieces)) === null) === isSorted;
    }),
    { numRuns: 500 },
  );
});
