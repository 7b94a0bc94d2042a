/**
 * Owns the smallest zip archive that a reader accepts: entries stored as they are, names in ASCII, no dates.
 * Never compresses and never reads archives; MinIO's import of users and policies is the one thing that wants a zip.
 * Invariant: fewer than 65,536 entries and 4 GiB, the format's limits without its extensions.
 */
import { crc32 } from 'node:zlib';

const VERSION_NEEDED = 20;
const DATE_1980_01_01 = 33;

/** A zip archive with these entries, name to text, in the order given. */
export function toStoredZip(entries: Readonly<Record<string, string>>): Uint8Array {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [nameText, text] of Object.entries(entries)) {
    const name = Buffer.from(nameText);
    const data = Buffer.from(text);
    const described = description(name, data);
    const header = Buffer.concat([uint32(0x04034b50), described, name]);
    local.push(header, data);
    directory.push(directoryHeader(described, offset), name);
    offset += header.length + data.length;
  }
  const listing = Buffer.concat(directory);
  const count = uint16(Object.keys(entries).length);
  const end = [uint32(0x06054b50), uint32(0), count, count, uint32(listing.length), uint32(offset), uint16(0)];
  return Buffer.concat([...local, listing, ...end]);
}

/** The fields that an entry's own header and its line of the directory share. */
function description(name: Buffer, data: Buffer): Buffer {
  const size = uint32(data.length);
  const flagsMethodTime = [uint16(0), uint16(0), uint16(0)];
  return Buffer.concat([
    uint16(VERSION_NEEDED),
    ...flagsMethodTime,
    uint16(DATE_1980_01_01),
    uint32(crc32(data)),
    size,
    size,
    uint16(name.length),
    uint16(0),
  ]);
}

function directoryHeader(described: Buffer, offset: number): Buffer {
  const commentDiskAttributes = [uint16(0), uint16(0), uint16(0), uint32(0)];
  return Buffer.concat([
    uint32(0x02014b50),
    uint16(VERSION_NEEDED),
    described,
    ...commentDiskAttributes,
    uint32(offset),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
