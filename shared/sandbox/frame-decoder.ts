/**
 * Owns the way from received bytes, split or joined anyhow, to the launcher's frames.
 * Never holds more than one unfinished frame.
 * Invariant: an unknown message, a length outside 1..FRAME_BYTES_MAX, or fields that do not fill their frame exactly are refused.
 * Byte fields of a frame are views of the receive buffer: good during the call only.
 */
import { messages, numbers } from './contract.ts';
import { type Frame, HIGH, LENGTH_BYTES, type MessageName, tables, type WireType } from './frames.ts';

const namesByNumber: (MessageName | undefined)[] = [];
for (const [name, { number }] of Object.entries(messages)) namesByNumber[number] = name as MessageName;

/** Reads a frame's fields one after another; a read past the frame's end throws a RangeError. */
class FieldReader {
  readonly #buffer: Buffer;
  #at = 1;

  constructor(frame: Buffer) {
    this.#buffer = frame;
  }

  read(type: WireType): unknown {
    switch (type) {
      case 'U8':
        return this.#buffer.readUInt8(this.#take(1));
      case 'U32':
        return this.#u32();
      case 'I32':
        return this.#buffer.readInt32LE(this.#take(4));
      case 'U64':
        return this.#u64();
      case 'STR':
        return this.#text();
      case 'BYTES':
        return this.#bytes();
      case 'STRS':
        return this.#each(() => this.#text());
      case 'U64S':
        return this.#each(() => this.#u64());
      case 'FILES':
        return this.#each(() => ({ path: this.#text(), isExecutable: this.read('U8') === 1, content: this.#bytes() }));
    }
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#buffer.length) throw new RangeError('a field ends after its frame');
    this.#at = at + bytes;
    return at;
  }

  #u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  #u64(): number {
    const at = this.#take(8);
    return this.#buffer.readUInt32LE(at) + this.#buffer.readUInt32LE(at + 4) * HIGH;
  }

  #bytes(): Buffer {
    const length = this.#u32();
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  #text(): string {
    const length = this.#u32();
    const at = this.#take(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  #each<Item>(read: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.#u32(); left > 0; left--) items.push(read());
    return items;
  }
}

/** The frame in `content`, which is everything after the length; throws a RangeError for one that is not well formed. */
export function decodeFrame(content: Buffer): Frame {
  const name = namesByNumber[content[0] ?? 0];
  if (name === undefined) throw new RangeError(`there is no message ${content[0]}`);
  const reader = new FieldReader(content);
  const fields: Record<string, unknown> = {};
  for (const [field, type] of tables[name]) fields[field] = reader.read(type);
  if (!reader.isAtEnd) throw new RangeError(`a ${name} frame is longer than its fields`);
  return { name, fields } as unknown as Frame;
}

/** Turns received chunks into frames; holds at most one unfinished frame. */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #header = Buffer.alloc(LENGTH_BYTES);
  #headerBytes = 0;
  #content: Buffer | null = null;
  #contentBytes = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next chunk and calls back for every frame that it completes; throws a RangeError, after which nothing may follow. */
  push(chunk: Buffer): void {
    let at = this.#headerBytes === 0 ? 0 : this.#finish(chunk);
    while (chunk.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + checkedLength(chunk.readUInt32LE(at));
      if (end > chunk.length) break;
      this.#onFrame(decodeFrame(chunk.subarray(at + LENGTH_BYTES, end)));
      at = end;
    }
    if (at < chunk.length) this.#finish(chunk.subarray(at));
  }

  /** Feeds the unfinished frame and returns how many bytes of the chunk it took. */
  #finish(chunk: Buffer): number {
    let at = 0;
    if (this.#content === null) {
      at = chunk.copy(this.#header, this.#headerBytes);
      this.#headerBytes += at;
      if (this.#headerBytes < LENGTH_BYTES) return at;
      this.#content = Buffer.allocUnsafe(checkedLength(this.#header.readUInt32LE(0)));
    }
    const taken = chunk.copy(this.#content, this.#contentBytes, at);
    this.#contentBytes += taken;
    if (this.#contentBytes === this.#content.length) {
      const content = this.#content;
      this.#content = null;
      this.#contentBytes = 0;
      this.#headerBytes = 0;
      this.#onFrame(decodeFrame(content));
    }
    return at + taken;
  }
}

function checkedLength(length: number): number {
  if (length < 1 || length > numbers.FRAME_BYTES_MAX)
    throw new RangeError(`a frame of ${length} bytes is outside 1..${numbers.FRAME_BYTES_MAX}`);
  return length;
}
