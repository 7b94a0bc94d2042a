/**
 * Owns the proof that the builder's reader, the verifier's parser and the agent's index, which share no code, never read different layers out
 * of the same bytes, and that a damaged manifest is refused or is the very one that was signed.
 * Mutations are made where they matter: of fields under a right checksum, of entries as a whole, of pax records, and of plain bytes.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RawEntry } from '../../coordinator/builder/tar-header.ts';
import { TarReader } from '../../coordinator/builder/tar-reader.ts';
import { Refusal, refusalReasons } from '../../coordinator/environments/verifier/refusal.ts';
import { type CheckedEntry, TarCheck } from '../../coordinator/environments/verifier/tar-check.ts';
import { SystemError } from '../../shared/errors.ts';
import { TAR_BLOCK_BYTES, type TarEntry, TarIndex } from '../../shared/layers/image/tar-index.ts';
import { decodeEnvelope, encodeEnvelope, openManifest, signManifest } from '../../shared/layers/layer-manifest.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';

const bounds = { entriesMax: 1000, bytesMax: 1024 ** 2 };
const types = {
  file: 'regular',
  hardlink: 'hard-link',
  symlink: 'symbolic-link',
  character: 'whiteout',
  directory: 'directory',
  block: 'block',
  fifo: 'fifo',
} as const;

/** Collects entries as one line each, with the digest of the body. */
class Lines<Entry> {
  readonly lines: string[] = [];
  readonly #toLine: (entry: Entry) => readonly unknown[];
  #hash = createHash('sha256');

  constructor(toLine: (entry: Entry) => readonly unknown[]) {
    this.#toLine = toLine;
  }

  entry(entry: Entry): void {
    this.#endBody();
    this.lines.push(JSON.stringify(this.#toLine(entry)));
  }

  body(chunk: Buffer): void {
    this.#hash.update(chunk);
  }

  end(): readonly string[] {
    this.#endBody();
    return this.lines;
  }

  #endBody(): void {
    this.lines.push(this.#hash.digest('hex'));
    this.#hash = createHash('sha256');
  }
}

const push = (parser: { push(chunk: Buffer): void }, tar: Buffer, chunkBytes: number) => {
  for (let offset = 0; offset < tar.length; offset += chunkBytes) {
    parser.push(tar.subarray(offset, offset + chunkBytes));
  }
};

/** What the verifier reads, or the reason why it refuses; anything else is thrown. */
function byVerifier(tar: Buffer, chunkBytes: number): readonly string[] | string {
  const lines = new Lines(({ path, type, mode, uid, gid, size, link, isOpaque }: CheckedEntry) => {
    return [path, type, mode, uid, gid, size, link, isOpaque];
  });
  const check = new TarCheck(bounds, lines);
  try {
    push(check, tar, chunkBytes);
    check.finish();
    return lines.end();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    assert.ok(refusalReasons.includes(error.reason));
    return error.reason;
  }
}

/** What the builder reads, or that it refuses; anything else is thrown. */
function byBuilder(tar: Buffer, chunkBytes: number): readonly string[] | string {
  const lines = new Lines(({ path, type, mode, uid, gid, size, linkPath, attributes }: RawEntry) => {
    const isOpaque = attributes.get('user.overlay.opaque') === 'y';
    return [path.replace(/\/$/, ''), types[type], mode, uid, gid, size, linkPath, isOpaque];
  });
  const reader = new TarReader(lines);
  try {
    push(reader, tar, chunkBytes);
    reader.end();
    return lines.end();
  } catch (error) {
    assert.ok(error instanceof SystemError && error.code === 'build-failed', String(error));
    return 'refused';
  }
}

const indexTypes = {
  file: 'regular',
  hardlink: 'hard-link',
  symlink: 'symbolic-link',
  whiteout: 'whiteout',
  directory: 'directory',
} as const;

/** What an agent would mount: the index of the tar, with the bodies at the places that it names. */
function byAgent(tar: Buffer, chunkBytes: number): readonly string[] | string {
  const index = new TarIndex();
  let entries: readonly TarEntry[];
  try {
    push(index, tar, chunkBytes);
    entries = index.finish();
  } catch (error) {
    assert.ok(error instanceof SystemError && error.code === 'layer-corrupt', String(error));
    return 'refused';
  }
  const paths: string[] = [''];
  const lines = new Lines((line: readonly unknown[]) => line);
  for (const [at, { kind, parent, name, mode, uid, gid, size, block, target, linked, isOpaque }] of entries.entries()) {
    if (at === 0) continue;
    const path = parent === 0 ? name : `${paths[parent]}/${name}`;
    paths.push(path);
    const link = kind === 'hardlink' ? paths[linked] : target;
    lines.entry([path, indexTypes[kind], mode, uid, gid, size, link, isOpaque]);
    lines.body(tar.subarray(block * TAR_BLOCK_BYTES, block * TAR_BLOCK_BYTES + size));
  }
  return lines.end();
}

const long = `d/${'n'.repeat(120)}`;
const pieces: readonly Piece[] = [
  { name: 'd-e', body: 'x' },
  { name: 'd/', type: '5' },
  { name: 'd/a', body: 'hello', mode: 0o755, uid: 1000, gid: 65_535 },
  { name: 'd/b', type: '1', link: 'd/a', mode: 0o755, uid: 1000, gid: 65_535 },
  { name: 'd/c', type: '2', link: '../../etc/passwd' },
  { name: 'd/gone', type: '3' },
  { name: 'd/l', type: '2', link: 't'.repeat(130), pax: [['linkpath', 't'.repeat(130)]] },
  { name: long, body: 'x'.repeat(700), pax: [['path', long]] },
  { name: 'o/', type: '5', mode: 0o1777, pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] },
];

const field = fc.constantFrom(
  0,
  1,
  99,
  100,
  107,
  108,
  116,
  124,
  135,
  136,
  148,
  156,
  157,
  257,
  263,
  265,
  329,
  337,
  345,
  500,
);
const spelling = fc.constantFrom(
  '\0',
  '/',
  '.',
  '../',
  'a',
  ' ',
  '7',
  '0000644\0',
  '\x80',
  '\xff',
  '5',
  'x',
  'L',
  'g',
  'ustar  \0',
);
const record = fc.tuple(
  fc.constantFrom('path', 'linkpath', 'size', 'uid', 'mtime', 'GNU.sparse.major', 'SCHILY.xattr.user.overlay.opaque'),
  fc.constantFrom('', 'y', 'd/a', '../x', '0', '5', '99999999999', `d/${'p'.repeat(110)}`, 'a\0b', 'a\nb=c'),
);
const change: fc.Arbitrary<Partial<Piece>> = fc.oneof(
  fc.record({ overwrite: fc.dictionary(field.map(String), spelling, { maxKeys: 3 }) }) as fc.Arbitrary<Partial<Piece>>,
  fc.record({ pax: fc.array(record, { maxLength: 3 }) }),
  fc.record({ type: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', 'x', 'g', 'L', 'K', 'S', '\0') }),
  fc.record({ name: fc.constantFrom('d/a', 'd', 'd/', '../x', '/x', 'd/./a', 'o/', long, 'e'.repeat(100)) }),
  fc.record({ size: fc.constantFrom(0, 1, 512, 1024, 0o77777777777) }),
  fc.record({ link: fc.constantFrom('', 'd/a', 'd/c', '/etc/shadow', 'x'.repeat(100)) }),
  fc.record({ mode: fc.constantFrom(0, 0o777, 0o4755, 0o100644), uid: fc.constantFrom(0, 65_535, 65_536) }),
);
const entries = fc.oneof(
  fc.constant(pieces),
  fc.shuffledSubarray([...pieces]),
  fc.array(fc.constantFrom(...pieces), { maxLength: 8 }),
);
/** A tar of which a few entries were changed, and then perhaps a few bytes. */
const mutated = fc
  .tuple(
    entries,
    fc.array(fc.tuple(fc.nat(8), change), { maxLength: 2 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 1 }),
    fc.nat(3000),
    fc.boolean(),
  )
  .map(([chosen, changes, bytes, cut, isCut]) => {
    const changed = [...chosen];
    for (const [at, how] of changes) if (changed[at] !== undefined) changed[at] = { ...changed[at], ...how };
    const tar = tarOf(...changed);
    for (const [at, value] of bytes) tar[at % tar.length] = value;
    return isCut ? tar.subarray(0, tar.length - cut) : tar;
  });

test('no mutation of a layer is read as one thing by the builder and as another by the verifier or an agent', () => {
  let accepted = 0;
  const reasons = new Set<string>();
  fc.assert(
    fc.property(mutated, fc.integer({ min: 1, max: 2000 }), (tar, chunkBytes) => {
      const verified = byVerifier(tar, chunkBytes);
      assert.deepEqual(byVerifier(tar, tar.length + 1), verified, 'chunks change nothing');
      const built = byBuilder(tar, chunkBytes);
      if (typeof verified === 'string') {
        reasons.add(verified);
      } else {
        accepted += 1;
        assert.deepEqual(built, verified);
        assert.deepEqual(byAgent(tar, chunkBytes), verified);
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(accepted > 100, `${accepted} tars were accepted: too few to compare`);
  assert.ok(reasons.size >= 10, `only refused for ${[...reasons]}`);
});

test('whatever the verifier accepts has entries strictly ascending, below directories, of plain names', () => {
  fc.assert(
    fc.property(mutated, (tar) => {
      const verified = byVerifier(tar, tar.length + 1);
      if (typeof verified === 'string') return;
      const read = verified.filter((line) => line.startsWith('[')).map((line) => JSON.parse(line) as [string, string]);
      const directories = new Set(['']);
      let before = '';
      for (const [path, type] of read) {
        const stored = type === 'directory' ? `${path}/` : path;
        assert.ok(before < stored, `${before} before ${stored}`);
        assert.ok(directories.has(path.slice(0, Math.max(0, path.lastIndexOf('/')))), path);
        assert.doesNotMatch(path, /(^|\/)(\.|\.\.)?(\/|$)/);
        if (type === 'directory') directories.add(path);
        before = stored;
      }
    }),
    { numRuns: 2000 },
  );
});

const { signing, trusted } = createTestKey();
const { manifest } = createTestLayer(signing, 'one', 100, { variables: { A: 'b', C: 'ü' } });

test('an envelope with changed bytes is refused, or opens to the very manifest that was signed', () => {
  const stored = encodeEnvelope(signManifest(manifest, signing));
  const edit = fc.tuple(fc.nat(stored.length - 1), fc.nat(4), fc.uint8Array({ maxLength: 4 }));
  let opened = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let changed = stored;
      for (const [at, removed, added] of edits) {
        changed = Buffer.concat([changed.subarray(0, at), added, changed.subarray(at + removed)]);
      }
      try {
        assert.deepEqual(openManifest(decodeEnvelope(changed), [trusted]), manifest);
        opened += 1;
      } catch (error) {
        assert.ok(error instanceof SystemError && error.code === 'layer-untrusted', String(error));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(opened > 0, 'an edit of a key id alone still opens');
});

test('a signed manifest of any shape is refused, or is one of the schema', () => {
  const members = Object.keys(manifest);
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1.5, '', 'shared', 'tenant-', 'sha256:', [], {}));
  fc.assert(
    fc.property(fc.dictionary(fc.oneof(fc.constantFrom(...members), fc.string()), value, { maxKeys: 3 }), (changes) => {
      const wanted = { ...manifest, ...changes } as typeof manifest;
      try {
        const envelope = signManifest(wanted, signing);
        assert.deepEqual(openManifest(envelope, [trusted]), JSON.parse(JSON.stringify(wanted)));
      } catch (error) {
        assert.ok(error instanceof TypeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
