/**
 * Owns the strict decoding of one header block and of one pax body of a canonical tar (docs/layers.md).
 * Never accepts a second spelling of anything, and shares no code with the builder's writer: a mistake there must not pass here.
 * Invariant: names are byte strings (latin1), so what compares equal here is equal on a file system.
 */
import { Refusal, type RefusalReason } from './refusal.ts';

/** Size of a tar block in bytes. */
export const BLOCK_BYTES = 512;

/** The types that a layer may hold, and the header that goes before an entry. */
export type EntryType = 'regular' | 'hard-link' | 'symbolic-link' | 'whiteout' | 'directory' | 'pax';

/** A header block as it stands; pax values are not yet applied. */
export interface Block {
  readonly type: EntryType;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
}

/** What a pax header may say about the entry after it; absent is null. */
export interface PaxRecords {
  readonly path: string | null;
  readonly linkPath: string | null;
  readonly size: number | null;
  readonly isOpaque: boolean;
}

/** What stands before an entry without a pax header. */
export const noPaxRecords: PaxRecords = { path: null, linkPath: null, size: null, isOpaque: false };

const types: Readonly<Record<string, EntryType>> = {
  '0': 'regular',
  '1': 'hard-link',
  '2': 'symbolic-link',
  '3': 'whiteout',
  '5': 'directory',
  x: 'pax',
};

/** In the order in which they must stand: by bytes. */
const paxNames = ['SCHILY.xattr.user.overlay.opaque', 'linkpath', 'path', 'size'];
const ID_MAX = 65_535;
const MODE_MASK = 0o1777;

/** The fields of a block; throws Refusal for anything that the canonical form does not know. */
export function decodeBlock(block: Buffer): Block {
  checkChecksum(block);
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000') refuse('tar-header', 'the magic is not that of ustar');
  for (const [from, to, what] of emptyFields) {
    if (!isZero(block, from, to)) refuse('tar-header', `${what} is not empty`);
  }
  const flag = block.toString('latin1', 156, 157);
  const type = types[flag] ?? refuse('tar-type', `an entry is of type ${JSON.stringify(flag)}`);
  if (octal(block, 136, 12, 'the time') !== 0) refuse('tar-time', 'a time is not 0');
  if (octal(block, 329, 8, 'a device number') !== 0 || octal(block, 337, 8, 'a device number') !== 0) {
    refuse('tar-device', 'a device is not a whiteout (0, 0)');
  }
  const mode = octal(block, 100, 8, 'the mode');
  if ((mode & ~MODE_MASK) !== 0) refuse('tar-mode', `mode 0${mode.toString(8)} has bits beyond 01777`);
  const uid = octal(block, 108, 8, 'the user id');
  const gid = octal(block, 116, 8, 'the group id');
  if (uid > ID_MAX || gid > ID_MAX) refuse('tar-owner', `owner ${uid}:${gid} is beyond ${ID_MAX}`);
  return {
    type,
    name: text(block, 0, 100, 'name'),
    linkName: text(block, 157, 100, 'linkname'),
    mode,
    uid,
    gid,
    size: octal(block, 124, 12, 'the size'),
  };
}

// biome-ignore format: a table
const emptyFields: readonly (readonly [from: number, to: number, what: string])[] = [
  [265, 297, 'uname'],
  [297, 329, 'gname'],
  [345, 500, 'prefix'],
  [500, 512, 'the end of a header'],
];

/** The records of a pax body; throws Refusal for an unknown, repeated, misplaced or oddly written one. */
export function decodePax(body: Buffer): PaxRecords {
  const found = new Map<string, string>();
  const all = body.toString('latin1');
  let offset = 0;
  let previous = -1;
  while (offset < all.length) {
    const digits = /^[1-9][0-9]{0,4}(?= )/.exec(all.slice(offset, offset + 8))?.[0];
    if (digits === undefined) refuse('tar-pax', 'a pax record has no length');
    const record = all.slice(offset + digits.length + 1, offset + Number(digits));
    const equals = record.indexOf('=');
    if (offset + Number(digits) > all.length || equals < 1 || !record.endsWith('\n')) {
      refuse('tar-pax', 'a pax record has a wrong length');
    }
    const name = record.slice(0, equals);
    const rank = paxNames.indexOf(name);
    if (rank === -1) refuse('tar-pax', `pax key ${JSON.stringify(name.slice(0, 100))} is not allowed`);
    if (rank <= previous) refuse('tar-pax', `pax key ${name} is repeated or out of order`);
    found.set(name, record.slice(equals + 1, -1));
    previous = rank;
    offset += Number(digits);
  }
  if (found.size === 0) refuse('tar-pax', 'a pax header is empty');
  return toRecords(found);
}

function toRecords(found: ReadonlyMap<string, string>): PaxRecords {
  const opaque = found.get('SCHILY.xattr.user.overlay.opaque');
  if (opaque !== undefined && opaque !== 'y') refuse('tar-pax', 'an opaque mark is not "y"');
  const size = found.get('size');
  if (size !== undefined && !/^[1-9][0-9]{0,15}$/.test(size)) refuse('tar-pax', 'a pax size is not a number');
  return {
    path: found.get('path') ?? null,
    linkPath: found.get('linkpath') ?? null,
    size: size === undefined ? null : Number(size),
    isOpaque: opaque !== undefined,
  };
}

/** Is this part of the block nothing but zeros? */
export function isZero(block: Buffer, from = 0, to = block.length): boolean {
  for (let index = from; index < to; index++) if (block[index] !== 0) return false;
  return true;
}

function checkChecksum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK_BYTES; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  if (block.toString('latin1', 148, 156) !== `${sum.toString(8).padStart(6, '0')}\0 `) {
    refuse('tar-checksum', "a header's checksum is wrong");
  }
}

/** Digits to the last place but one, then NUL: the only spelling of a number. */
function octal(block: Buffer, offset: number, length: number, what: string): number {
  let value = 0;
  for (let index = offset; index < offset + length - 1; index++) {
    const digit = (block[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) refuse('tar-header', `${what} is not written in ${length - 1} octal digits`);
    value = value * 8 + digit;
  }
  if (block[offset + length - 1] !== 0) refuse('tar-header', `${what} does not end in NUL`);
  return value;
}

function text(block: Buffer, offset: number, length: number, what: string): string {
  const field = block.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  if (end === -1) return field;
  if (!isZero(block, offset + end, offset + length)) refuse('tar-header', `${what} goes on after its end`);
  return field.slice(0, end);
}

function refuse(reason: RefusalReason, message: string): never {
  throw new Refusal(reason, message);
}
