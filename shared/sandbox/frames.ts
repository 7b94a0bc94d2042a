/**
 * Owns the types of the launcher's messages and their way to bytes: one frame, one buffer (the way back: frame-decoder.ts).
 * Never knows what a message means; the tables of contract.ts drive it.
 * Invariant: no frame is longer than FRAME_BYTES_MAX.
 */
import { messages, numbers } from './contract.ts';
import type { SandboxFile } from './sandbox.ts';

/** The name of a message, either direction. */
export type MessageName = keyof typeof messages;

interface WireTypes {
  U8: number;
  U32: number;
  /** Exact up to 2^53; larger ones (nanoseconds since 1970) are rounded to the nearest double. */
  U64: number;
  I32: number;
  STR: string;
  BYTES: Uint8Array;
  STRS: readonly string[];
  U64S: readonly number[];
  FILES: readonly SandboxFile[];
}
/** The types that a field can have. */
export type WireType = keyof WireTypes;

/** The fields of one message as values. */
export type FieldsOf<Name extends MessageName> = {
  readonly [Field in keyof (typeof messages)[Name]['fields']]: (typeof messages)[Name]['fields'][Field] extends WireType
    ? WireTypes[(typeof messages)[Name]['fields'][Field]]
    : never;
};

/** A decoded frame. */
export type Frame = { [Name in MessageName]: { readonly name: Name; readonly fields: FieldsOf<Name> } }[MessageName];

/** Every length and count is a u32. */
export const LENGTH_BYTES = 4;
/** Weight of the upper half of a U64. */
export const HIGH = 0x1_0000_0000;

/** Fields of every message in wire order. */
export const tables = Object.fromEntries(
  Object.entries(messages).map(([name, { fields }]) => [name, Object.entries(fields)]),
) as unknown as Record<MessageName, readonly (readonly [string, WireType])[]>;

const fixedSizes: Partial<Record<WireType, number>> = { U8: 1, U32: 4, I32: 4, U64: 8 };

function sizeOf(type: WireType, value: unknown): number {
  const fixed = fixedSizes[type];
  if (fixed !== undefined) return fixed;
  if (type === 'STR') return LENGTH_BYTES + Buffer.byteLength(value as string);
  if (type === 'BYTES') return LENGTH_BYTES + (value as Uint8Array).length;
  if (type === 'U64S') return LENGTH_BYTES + 8 * (value as readonly number[]).length;
  let size = LENGTH_BYTES;
  if (type === 'STRS') for (const text of value as readonly string[]) size += LENGTH_BYTES + Buffer.byteLength(text);
  if (type === 'FILES') {
    for (const file of value as readonly SandboxFile[])
      size += 2 * LENGTH_BYTES + 1 + Buffer.byteLength(file.path) + file.content.length;
  }
  return size;
}

function writeU64(buffer: Buffer, value: number, at: number): number {
  buffer.writeUInt32LE(value % HIGH, at);
  return buffer.writeUInt32LE(Math.floor(value / HIGH), at + 4);
}

function writeText(buffer: Buffer, text: string, at: number): number {
  const length = buffer.write(text, at + LENGTH_BYTES);
  buffer.writeUInt32LE(length, at);
  return at + LENGTH_BYTES + length;
}

function writeBytes(buffer: Buffer, bytes: Uint8Array, at: number): number {
  buffer.writeUInt32LE(bytes.length, at);
  buffer.set(bytes, at + LENGTH_BYTES);
  return at + LENGTH_BYTES + bytes.length;
}

function writeFile(buffer: Buffer, file: SandboxFile, at: number): number {
  const mode = writeText(buffer, file.path, at);
  return writeBytes(buffer, file.content, buffer.writeUInt8(file.isExecutable ? 1 : 0, mode));
}

function writeEach<Item>(
  buffer: Buffer,
  items: readonly Item[],
  at: number,
  write: (buffer: Buffer, item: Item, at: number) => number,
): number {
  let end = buffer.writeUInt32LE(items.length, at);
  for (const item of items) end = write(buffer, item, end);
  return end;
}

const writers: { [Type in WireType]: (buffer: Buffer, value: WireTypes[Type], at: number) => number } = {
  U8: (buffer, value, at) => buffer.writeUInt8(value, at),
  U32: (buffer, value, at) => buffer.writeUInt32LE(value, at),
  I32: (buffer, value, at) => buffer.writeInt32LE(value, at),
  U64: writeU64,
  STR: writeText,
  BYTES: writeBytes,
  STRS: (buffer, value, at) => writeEach(buffer, value, at, writeText),
  U64S: (buffer, value, at) => writeEach(buffer, value, at, writeU64),
  FILES: (buffer, value, at) => writeEach(buffer, value, at, writeFile),
};

/** One frame as bytes; throws a RangeError when it would be longer than FRAME_BYTES_MAX. */
export function encodeFrame<Name extends MessageName>(name: Name, fields: FieldsOf<Name>): Buffer {
  const table = tables[name];
  const values = fields as Readonly<Record<string, unknown>>;
  let length = 1;
  for (const [field, type] of table) length += sizeOf(type, values[field]);
  if (length > numbers.FRAME_BYTES_MAX)
    throw new RangeError(`a ${name} frame of ${length} bytes is longer than ${numbers.FRAME_BYTES_MAX}`);
  const buffer = Buffer.allocUnsafe(LENGTH_BYTES + length);
  let at = buffer.writeUInt8(messages[name].number, buffer.writeUInt32LE(length, 0));
  for (const [field, type] of table) at = writers[type](buffer, values[field] as never, at);
  return buffer;
}
