/**
 * Owns the streaming reader of raw tars: what GNU tar and mmdebstrap write (ustar, pax, GNU long names, hard links, extended attributes).
 * Never keeps a body: bytes are handed on as they come. Never judges an entry: that is layer-tree.
 * Invariant: `body` is called with exactly `size` bytes in all after `entry` of a file, before the next `entry`.
 */
import {
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  type EntryType,
  type HeaderBlock,
  malformed,
  type RawEntry,
} from './tar-header.ts';

/** Who listens to a reader; synchronous, so that a slow listener slows the source down. A chunk is only valid during the call. */
export interface TarListener {
  entry(entry: RawEntry): void;
  body(chunk: Buffer): void;
}

/** No body of a pax or long-name block is larger. */
const METADATA_BYTES_MAX = 1024 * 1024;
const ATTRIBUTE_PREFIX = 'SCHILY.xattr.';

const entryTypes: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What was said about the next entry by blocks before it. */
interface Pending {
  pax: Map<string, string>;
  path: string | null;
  linkPath: string | null;
}

/** A push parser of one tar; every method throws SystemError `build-failed` when the input is no tar. */
export class TarReader {
  readonly #listener: TarListener;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #blockFilled = 0;
  #bodyLeft = 0;
  #paddingLeft = 0;
  /** The metadata block whose body is being collected. */
  #metadata: { typeFlag: string; body: Buffer; filled: number } | null = null;
  #pending: Pending = { pax: new Map(), path: null, linkPath: null };
  #isEnded = false;

  constructor(listener: TarListener) {
    this.#listener = listener;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let offset = 0;
    while (offset < data.length && !this.#isEnded) {
      if (this.#bodyLeft > 0) offset += this.#takeBody(data, offset);
      else if (this.#paddingLeft > 0) offset += this.#takePadding(data.length - offset);
      else offset += this.#takeHeader(data, offset);
    }
  }

  /** Says that no more bytes come; throws when the tar is cut off. */
  end(): void {
    if (!this.#isEnded) throw malformed('it is cut off');
  }

  #takeBody(data: Buffer, offset: number): number {
    const length = Math.min(this.#bodyLeft, data.length - offset);
    const part = data.subarray(offset, offset + length);
    this.#bodyLeft -= length;
    if (this.#metadata === null) {
      this.#listener.body(part);
    } else {
      part.copy(this.#metadata.body, this.#metadata.filled);
      this.#metadata.filled += length;
      if (this.#bodyLeft === 0) this.#finishMetadata(this.#metadata);
    }
    return length;
  }

  #takePadding(available: number): number {
    const length = Math.min(this.#paddingLeft, available);
    this.#paddingLeft -= length;
    return length;
  }

  #takeHeader(data: Buffer, offset: number): number {
    const length = Math.min(BLOCK_BYTES - this.#blockFilled, data.length - offset);
    data.copy(this.#block, this.#blockFilled, offset, offset + length);
    this.#blockFilled += length;
    if (this.#blockFilled === BLOCK_BYTES) {
      this.#blockFilled = 0;
      this.#header();
    }
    return length;
  }

  #header(): void {
    if (this.#block.every((byte) => byte === 0)) {
      // What follows the first zero block is the second one and the writer's own padding.
      this.#isEnded = true;
      return;
    }
    const header = decodeHeader(this.#block);
    if (header.typeFlag === 'x' || header.typeFlag === 'L' || header.typeFlag === 'K') {
      if (header.size === 0 || header.size > METADATA_BYTES_MAX)
        throw malformed(`a metadata block has ${header.size} bytes`);
      this.#metadata = { typeFlag: header.typeFlag, body: Buffer.alloc(header.size), filled: 0 };
      this.#expectBody(header.size);
      return;
    }
    const entry = this.#toEntry(header);
    this.#pending = { pax: new Map(), path: null, linkPath: null };
    this.#listener.entry(entry);
    this.#expectBody(entry.size);
  }

  #expectBody(size: number): void {
    this.#bodyLeft = size;
    this.#paddingLeft = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  #finishMetadata(metadata: { typeFlag: string; body: Buffer }): void {
    if (metadata.typeFlag === 'x') {
      this.#pending.pax = decodePax(metadata.body);
    } else {
      const name = metadata.body.toString('latin1').replace(/\0.*$/s, '');
      if (metadata.typeFlag === 'L') this.#pending.path = name;
      else this.#pending.linkPath = name;
    }
    this.#metadata = null;
  }

  #toEntry(header: HeaderBlock): RawEntry {
    const { pax, path, linkPath } = this.#pending;
    const type = entryTypes[header.typeFlag];
    if (type === undefined) throw malformed(`an entry has the unknown type ${JSON.stringify(header.typeFlag)}`);
    const attributes = new Map<string, string>();
    for (const [name, value] of pax) {
      if (name.startsWith('GNU.sparse')) throw malformed('it holds a sparse file');
      if (name.startsWith(ATTRIBUTE_PREFIX)) attributes.set(name.slice(ATTRIBUTE_PREFIX.length), value);
    }
    const size = toCount(pax.get('size'), header.size);
    return {
      ...header,
      type,
      path: pax.get('path') ?? path ?? header.path,
      linkPath: pax.get('linkpath') ?? linkPath ?? header.linkPath,
      uid: toCount(pax.get('uid'), header.uid),
      gid: toCount(pax.get('gid'), header.gid),
      // Only files have a body; some writers give hard links the size of what they link to.
      size: type === 'file' ? size : 0,
      attributes,
    };
  }
}

function toCount(value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!/^[0-9]{1,15}$/.test(value)) throw malformed(`a pax number is ${JSON.stringify(value)}`);
  return Number(value);
}
