/**
 * Owns the proof that what GNU tar packs comes out canonical and unpacks to the same tree, whatever the tree and whatever the order.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { TarCheck } from '../../coordinator/environments/verifier/tar-check.ts';
import { digestOf } from '../../shared/digest.ts';
import { capture, rawTar, temporaryFolder } from '../support/captured.ts';
import { tarOf } from '../support/tar-pieces.ts';

type Node =
  | { kind: 'file'; content: Uint8Array; mode: number; owner: number }
  | { kind: 'link'; target: string }
  | { kind: 'same'; as: number }
  | { kind: 'directory'; children: [string, Node][]; mode: number };

// Names that sort differently with and without a directory's slash, that are long, and that are no ASCII.
const name = fc.oneof(
  fc.constantFrom('a', 'a-b', 'a.b', 'a b', 'A', 'é', '日本', '-', '.hidden', 'n'.repeat(120), 'm'.repeat(255)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/[/\0]|^\.{1,2}$/.test(text)),
);
const owner = fc.constantFrom(0, 33, 1000, 65_534, 65_535);
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constant('file' as const),
      content: fc.uint8Array({ maxLength: 1500 }),
      mode: fc.constantFrom(0o644, 0o755, 0o600, 0o4755, 0o1777),
      owner,
    }),
    fc.record({
      kind: fc.constant('link' as const),
      target: fc.constantFrom('x', '../../etc/passwd', '/', 't'.repeat(150)),
    }),
    fc.record({ kind: fc.constant('same' as const), as: fc.nat(20) }),
    fc.record({
      kind: fc.constant('directory' as const),
      children: fc.uniqueArray(fc.tuple(name, tie('node')), { maxLength: 6, selector: ([text]) => text.normalize() }),
      mode: fc.constantFrom(0o755, 0o700, 0o1777, 0o2775),
    }),
  ),
}));
const tree = fc.record({
  kind: fc.constant('directory' as const),
  children: fc.uniqueArray(fc.tuple(name, node), {
    minLength: 1,
    maxLength: 8,
    selector: ([text]) => text.normalize(),
  }),
  mode: fc.constant(0o755),
});

function make(path: string, made: Node, files: string[]): void {
  if (made.kind === 'directory') {
    mkdirSync(path);
    for (const [child, below] of made.children) make(join(path, child), below, files);
    chmodSync(path, made.mode);
  } else if (made.kind === 'link') {
    symlinkSync(made.target, path);
  } else if (made.kind === 'same') {
    const existing = files[made.as % Math.max(1, files.length)];
    if (existing !== undefined) linkSync(existing, path);
  } else {
    writeFileSync(path, made.content);
    chownSync(path, made.owner, made.owner);
    chmodSync(path, made.mode);
    files.push(path);
  }
}

/** One line for each path: everything that a layer keeps of it, setuid and setgid masked. */
function describe(folder: string): string[] {
  const format = ['%P', '%y', '%m', '%U', '%G', '%s', '%l', '%n'].join('\\t');
  const listing = execFileSync('find', [folder, '-mindepth', '1', '-printf', `${format}\\0`], { encoding: 'latin1' });
  return listing
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split('\t');
      fields[2] = (Number.parseInt(fields[2] ?? '0', 8) & 0o1777).toString(8);
      // A directory's size and links are the file system's own business.
      if (fields[1] === 'd') fields[5] = fields[7] = '';
      return fields.join('\t');
    })
    .sort();
}

function unpack(folder: string, tar: Buffer): void {
  const options = ['--numeric-owner', '--same-owner', '--preserve-permissions', '--xattrs', '--xattrs-include=*'];
  execFileSync('tar', ['--extract', ...options], { cwd: folder, input: tar });
}

/** Paths with the digests of their contents. */
function contents(folder: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum'], {
    cwd: folder,
    encoding: 'latin1',
  });
}

test('any tree comes back from its canonical tar as it was, and the verifier accepts that tar', async (context) => {
  const folder = temporaryFolder(context);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(tree, fc.integer({ min: 1, max: 3000 }), async (root, chunkBytes) => {
      run += 1;
      const source = join(folder, `source-${run}`);
      const target = join(folder, `target-${run}`);
      make(source, root, []);
      const { tar, staged } = await capture(rawTar(source), folder, { chunkBytes });
      const check = new TarCheck({ entriesMax: 1000, bytesMax: 1024 ** 3 });
      check.push(tar);
      assert.equal(check.finish().entries, staged.tar.entries);
      assert.equal(digestOf(tar), staged.tar.digest);
      mkdirSync(target);
      unpack(target, tar);
      assert.deepEqual(describe(target), describe(source));
      assert.equal(contents(target), contents(source));
    }),
    { numRuns: 30 },
  );
});

test('the order in which a tar names its entries changes nothing', async (context) => {
  const folder = temporaryFolder(context);
  const source = join(folder, 'source');
  mkdirSync(join(source, 'd/deep'), { recursive: true });
  for (const path of ['d/a', 'd/deep/b', 'd-e', 'd.e', 'z']) writeFileSync(join(source, path), `content of ${path}`);
  linkSync(join(source, 'z'), join(source, 'd/linked'));
  const names = ['./d', './d/a', './d/deep', './d/deep/b', './d/linked', './d-e', './d.e', './z'];
  const first = await capture(rawTar(source), folder);
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(names, { minLength: names.length }), async (shuffled) => {
      const { staged, tar } = await capture(rawTar(source, shuffled), folder);
      assert.deepEqual(staged, first.staged);
      assert.ok(tar.equals(first.tar));
    }),
    { numRuns: 20 },
  );
});

test("overlay's whiteouts and opaque directories survive, also when they are links of each other", async (context) => {
  const folder = temporaryFolder(context);
  const source = join(folder, 'source');
  mkdirSync(source);
  const opaque = tarOf({ name: 'd/', type: '5', pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] });
  unpack(source, opaque);
  execFileSync('mknod', [join(source, 'gone'), 'c', '0', '0']);
  linkSync(join(source, 'gone'), join(source, 'd/gone-too'));
  const { tar } = await capture(rawTar(source), folder);
  assert.ok(tar.includes('SCHILY.xattr.user.overlay.opaque=y\n'));
  const target = join(folder, 'target');
  mkdirSync(target);
  unpack(target, tar);
  for (const path of ['gone', 'd/gone-too']) {
    const { mode, rdev } = lstatSync(join(target, path));
    assert.deepEqual([mode & 0o170000, rdev], [0o020000, 0], path);
  }
  assert.ok((await capture(rawTar(target), folder)).tar.equals(tar));
});

test('setuid, setgid and file capabilities are taken off and listed; devices, pipes and sockets are left out', async (context) => {
  const folder = temporaryFolder(context);
  const source = join(folder, 'source');
  mkdirSync(source);
  for (const path of ['su', 'ping']) writeFileSync(join(source, path), path);
  chmodSync(join(source, 'su'), 0o4755);
  execFileSync('setcap', ['cap_net_raw+ep', join(source, 'ping')]);
  execFileSync('mknod', [join(source, 'disk'), 'b', '8', '0']);
  execFileSync('mknod', [join(source, 'null'), 'c', '1', '3']);
  execFileSync('mkfifo', [join(source, 'pipe')]);
  const { tar, notes } = await capture(rawTar(source), folder);
  const target = join(folder, 'target');
  mkdirSync(target);
  unpack(target, tar);
  assert.equal(lstatSync(join(target, 'su')).mode & 0o7777, 0o755);
  assert.equal(execFileSync('getcap', [join(target, 'ping')]).toString(), '');
  for (const path of ['disk', 'null', 'pipe']) assert.ok(!existsSync(join(target, path)), path);
  assert.deepEqual([...notes].map(([what, paths]) => [what, [...paths].sort()]).sort(), [
    ['device', ['disk', 'null']],
    ['fifo', ['pipe']],
    ['file capability', ['ping']],
    ['setuid or setgid', ['su']],
  ]);
});
