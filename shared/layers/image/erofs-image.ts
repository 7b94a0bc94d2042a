/**
 * Owns the index of a layer's tar as an EROFS file system: inodes and directories here, the files' bodies where they are in the tar, which
 * the kernel reads as the image's second device. So a layer is mounted without having been unpacked.
 * The on-disk form is the kernel's (fs/erofs/erofs_fs.h, Documentation/filesystems/erofs.rst); of its features only uncompressed inodes,
 * inline link targets, inline attributes and the device table are used, in blocks of 512 bytes as tars have them.
 * Never reads a tar. Invariant: the same entries give the same bytes; all sizes and places are computed before a byte is written.
 */
import { TAR_BLOCK_BYTES as BLOCK, type TarEntry } from './tar-index.ts';

const SUPERBLOCK_AT = 1024;
const DEVICE_SLOT_BYTES = 128;
const DEVICE_AT = SUPERBLOCK_AT + DEVICE_SLOT_BYTES;
const INODES_AT = 4 * BLOCK;
const SLOT_BYTES = 32;
const INODE_BYTES = 64;
const DIRENT_BYTES = 12;
const MAGIC = 0xe0f5e1e2;
const FEATURE_DEVICE_TABLE = 0x8;
const LAYOUT_PLAIN = 0;
const LAYOUT_INLINE = 2;
/** Block address at which the tar begins in the image's address space: far above every index. */
const TAR_AT_BLOCK = 0x4000_0000;
/** `user.overlay.opaque` = `y` as an inline attribute: 12 bytes of header, then one entry, padded. */
const OPAQUE_BYTES = 32;
const PREFIX_USER = 1;

// biome-ignore format: a table
const forms = {
  file:      { typeMode: 0o100000, direntType: 1 },
  directory: { typeMode: 0o040000, direntType: 2 },
  whiteout:  { typeMode: 0o020000, direntType: 3 },
  symlink:   { typeMode: 0o120000, direntType: 7 },
} as const;

/** Where an inode and its data go. */
interface Place {
  /** Byte position of the inode; 0 for a hard link, which has none. */
  readonly inodeAt: number;
  readonly isInline: boolean;
  /** First block of directory data or of a long link target, relative to the image. */
  dataBlock: number;
  dataBytes: number;
  links: number;
}

/** Names of one directory in the order in which the kernel looks for them: by bytes. */
interface Name {
  readonly text: string;
  readonly entry: number;
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** The image's bytes; `tarBytes` is the length of the tar that will be its second device. */
export function toErofsImage(entries: readonly TarEntry[], tarBytes: number): Buffer {
  const { places, end } = placeInodes(entries);
  const names = collectNames(entries, places);
  const total = placeData(entries, places, names, roundUp(end, BLOCK));
  const image = Buffer.alloc(total);
  writeSuperblock(image, places, tarBytes);
  for (const [index, entry] of entries.entries()) {
    const place = places[index] as Place;
    if (entry.kind !== 'hardlink') writeInode(image, entry, place);
    if (entry.kind === 'directory') writeDirectory(image, entries, places, names[index] ?? [], place);
  }
  return image;
}

function placeInodes(entries: readonly TarEntry[]): { places: Place[]; end: number } {
  let at = INODES_AT;
  const places = entries.map((entry): Place => {
    const fresh = { dataBlock: 0, dataBytes: 0, links: 1 };
    if (entry.kind === 'hardlink') return { inodeAt: 0, isInline: false, ...fresh };
    const attributes = entry.isOpaque ? OPAQUE_BYTES : 0;
    const isInline = entry.kind === 'symlink' && INODE_BYTES + entry.target.length <= BLOCK;
    const bytes = INODE_BYTES + attributes + (isInline ? entry.target.length : 0);
    // Neither attributes nor inline data may cross a block.
    if ((at % BLOCK) + bytes > BLOCK) at = roundUp(at, BLOCK);
    const inodeAt = at;
    at = roundUp(at + bytes, SLOT_BYTES);
    return { inodeAt, isInline, ...fresh };
  });
  return { places, end: at };
}

/** Every directory's names, sorted, with `.` and `..`; counts links on the way. */
function collectNames(entries: readonly TarEntry[], places: readonly Place[]): (Name[] | undefined)[] {
  const names: (Name[] | undefined)[] = entries.map((entry, index) =>
    entry.kind === 'directory'
      ? [
          { text: '.', entry: index },
          { text: '..', entry: entry.parent },
        ]
      : undefined,
  );
  for (const [index, entry] of entries.entries()) {
    if (index === 0) continue;
    const target = entry.kind === 'hardlink' ? entry.linked : index;
    names[entry.parent]?.push({ text: entry.name, entry: target });
    const grown = places[entry.kind === 'directory' ? entry.parent : target];
    if (grown !== undefined && (entry.kind === 'directory' || entry.kind === 'hardlink')) grown.links += 1;
  }
  for (const [index, list] of names.entries()) {
    list?.sort((one, other) => (one.text < other.text ? -1 : 1));
    const place = places[index];
    if (list !== undefined && place !== undefined) place.links += 1;
  }
  return names;
}

/** Gives directories and long link targets their blocks; returns the image's length in bytes. */
function placeData(
  entries: readonly TarEntry[],
  places: readonly Place[],
  names: readonly (readonly Name[] | undefined)[],
  start: number,
): number {
  let at = start;
  for (const [index, entry] of entries.entries()) {
    const place = places[index] as Place;
    if (entry.kind === 'symlink') place.dataBytes = entry.target.length;
    else if (entry.kind === 'directory') place.dataBytes = directoryBytes(names[index] ?? []);
    else continue;
    if (place.isInline) continue;
    place.dataBlock = at / BLOCK;
    at += roundUp(place.dataBytes, BLOCK);
  }
  return at;
}

/** Which names share a block: a block's entries stand before all of its names. */
function* directoryBlocks(names: readonly Name[]): Generator<{ from: number; to: number; bytes: number }> {
  let from = 0;
  let bytes = 0;
  for (const [index, { text }] of names.entries()) {
    const needed = DIRENT_BYTES + text.length;
    if (bytes + needed > BLOCK) {
      yield { from, to: index, bytes };
      from = index;
      bytes = 0;
    }
    bytes += needed;
  }
  yield { from, to: names.length, bytes };
}

function directoryBytes(names: readonly Name[]): number {
  let length = 0;
  for (const { bytes } of directoryBlocks(names)) length = roundUp(length, BLOCK) + bytes;
  return length;
}

function writeDirectory(
  image: Buffer,
  entries: readonly TarEntry[],
  places: readonly Place[],
  names: readonly Name[],
  place: Place,
): void {
  let blockAt = place.dataBlock * BLOCK;
  for (const { from, to } of directoryBlocks(names)) {
    let nameAt = (to - from) * DIRENT_BYTES;
    for (let index = from; index < to; index++) {
      const { text, entry } = names[index] as Name;
      const at = blockAt + (index - from) * DIRENT_BYTES;
      image.writeBigUInt64LE(BigInt((places[entry] as Place).inodeAt / SLOT_BYTES), at);
      image.writeUInt16LE(nameAt, at + 8);
      image.writeUInt8(formOf(entries[entry] as TarEntry).direntType, at + 10);
      nameAt += image.write(text, blockAt + nameAt, 'latin1');
    }
    blockAt += BLOCK;
  }
}

/** A hard link's directory entry speaks of the file that it names, so it never gets here. */
function formOf({ kind }: TarEntry): (typeof forms)[keyof typeof forms] {
  return forms[kind === 'hardlink' ? 'file' : kind];
}

function writeInode(image: Buffer, entry: TarEntry, place: Place): void {
  const at = place.inodeAt;
  const isFile = entry.kind === 'file';
  const address = isFile ? (entry.size === 0 ? 0 : TAR_AT_BLOCK + entry.block) : place.isInline ? 0 : place.dataBlock;
  image.writeUInt16LE(1 | ((place.isInline ? LAYOUT_INLINE : LAYOUT_PLAIN) << 1), at);
  image.writeUInt16LE(entry.isOpaque ? (OPAQUE_BYTES - 12) / 4 + 1 : 0, at + 2);
  image.writeUInt16LE(formOf(entry).typeMode | entry.mode, at + 4);
  image.writeBigUInt64LE(BigInt(isFile ? entry.size : place.dataBytes), at + 8);
  // For a whiteout this is the device number, which is 0.
  image.writeUInt32LE(address, at + 16);
  image.writeUInt32LE(at / SLOT_BYTES, at + 20);
  image.writeUInt32LE(entry.uid, at + 24);
  image.writeUInt32LE(entry.gid, at + 28);
  image.writeUInt32LE(place.links, at + 44);
  if (entry.isOpaque) writeOpaque(image, at + INODE_BYTES);
  if (entry.kind !== 'symlink') return;
  image.write(entry.target, place.isInline ? at + INODE_BYTES : place.dataBlock * BLOCK, 'latin1');
}

function writeOpaque(image: Buffer, at: number): void {
  const name = 'overlay.opaque';
  image.writeUInt8(name.length, at + 12);
  image.writeUInt8(PREFIX_USER, at + 13);
  image.writeUInt16LE(1, at + 14);
  image.write(`${name}y`, at + 16, 'latin1');
}

function writeSuperblock(image: Buffer, places: readonly Place[], tarBytes: number): void {
  const at = SUPERBLOCK_AT;
  image.writeUInt32LE(MAGIC, at);
  image.writeUInt8(Math.log2(BLOCK), at + 12);
  image.writeUInt16LE(INODES_AT / SLOT_BYTES, at + 14);
  image.writeBigUInt64LE(BigInt(places.filter(({ inodeAt }) => inodeAt > 0).length), at + 16);
  image.writeUInt32LE(image.length / BLOCK, at + 36);
  image.writeUInt32LE(FEATURE_DEVICE_TABLE, at + 80);
  image.writeUInt16LE(1, at + 86);
  image.writeUInt16LE(DEVICE_AT / DEVICE_SLOT_BYTES, at + 88);
  image.writeUInt32LE(Math.ceil(tarBytes / BLOCK), DEVICE_AT + 64);
  image.writeUInt32LE(TAR_AT_BLOCK, DEVICE_AT + 68);
}
