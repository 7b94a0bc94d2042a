/**
 * Owns zip archives for tests, made by hand so that they can be odd: names that lead anywhere, sizes that are not true. Never reads one.
 */
import { crc32, deflateRawSync } from 'node:zlib';

/** What an entry holds: bytes, or bytes that are compressed already with the size that they are said to have. */
export type ZipContent = string | Buffer | { readonly content: Buffer; readonly says: number };

const DEFLATED = 8;

interface Entry {
  readonly name: Buffer;
  readonly packed: Buffer;
  readonly bytes: number;
  readonly sum: number;
}

function toEntry(name: string, content: ZipContent): Entry {
  if (typeof content === 'object' && 'says' in content)
    return { name: Buffer.from(name), packed: content.content, bytes: content.says, sum: 0 };
  const plain = Buffer.from(content as string);
  return { name: Buffer.from(name), packed: deflateRawSync(plain), bytes: plain.length, sum: crc32(plain) };
}

/** What a local header and the directory say of an entry alike, from the version that is needed on. */
function toFacts({ name, packed, bytes, sum }: Entry): Buffer {
  const facts = Buffer.alloc(26);
  facts.writeUInt16LE(20, 0);
  facts.writeUInt16LE(DEFLATED, 4);
  facts.writeUInt32LE(sum, 10);
  facts.writeUInt32LE(packed.length, 14);
  facts.writeUInt32LE(bytes, 18);
  facts.writeUInt16LE(name.length, 22);
  return facts;
}

/** An archive of these entries, by their names. */
export function zipOf(contents: Readonly<Record<string, ZipContent>>): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(contents)) {
    const entry = toEntry(name, content);
    const facts = toFacts(entry);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), facts, entry.name, entry.packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), facts, rest, entry.name);
    bodies.push(body);
    offset += body.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(bodies.length, 8);
  end.writeUInt16LE(bodies.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, listed, end]);
}
