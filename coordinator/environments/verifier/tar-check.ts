/**
 * Owns the verifier's own reading of a layer's tar: a push parser that accepts the canonical form (docs/layers.md) and nothing else.
 * Never writes a file and never keeps a body but that of the variables file.
 * Invariant: a tar that passes unpacks, whatever tool does it, to files strictly below its root: every path's parent is a directory
 * of the same tar, no path stands there twice, no hard link leaves the tar, and nothing in it is a device, setuid or setgid.
 */
import { Refusal, type RefusalReason } from './refusal.ts';
import {
  BLOCK_BYTES,
  type Block,
  decodeBlock,
  decodePax,
  type EntryType,
  isZero,
  noPaxRecords,
  type PaxRecords,
} from './tar-block.ts';

/** What a tar may be at most. */
export interface TarBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Of all names and link targets together, which every reader keeps in memory. */
  readonly namesBytesMax?: number;
}

/** What a good tar holds. */
export interface TarSummary {
  readonly entries: number;
  readonly bytes: number;
  /** The file in which scripts left variables; null when there is none. */
  readonly variablesFile: Buffer | null;
}

/** An entry that passed every check; `path` and `link` are byte strings, a directory's path has no slash at its end. */
export interface CheckedEntry {
  readonly path: string;
  readonly type: Exclude<EntryType, 'pax'>;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly link: string;
  readonly isOpaque: boolean;
}

/** Who wants to know what is in the tar, as it is read; a chunk is only valid during the call. What comes later may still be refused. */
export interface CheckListener {
  entry(entry: CheckedEntry): void;
  body(chunk: Buffer): void;
}

/** Where scripts 1 and 2 leave variables: `$ENVICUTOR_ENV`, relative to the root. */
export const VARIABLES_PATH = 'environment/.envicutor/variables';

const PATH_BYTES_MAX = 4095;
const LINK_BYTES_MAX = 4095;
const SEGMENT_BYTES_MAX = 255;
const DEPTH_MAX = 256;
const NAME_FIELD_BYTES = 100;
const SIZE_FIELD_MAX = 0o77777777777;
/** Path, link and their framing, and the short records. */
const PAX_BYTES_MAX = 9000;
const VARIABLES_BYTES_MAX = 1024 * 1024;
const NAMES_BYTES_MAX = 128 * 1024 ** 2;

/** A directory on the way to the entry that was last read. */
interface Ancestor {
  readonly segment: string;
  readonly isDirectory: boolean;
}

/** Reads one tar, in chunks of any size; every method throws Refusal as soon as something is not canonical. */
export class TarCheck {
  readonly #bounds: TarBounds;
  readonly #listener: CheckListener | null;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #filled = 0;
  #bytes = 0;
  #entries = 0;
  #namesBytes = 0;
  #bodyLeft = 0;
  #paddingLeft = 0;
  #zeroBlocks = 0;
  #pax: PaxRecords | null = null;
  /** The body that is being kept: a pax header's, or the variables file's. */
  #kept: { readonly body: Buffer; filled: number; readonly isPax: boolean } | null = null;
  #variablesFile: Buffer | null = null;
  readonly #trail: Ancestor[] = [];
  /** Every path but the directories', with the rights of regular files: what hard links may name, and no directory may repeat. */
  readonly #leaves = new Map<string, number | null>();

  constructor(bounds: TarBounds, listener: CheckListener | null = null) {
    this.#bounds = bounds;
    this.#listener = listener;
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(chunk: Uint8Array): void {
    const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#bytes += data.length;
    if (this.#bytes > this.#bounds.bytesMax)
      this.#refuse('tar-too-large', `it is longer than ${this.#bounds.bytesMax} bytes`);
    let offset = 0;
    while (offset < data.length) {
      if (this.#zeroBlocks === 2) this.#refuse('tar-trailing-bytes', 'there are bytes after its end');
      if (this.#bodyLeft > 0) offset += this.#takeBody(data.subarray(offset));
      else if (this.#paddingLeft > 0) offset += this.#takePadding(data.subarray(offset));
      else offset += this.#takeBlock(data.subarray(offset));
    }
  }

  /** Says that there are no more bytes. */
  finish(): TarSummary {
    if (this.#zeroBlocks !== 2) this.#refuse('tar-truncated', 'it ends before its two zero blocks');
    return { entries: this.#entries, bytes: this.#bytes, variablesFile: this.#variablesFile };
  }

  #takeBody(data: Buffer): number {
    const part = data.subarray(0, this.#bodyLeft);
    this.#bodyLeft -= part.length;
    if (this.#kept?.isPax !== true) this.#listener?.body(part);
    if (this.#kept !== null) {
      part.copy(this.#kept.body, this.#kept.filled);
      this.#kept.filled += part.length;
      if (this.#bodyLeft === 0) this.#finishKept(this.#kept);
    }
    return part.length;
  }

  #takePadding(data: Buffer): number {
    const part = data.subarray(0, this.#paddingLeft);
    if (!isZero(part)) this.#refuse('tar-padding', 'a body is padded with something else than zeros');
    this.#paddingLeft -= part.length;
    return part.length;
  }

  #takeBlock(data: Buffer): number {
    const part = data.subarray(0, BLOCK_BYTES - this.#filled);
    part.copy(this.#block, this.#filled);
    this.#filled += part.length;
    if (this.#filled === BLOCK_BYTES) {
      this.#filled = 0;
      if (isZero(this.#block)) this.#takeZeroBlock();
      else this.#takeHeader(decodeBlock(this.#block));
    }
    return part.length;
  }

  #takeZeroBlock(): void {
    if (this.#pax !== null) this.#refuse('tar-pax', 'a pax header has no entry after it');
    this.#zeroBlocks += 1;
  }

  #takeHeader(block: Block): void {
    if (this.#zeroBlocks > 0) this.#refuse('tar-trailing-bytes', 'there is an entry after a zero block');
    if (block.type === 'pax') this.#takePaxHeader(block);
    else this.#takeEntry(block, this.#pax ?? noPaxRecords);
  }

  #takePaxHeader(block: Block): void {
    if (this.#pax !== null) this.#refuse('tar-pax', 'two pax headers follow each other');
    const isPlain =
      block.name === 'pax' && block.linkName === '' && block.mode === 0o644 && block.uid + block.gid === 0;
    if (!isPlain) this.#refuse('tar-pax', "a pax header's own fields are not the fixed ones");
    if (block.size === 0 || block.size > PAX_BYTES_MAX) this.#refuse('tar-pax', `a pax header has ${block.size} bytes`);
    this.#expectBody(block.size);
    this.#kept = { body: Buffer.alloc(block.size), filled: 0, isPax: true };
  }

  #takeEntry(block: Block, pax: PaxRecords): void {
    this.#pax = null;
    this.#entries += 1;
    if (this.#entries > this.#bounds.entriesMax) {
      this.#refuse('tar-too-large', `it has more than ${this.#bounds.entriesMax} entries`);
    }
    const name = this.#nameOf(block.name, pax.path, 'path');
    const path = block.type === 'directory' && name.endsWith('/') ? name.slice(0, -1) : name;
    if (block.type === 'directory' && path === name)
      this.#refuse('tar-path', `directory ${shown(name)} ends without a slash`);
    this.#place(path, block);
    const size = this.#sizeOf(block, pax);
    const link = this.#checkType(block, pax, path, size);
    this.#countNames(path.length + link.length);
    if (block.type !== 'pax') {
      const { type, mode, uid, gid } = block;
      this.#listener?.entry({ path, type, mode, uid, gid, size, link, isOpaque: pax.isOpaque });
    }
    this.#expectBody(size);
    if (path === VARIABLES_PATH && block.type === 'regular') {
      if (size > VARIABLES_BYTES_MAX) this.#refuse('variables', `${path} has ${size} bytes`);
      if (size === 0) this.#variablesFile = Buffer.alloc(0);
      else this.#kept = { body: Buffer.alloc(size), filled: 0, isPax: false };
    }
  }

  #countNames(bytes: number): void {
    const { namesBytesMax = NAMES_BYTES_MAX } = this.#bounds;
    this.#namesBytes += bytes;
    if (this.#namesBytes > namesBytesMax) {
      this.#refuse('tar-too-large', `its names and link targets have more than ${namesBytesMax} bytes together`);
    }
  }

  /** A name that does not fit stands in a pax record, and its first 100 bytes in the header. */
  #nameOf(field: string, record: string | null, what: string): string {
    if (record === null) return field;
    if (record.length <= NAME_FIELD_BYTES) this.#refuse('tar-pax', `a pax ${what} is not needed`);
    if (!record.startsWith(field) || field.length !== NAME_FIELD_BYTES) {
      this.#refuse('tar-pax', `a pax ${what} begins otherwise than its header`);
    }
    return record;
  }

  #sizeOf(block: Block, pax: PaxRecords): number {
    if (pax.size === null) return block.size;
    if (block.size !== 0 || pax.size <= SIZE_FIELD_MAX) this.#refuse('tar-pax', 'a pax size is not needed');
    return pax.size;
  }

  /** Checks the path's form and that it comes after the previous one and below a directory; remembers the way to it. */
  #place(path: string, block: Block): void {
    const segments = this.#segmentsOf(path);
    const isDirectory = block.type === 'directory';
    let common = 0;
    while (common < segments.length && this.#trail[common]?.segment === segments[common]) common += 1;
    const previous = this.#trail[common];
    const isLast = common === segments.length - 1;
    const mine = sortable(segments[common] ?? '', !isLast || isDirectory);
    if (
      common === segments.length ||
      (previous !== undefined && mine < sortable(previous.segment, previous.isDirectory))
    ) {
      this.#refuse('tar-order', `path ${shown(path)} is a repetition or comes too late`);
    }
    if (!isLast) this.#refuse('tar-parent', `the directory of ${shown(path)} is not in the tar`);
    if (common > 0 && this.#trail[common - 1]?.isDirectory !== true) {
      this.#refuse('tar-parent', `${shown(path)} is below something that is no directory`);
    }
    this.#trail.length = common;
    this.#trail.push({ segment: segments[common] ?? '', isDirectory });
    // "a" and "a/" do not compare as equal, and "a-b" may stand between them.
    if (this.#leaves.has(path)) this.#refuse('tar-order', `path ${shown(path)} is in the tar twice`);
    if (!isDirectory) this.#leaves.set(path, block.type === 'regular' ? rightsOf(block) : null);
  }

  #segmentsOf(path: string): string[] {
    if (path.length > PATH_BYTES_MAX) this.#refuse('tar-path', `a path has ${path.length} bytes`);
    const segments = path.split('/');
    if (segments.length > DEPTH_MAX) this.#refuse('tar-path', `a path has ${segments.length} segments`);
    for (const segment of segments) {
      const isPlain = segment !== '' && segment !== '.' && segment !== '..' && !segment.includes('\0');
      if (!isPlain || segment.length > SEGMENT_BYTES_MAX) {
        this.#refuse('tar-path', `path ${shown(path)} is not a plain relative one`);
      }
    }
    return segments;
  }

  /** Returns the link's target, '' for what is no link. */
  #checkType(block: Block, pax: PaxRecords, path: string, size: number): string {
    const { type } = block;
    const target = this.#nameOf(block.linkName, pax.linkPath, 'linkpath');
    if ((type === 'hard-link' || type === 'symbolic-link') !== (target !== '')) {
      this.#refuse('tar-link', `${shown(path)} is a link without a target, or has one and is none`);
    }
    if (target.includes('\0') || target.length > LINK_BYTES_MAX) {
      this.#refuse('tar-link', `${shown(path)} has an impossible target`);
    }
    // Undefined is no path of the tar, null is no regular file: neither equals the rights of one.
    if (type === 'hard-link' && this.#leaves.get(target) !== rightsOf(block)) {
      const what = `hard link ${shown(path)} leads to ${shown(target)}`;
      this.#refuse('tar-link', `${what}, which is no earlier regular file with the same mode and owner`);
    }
    if (type === 'symbolic-link' && block.mode !== 0o777) this.#refuse('tar-mode', `link ${shown(path)} is not 0777`);
    if (type === 'whiteout' && rightsOf(block) !== 0) {
      this.#refuse('tar-mode', `whiteout ${shown(path)} has a mode or an owner`);
    }
    if (size !== 0 && type !== 'regular') this.#refuse('tar-type', `${shown(path)} has a body and is no regular file`);
    if (pax.isOpaque && type !== 'directory') this.#refuse('tar-pax', `${shown(path)} is opaque and no directory`);
    return target;
  }

  #expectBody(size: number): void {
    this.#bodyLeft = size;
    this.#paddingLeft = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  #finishKept(kept: { readonly body: Buffer; readonly isPax: boolean }): void {
    if (kept.isPax) this.#pax = decodePax(kept.body);
    else this.#variablesFile = kept.body;
    this.#kept = null;
  }

  #refuse(reason: RefusalReason, message: string): never {
    throw new Refusal(reason, `${message} (entry ${this.#entries}, within byte ${this.#bytes})`);
  }
}

/** A segment as it takes part in the order: a directory's name ends with a slash. Byte strings compare as their bytes do. */
function sortable(segment: string, isDirectory: boolean): string {
  return isDirectory ? `${segment}/` : segment;
}

/** Mode and owner as one number; ids have 16 bits each. */
function rightsOf({ mode, uid, gid }: Block): number {
  return (mode * 0x1_0000 + uid) * 0x1_0000 + gid;
}

function shown(path: string): string {
  return JSON.stringify(Buffer.from(path, 'latin1').toString('utf8').slice(0, 200));
}
