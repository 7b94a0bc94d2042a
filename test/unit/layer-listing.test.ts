/**
 * Owns the proof of what two listings call different, on what real tools leave: a repository cloned twice, Python compiled twice.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { allowedDifferenceOf } from '../../coordinator/environments/verifier/allowed-differences.ts';
import { LayerListing } from '../../coordinator/environments/verifier/layer-listing.ts';
import { TarCheck } from '../../coordinator/environments/verifier/tar-check.ts';
import { capture, rawTar, temporaryFolder } from '../support/captured.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';

const bounds = { entriesMax: 10_000, bytesMax: 1024 ** 3 };

function listingOf(tar: Buffer, chunkBytes = tar.length): LayerListing {
  const listing = new LayerListing();
  const check = new TarCheck(bounds, listing);
  for (let offset = 0; offset < tar.length; offset += chunkBytes) check.push(tar.subarray(offset, offset + chunkBytes));
  check.finish();
  return listing;
}

/** The listing of a folder as a build would leave it. */
async function captured(context: TestContext, folder: string): Promise<LayerListing> {
  return listingOf((await capture(rawTar(folder), temporaryFolder(context))).tar);
}

const git = (folder: string, ...args: readonly string[]) =>
  execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@example.org', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

test('one commit cloned twice differs where git keeps times and packs, and another commit where its files do', async (context) => {
  const folder = temporaryFolder(context);
  const origin = join(folder, 'origin');
  mkdirSync(origin);
  git(origin, 'init', '-q', '-b', 'main');
  for (let number = 0; number < 20; number++) writeFileSync(join(origin, `file-${number}`), `${number}\n`.repeat(100));
  git(origin, 'add', '.');
  git(origin, 'commit', '-q', '-m', 'one');
  const clone = (place: string) => {
    mkdirSync(join(folder, place));
    git(folder, 'clone', '-q', '--no-local', `file://${origin}`, join(folder, place, 'work'));
  };
  clone('first');
  // Another inode and another time for everything.
  cpSync(join(folder, 'first'), join(folder, 'second'), { recursive: true });
  utimesSync(join(folder, 'second/work/file-1'), 1, 1);
  git(join(folder, 'second/work'), 'update-index', '--refresh');
  appendFileSync(join(folder, 'second/work/.git/logs/HEAD'), 'fetched later\n');
  const [first, second] = [
    await captured(context, join(folder, 'first')),
    await captured(context, join(folder, 'second')),
  ];
  assert.deepEqual(first.compare(second), { differing: [], allowed: ['work/.git/index', 'work/.git/logs/HEAD'] });
  writeFileSync(join(origin, 'file-1'), 'changed');
  git(origin, 'commit', '-q', '-a', '-m', 'two');
  clone('third');
  const { differing } = first.compare(await captured(context, join(folder, 'third')));
  assert.ok(differing.includes('work/file-1') && differing.includes('work/.git/refs/heads/main'), `${differing}`);
});

test('Python compiled twice differs in its stamp, other code in more', async (context) => {
  const folder = temporaryFolder(context);
  const build = (place: string, code: string, time: number) => {
    mkdirSync(join(folder, place));
    const source = join(folder, place, 'm.py');
    writeFileSync(source, code);
    utimesSync(source, time, time);
    const options = ['-q', '--invalidation-mode', 'timestamp', '-d', 'm', '.'];
    execFileSync('python3', ['-m', 'compileall', ...options], { cwd: join(folder, place) });
  };
  build('first', 'x = 1\n', 1_000_000);
  build('second', 'x = 1\n', 2_000_000);
  build('third', 'x = 2\n', 1_000_000);
  const [first, second, third] = await Promise.all(
    ['first', 'second', 'third'].map((place) => captured(context, join(folder, place))),
  );
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const { differing, allowed } = first.compare(second);
  assert.deepEqual([differing, allowed.length], [[], 1]);
  assert.match(allowed[0] ?? '', /^__pycache__\/m\.cpython-\d+\.pyc$/);
  assert.equal(first.compare(third).differing.length, 2);
});

test('where chunks fall changes nothing of a comparison', () => {
  const tree = (stamp: string): readonly Piece[] => [
    { name: '__pycache__/', type: '5' },
    { name: '__pycache__/a.pyc', body: `magicmag${stamp}code` },
    { name: 'file', body: 'x'.repeat(2000) },
  ];
  const [first, second] = [tarOf(...tree('11111111')), tarOf(...tree('22222222'))];
  const expected = { differing: [], allowed: ['__pycache__/a.pyc'] };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 1500 }), (one, two) => {
      assert.deepEqual(listingOf(first, one).compare(listingOf(second, two)), expected);
    }),
    { numRuns: 200 },
  );
});

test('nothing that is executed, loaded or decides about that may differ', () => {
  const strict = [
    'usr/bin/x', 'usr/lib/x.so', 'etc/ld.so.cache', 'etc/ld.so.preload', 'etc/passwd', 'environment/a.pyc', 'x/__pycache__/a.so',
    'x/__pycache__/d/a.pyc', '.git/hooks/post-checkout', '.git/config', '.git/HEAD', '.git/refs/heads/main', '.git/packed-refs',
    '.git/objects/pack/x.pack', '.git/objects/ab/cdef', 'my.git/index', '.git/logs', '.git/logs/x.py', '.git/logs/refs/x.py', 'environment/.envicutor/variables',
  ]; // biome-ignore format: a list
  for (const path of strict) assert.equal(allowedDifferenceOf(path), null, path);
});
