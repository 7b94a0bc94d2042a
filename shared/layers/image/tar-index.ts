/**
 * Owns reading where everything stands in a layer's canonical tar (docs/layers.md) while its bytes stream by: a push parser that keeps
 * names, rights and positions, never a body.
 * Never decides whether the tar may be used: its digest does, once it is known. A tar that isn't canonical is SystemError `layer-corrupt`.
 * Invariants of `finish`: every entry's parent is an earlier directory, no two entries of a directory share a name, a hard link names an
 * earlier regular file; names are byte strings (latin1).
 */
import { SystemError } from '../../errors.ts';

/** Size of a tar block, and so of what a body's position counts in; bytes. */
export const TAR_BLOCK_BYTES = 512;

/** One entry; `parent` is its directory's place in the list, and the list's first entry is the root itself. */
export interface TarEntry {
  readonly kind: 'file' | 'hardlink' | 'symlink' | 'directory' | 'whiteout';
  readonly parent: number;
  /** Its name within its directory. */
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a regular file; bytes. */
  readonly size: number;
  /** Where a regular file's body begins; blocks from the tar's start. */
  readonly block: number;
  /** What a symbolic link says. */
  readonly target: string;
  /** The place in the list of the file that a hard link names. */
  readonly linked: number;
  readonly isOpaque: boolean;
}

interface Pax {
  path: string | null;
  linkPath: string | null;
  size: number | null;
  isOpaque: boolean;
}

/** The root, which has no entry of its own: as the launcher makes a layer's directory. */
const root: TarEntry = {
  kind: 'directory',
  parent: 0,
  name: '',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  block: 0,
  target: '',
  linked: 0,
  isOpaque: false,
};

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'whiteout',
  '5': 'directory',
};

/** As many as the verifier lets through by default. */
const ENTRIES_MAX = 500_000;
/** Names and link targets of all entries together, which are kept in memory. */
const NAMES_BYTES_MAX = 128 * 1024 ** 2;
const NAME_BYTES_MAX = 255;
const PAX_BYTES_MAX = 9000;
/** What a canonical tar keeps of a mode (docs/layers.md). */
const MODE_MAX = 0o1777;

/** The places of one tar's entries; `push` every byte, then `finish`. */
export class TarIndex {
  readonly #entries: TarEntry[] = [root];
  /** Directories and regular files by path: what later entries may be in, or name. */
  readonly #places = new Map<string, number>([['', 0]]);
  readonly #block = Buffer.alloc(TAR_BLOCK_BYTES);
  readonly #namesBytesMax: number;
  #namesBytes = 0;
  #filled = 0;
  /** Blocks that have been read or skipped. */
  #blocks = 0;
  #skip = 0;
  #pax: Pax | null = null;
  #paxBody: Buffer | null = null;
  #paxFilled = 0;
  #zeroBlocks = 0;

  constructor(namesBytesMax = NAMES_BYTES_MAX) {
    this.#namesBytesMax = namesBytesMax;
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(chunk: Uint8Array): void {
    for (let offset = 0; offset < chunk.length; ) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - offset);
        if (this.#paxBody !== null) this.#keepPax(chunk.subarray(offset, offset + passed));
        this.#skip -= passed;
        offset += passed;
        continue;
      }
      const part = chunk.subarray(offset, offset + TAR_BLOCK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      offset += part.length;
      if (this.#filled < TAR_BLOCK_BYTES) return;
      this.#filled = 0;
      this.#blocks += 1;
      this.#takeBlock();
    }
  }

  /** All entries, the root first; SystemError `layer-corrupt` when the tar was not at its end. */
  finish(): readonly TarEntry[] {
    if (this.#zeroBlocks !== 2 || this.#filled !== 0) throw corrupt('it does not end with two zero blocks');
    return this.#entries;
  }

  #takeBlock(): void {
    const block = this.#block;
    if (block[0] === 0) {
      if (!block.every((byte) => byte === 0)) throw corrupt('an entry has no name');
      this.#zeroBlocks += 1;
      if (this.#zeroBlocks > 2 || this.#pax !== null) throw corrupt('something follows its end');
      return;
    }
    if (this.#zeroBlocks > 0) throw corrupt('an entry follows its end');
    const size = octal(block, 124, 11);
    if (text(block, 156, 1) === 'x') this.#beginPax(size);
    else this.#takeEntry(size);
  }

  #beginPax(size: number): void {
    if (size === 0 || size > PAX_BYTES_MAX || this.#pax !== null) throw corrupt('a pax header is out of place');
    this.#paxBody = Buffer.alloc(size);
    this.#paxFilled = 0;
    this.#pass(size);
  }

  #keepPax(part: Uint8Array): void {
    const body = this.#paxBody;
    if (body === null) return;
    const kept = part.subarray(0, body.length - this.#paxFilled);
    body.set(kept, this.#paxFilled);
    this.#paxFilled += kept.length;
    if (this.#paxFilled < body.length) return;
    this.#pax = parsePax(body.toString('latin1'));
    this.#paxBody = null;
  }

  #takeEntry(headerSize: number): void {
    const block = this.#block;
    const pax = this.#pax ?? { path: null, linkPath: null, size: null, isOpaque: false };
    this.#pax = null;
    const flag = text(block, 156, 1);
    const kind = kinds[flag];
    if (kind === undefined) throw corrupt(`an entry is of type ${JSON.stringify(flag)}`);
    const name = pax.path ?? text(block, 0, 100);
    if (name.endsWith('/') !== (kind === 'directory')) throw corrupt(`${show(name)} ends as its kind doesn't`);
    const path = kind === 'directory' ? name.slice(0, -1) : name;
    const size = pax.size ?? headerSize;
    const target = pax.linkPath ?? text(block, 157, 100);
    this.#place(path, kind, {
      kind,
      ...this.#parentOf(path),
      mode: modeOf(block),
      uid: octal(block, 108, 7),
      gid: octal(block, 116, 7),
      size: kind === 'file' ? size : 0,
      block: this.#blocks,
      target: kind === 'symlink' ? target : '',
      linked: kind === 'hardlink' ? this.#linkedBy(path, target) : 0,
      isOpaque: pax.isOpaque,
    });
    if (kind !== 'file' && size !== 0) throw corrupt(`${show(path)} has a body and is no regular file`);
    this.#pass(size);
  }

  #parentOf(path: string): { parent: number; name: string } {
    const slash = path.lastIndexOf('/');
    const parent = this.#places.get(slash === -1 ? '' : path.slice(0, slash));
    const name = path.slice(slash + 1);
    const isName = slash !== 0 && name !== '' && name !== '.' && name !== '..' && name.length <= NAME_BYTES_MAX;
    if (!isName || name.includes('\0')) throw corrupt(`${show(path)} is no plain path`);
    if (parent === undefined || this.#entries[parent]?.kind !== 'directory') {
      throw corrupt(`${show(path)} is in no directory of it`);
    }
    return { parent, name };
  }

  #linkedBy(path: string, target: string): number {
    const linked = this.#places.get(target);
    if (linked !== undefined && this.#entries[linked]?.kind === 'file') return linked;
    throw corrupt(`hard link ${show(path)} names no earlier regular file`);
  }

  #place(path: string, kind: TarEntry['kind'], entry: TarEntry): void {
    if (this.#places.has(path)) throw corrupt(`${show(path)} is in it twice`);
    if (this.#entries.length > ENTRIES_MAX) throw corrupt(`it has more than ${ENTRIES_MAX} entries`);
    this.#namesBytes += path.length + entry.target.length;
    if (this.#namesBytes > this.#namesBytesMax) throw corrupt(`its names have more than ${this.#namesBytesMax} bytes`);
    // Whatever its kind: a name is taken.
    this.#places.set(path, this.#entries.length);
    this.#entries.push(entry);
    if (kind === 'symlink' && (entry.target === '' || entry.target.includes('\0'))) {
      throw corrupt(`${show(path)} points nowhere`);
    }
  }

  #pass(size: number): void {
    const blocks = Math.ceil(size / TAR_BLOCK_BYTES);
    this.#blocks += blocks;
    this.#skip = blocks * TAR_BLOCK_BYTES;
  }
}

function parsePax(body: string): Pax {
  const pax: Pax = { path: null, linkPath: null, size: null, isOpaque: false };
  for (let offset = 0; offset < body.length; ) {
    const blank = body.indexOf(' ', offset);
    const end = offset + Number(body.slice(offset, blank));
    const record = body.slice(blank + 1, end - 1);
    const equals = record.indexOf('=');
    const value = record.slice(equals + 1);
    if (blank < 0 || !(end > blank + 2 && end <= body.length) || equals < 1) throw corrupt('a pax record is malformed');
    const key = record.slice(0, equals);
    if (key === 'path') pax.path = value;
    else if (key === 'linkpath') pax.linkPath = value;
    else if (key === 'size' && /^[1-9][0-9]{0,15}$/.test(value)) pax.size = Number(value);
    else if (key === 'SCHILY.xattr.user.overlay.opaque' && value === 'y') pax.isOpaque = true;
    else throw corrupt(`pax record ${JSON.stringify(key.slice(0, 100))} is not known`);
    offset = end;
  }
  return pax;
}

/** Without setuid and setgid, and never so large that it would say another kind of file in an inode. */
function modeOf(block: Buffer): number {
  const mode = octal(block, 100, 7);
  if (mode > MODE_MAX) throw corrupt(`an entry has the mode 0${mode.toString(8)}`);
  return mode;
}

function octal(block: Buffer, offset: number, digits: number): number {
  let value = 0;
  for (let at = offset; at < offset + digits; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) throw corrupt('a number is not octal');
    value = value * 8 + digit;
  }
  return value;
}

function text(block: Buffer, offset: number, bytes: number): string {
  const field = block.toString('latin1', offset, offset + bytes);
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}

function corrupt(why: string): SystemError {
  return new SystemError('layer-corrupt', `the layer's tar can't be indexed: ${why}`);
}

function show(path: string): string {
  return JSON.stringify(Buffer.from(path.slice(0, 200), 'latin1').toString('utf8'));
}
