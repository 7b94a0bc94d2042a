/**
 * Owns the canonical tar (docs/layers.md): one byte form for one tree, so that its digest names the tree.
 * Never writes a time, a user or group name, a device other than the whiteout, or a header that is not needed.
 * Invariant: the verifier's checker, which shares no code with this, accepts what is written here.
 */
import type { BodySpool } from './body-spool.ts';
import { type LayerEntry, OPAQUE_ATTRIBUTE, storedName } from './layer-tree.ts';
import { BLOCK_BYTES, checksumOf } from './tar-header.ts';

/** Name of every pax header in a canonical tar. */
export const PAX_NAME = 'pax';
const NAME_BYTES = 100;
/** The largest size that eleven octal digits hold. */
const SIZE_MAX = 0o77777777777;
const CHUNK_BYTES = 1024 * 1024;

const typeFlags = { file: '0', hardlink: '1', symlink: '2', whiteout: '3', directory: '5' } as const;

interface HeaderFields {
  readonly name: string;
  readonly typeFlag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly linkName: string;
}

function writeHeader(block: Buffer, fields: HeaderFields): void {
  const octal = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block.fill(0);
  block.write(fields.name, 0, NAME_BYTES, 'latin1');
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(0, 136, 12);
  block.write(fields.typeFlag, 156, 'latin1');
  block.write(fields.linkName, 157, NAME_BYTES, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  octal(checksumOf(block), 148, 7);
  block.write(' ', 155, 'latin1');
}

/** One pax record: its own length counts too. */
function paxRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

function paxBody(entry: LayerEntry): string {
  const size = entry.body?.size ?? 0;
  const name = storedName(entry);
  let body = '';
  if (entry.isOpaque) body += paxRecord(`SCHILY.xattr.${OPAQUE_ATTRIBUTE}`, 'y');
  if (entry.linkPath.length > NAME_BYTES) body += paxRecord('linkpath', entry.linkPath);
  if (name.length > NAME_BYTES) body += paxRecord('path', name);
  if (size > SIZE_MAX) body += paxRecord('size', String(size));
  return body;
}

const padded = (size: number): number => Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;

/** All headers of one entry. */
export function encodeEntry(entry: LayerEntry): Buffer {
  const pax = paxBody(entry);
  const size = entry.body?.size ?? 0;
  const header = Buffer.alloc((pax === '' ? 0 : BLOCK_BYTES + padded(pax.length)) + BLOCK_BYTES);
  if (pax !== '') {
    writeHeader(header.subarray(0, BLOCK_BYTES), {
      name: PAX_NAME,
      typeFlag: 'x',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: pax.length,
      linkName: '',
    });
    header.write(pax, BLOCK_BYTES, 'latin1');
  }
  writeHeader(header.subarray(header.length - BLOCK_BYTES), {
    name: storedName(entry),
    typeFlag: typeFlags[entry.kind],
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: size > SIZE_MAX ? 0 : size,
    linkName: entry.linkPath,
  });
  return header;
}

/** The canonical tar of sorted entries in chunks of up to a MiB; each chunk is the consumer's own. */
export function* canonicalTar(entries: readonly LayerEntry[], spool: BodySpool): Generator<Buffer> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  const end = Buffer.alloc(2 * BLOCK_BYTES);
  for (const entry of [...entries, null]) {
    const head = entry === null ? end : encodeEntry(entry);
    if (filled + head.length > CHUNK_BYTES) {
      yield chunk.subarray(0, filled);
      chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      filled = 0;
    }
    filled += head.copy(chunk, filled);
    const body = entry?.body ?? null;
    if (body === null) continue;
    const total = padded(body.size);
    for (let position = 0; position < total; ) {
      if (filled === CHUNK_BYTES) {
        yield chunk;
        chunk = Buffer.allocUnsafe(CHUNK_BYTES);
        filled = 0;
      }
      const target = chunk.subarray(filled, filled + Math.min(CHUNK_BYTES - filled, total - position));
      const content = Math.min(target.length, Math.max(0, body.size - position));
      spool.readInto(body, position, target.subarray(0, content));
      target.fill(0, content);
      position += target.length;
      filled += target.length;
    }
  }
  yield chunk.subarray(0, filled);
}
