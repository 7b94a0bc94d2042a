/**
 * Owns large canonical tars of odd trees that a seed gives again: names of any bytes, deep and wide directories, links of every kind, any rights.
 * Written by the builder's own writer, from entries that this invents.
 * Never outside tests.
 */
import type { BodySpool, SpooledBody } from '../../coordinator/builder/body-spool.ts';
import { type LayerEntry, storedName } from '../../coordinator/builder/layer-tree.ts';
import { canonicalTar } from '../../coordinator/builder/tar-writer.ts';
import { withSpool } from './canonical-tar.ts';
import { SeededNumbers } from './seeded-numbers.ts';

const PATH_BYTES_MAX = 3000;

/** A tar of about `count` entries. */
export function oddTar(seed: number, count: number): Buffer {
  return withSpool((spool) => {
    const entries = invent(new SeededNumbers(String(seed)), count, spool);
    spool.flush();
    return Buffer.concat([...canonicalTar(entries, spool)].map((chunk) => Buffer.from(chunk)));
  });
}

function invent(numbers: SeededNumbers, count: number, spool: BodySpool): LayerEntry[] {
  const directories = [''];
  const paths = new Set<string>();
  const entries: LayerEntry[] = [];
  while (entries.length < count) {
    const parent = numbers.of(directories);
    const path = parent === '' ? name(numbers) : `${parent}/${name(numbers)}`;
    if (paths.has(path) || path.length > PATH_BYTES_MAX || path.split('/').length > 100) continue;
    paths.add(path);
    const entry = inventEntry(numbers, path, spool);
    if (entry.kind === 'directory') directories.push(path);
    entries.push(entry);
  }
  const sorted = entries.sort((one, other) => (storedName(one) < storedName(other) ? -1 : 1));
  for (const [index, entry] of sorted.entries()) {
    sorted[index] = linked(numbers, entry, sorted.slice(Math.max(0, index - 50), index));
  }
  return sorted;
}

function inventEntry(numbers: SeededNumbers, path: string, spool: BodySpool): LayerEntry {
  const kind = numbers.of(['file', 'file', 'file', 'file', 'directory', 'directory', 'symlink', 'whiteout'] as const);
  const owner = { uid: numbers.below(65_536), gid: numbers.below(65_536) };
  const plain = { path, kind, mode: numbers.below(0o2000), ...owner, linkPath: '', body: null, isOpaque: false };
  if (kind === 'directory') return { ...plain, isOpaque: numbers.below(4) === 0 };
  if (kind === 'symlink') return { ...plain, mode: 0o777, linkPath: 'l'.repeat(1 + numbers.below(900)) };
  if (kind === 'whiteout') return { ...plain, mode: 0, uid: 0, gid: 0 };
  return { ...plain, body: body(numbers, spool) };
}

function body(numbers: SeededNumbers, spool: BodySpool): SpooledBody {
  const bytes = numbers.of([0, 1, 511, 512, 513, numbers.below(9000), numbers.below(70_000)]);
  const spooled = spool.begin(bytes);
  spool.append(Buffer.alloc(bytes, numbers.below(256)));
  return spooled;
}

/** Sometimes a file is rather another name of one shortly before it. */
function linked(numbers: SeededNumbers, entry: LayerEntry, before: readonly LayerEntry[]): LayerEntry {
  const files = before.filter(({ kind }) => kind === 'file');
  if (entry.kind !== 'file' || files.length === 0 || numbers.below(6) > 0) return entry;
  const { path, mode, uid, gid } = numbers.of(files);
  return { ...entry, kind: 'hardlink', mode, uid, gid, linkPath: path, body: null };
}

/** Any bytes but NUL and slash, and sometimes as long as can be. */
function name(numbers: SeededNumbers): string {
  const length = numbers.below(20) === 0 ? 200 + numbers.below(56) : 1 + numbers.below(12);
  let text = '';
  while (text.length < length) {
    const byte = numbers.of([97 + numbers.below(26), 33 + numbers.below(14), 128 + numbers.below(128)]);
    if (byte !== 47) text += String.fromCharCode(byte);
  }
  return text === '.' || text === '..' ? 'dots' : text;
}
