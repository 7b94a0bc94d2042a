/**
 * Owns the decoding of one 512-byte tar header block and of pax records: ustar, pax and GNU forms.
 * Never decides what a layer may hold, and never reads a body.
 * Invariant: names are byte strings (latin1, one character a byte), so that names which are no UTF-8 survive and compare by bytes.
 */
import { SystemError } from '../../shared/errors.ts';

/** Size of a tar block. */
export const BLOCK_BYTES = 512;

/** What a tar can hold, as far as we tell apart. */
export type EntryType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** One entry as it stands in the tar; names are byte strings, `size` counts the bytes of the body. */
export interface RawEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly linkPath: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes: name to value as a byte string. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** A header block: the entry, or a block about the next entry. */
export interface HeaderBlock extends Omit<RawEntry, 'type' | 'attributes'> {
  readonly typeFlag: string;
}

/** Says that a raw tar can't be read; raw tars come from our own launches, so nobody's script is to blame. */
export function malformed(detail: string): SystemError {
  return new SystemError('build-failed', `the captured tar can't be read: ${detail}`);
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}

/** An octal field, or GNU's base 256. */
function number(block: Buffer, offset: number, length: number, name: string): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let index = offset + 1; index < offset + length; index++) value = value * 256 + (block[index] ?? 0);
    if (!Number.isSafeInteger(value)) throw malformed(`${name} is out of range`);
    return value;
  }
  const digits = text(block, offset, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw malformed(`${name} is ${JSON.stringify(digits)}, not octal`);
  return Number.parseInt(digits, 8);
}

/** Sum of the header's bytes with the checksum field taken as blanks. */
export function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  }
  return sum;
}

/** The fields of a header block; SystemError `build-failed` when it is none. */
export function decodeHeader(block: Buffer): HeaderBlock {
  const expected = number(block, 148, 8, 'checksum');
  if (checksumOf(block) !== expected) throw malformed('a header has a wrong checksum');
  // Only the POSIX form has a prefix; GNU keeps times there.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    typeFlag: block.toString('latin1', 156, 157),
    linkPath: text(block, 157, 100),
    deviceMajor: number(block, 329, 8, 'major device number'),
    deviceMinor: number(block, 337, 8, 'minor device number'),
  };
}

/** The records of a pax header's body: keyword to value, both byte strings. */
export function decodePax(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  const all = body.toString('latin1');
  let offset = 0;
  while (offset < all.length) {
    const space = all.indexOf(' ', offset);
    const digits = space === -1 ? '' : all.slice(offset, space);
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0;
    const record = all.slice(space + 1, offset + length);
    const equals = record.indexOf('=');
    if (length === 0 || offset + length > all.length || !record.endsWith('\n') || equals < 1) {
      throw malformed('a pax record is damaged');
    }
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    offset += length;
  }
  return records;
}
