/**
 * Owns the proof that every message survives the wire, however its bytes are cut.
 * Never needs a launcher: encoder and decoder face each other.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messages, numbers } from '../../shared/sandbox/contract.ts';
import { FrameDecoder } from '../../shared/sandbox/frame-decoder.ts';
import { encodeFrame, type Frame, type MessageName, type WireType } from '../../shared/sandbox/frames.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => value.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));
const u64 = fc.nat({ max: Number.MAX_SAFE_INTEGER });

const arbitraries: Record<WireType, fc.Arbitrary<unknown>> = {
  U8: fc.nat({ max: 255 }),
  U32: fc.nat({ max: 0xffff_ffff }),
  I32: fc.integer(),
  U64: u64,
  STR: text,
  BYTES: bytes,
  STRS: fc.array(text, { maxLength: 6 }),
  U64S: fc.array(u64, { maxLength: 6 }),
  FILES: fc.array(fc.record({ path: text, isExecutable: fc.boolean(), content: bytes }), { maxLength: 4 }),
};

const frame: fc.Arbitrary<Frame> = fc.constantFrom(...(Object.keys(messages) as MessageName[])).chain((name) => {
  const fields = Object.entries(messages[name].fields).map(([field, type]) => [field, arbitraries[type as WireType]]);
  return fc.record(Object.fromEntries(fields)).map((values) => ({ name, fields: values }) as unknown as Frame);
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('frames come out as they went in, however the stream is cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, sizes) => {
    const stream = Buffer.concat(frames.map(({ name, fields }) => encodeFrame(name, fields as never)));
    const received: unknown[] = [];
    const decoder = new FrameDecoder((decoded) => received.push(plain(decoded)));
    // One buffer is used again and again, as the connection does.
    const reused = Buffer.alloc(70);
    for (let at = 0, turn = 0; at < stream.length; turn++) {
      const taken = stream.copy(reused, 0, at, at + (sizes[turn % sizes.length] ?? 1));
      decoder.push(reused.subarray(0, taken));
      at += taken;
    }
    assert.deepEqual(received, plain(frames));
  });
  fc.assert(property, { numRuns: 400 });
});

test('joined frames in one chunk come out one by one', () => {
  const received: Frame[] = [];
  const decoder = new FrameDecoder((decoded) => received.push(decoded));
  decoder.push(Buffer.concat([1, 2, 3].map((launch) => encodeFrame('KILL', { launch }))));
  assert.deepEqual(
    received.map(({ fields }) => fields),
    [{ launch: 1 }, { launch: 2 }, { launch: 3 }],
  );
});

const refused: readonly [string, Buffer][] = [
  ['longer than allowed', Buffer.from([...u32(numbers.FRAME_BYTES_MAX + 1), 4])],
  ['of no bytes', Buffer.from(u32(0))],
  ['of an unknown message', Buffer.from([...u32(1), 200])],
  ['shorter than its fields', Buffer.from([...u32(3), messages.KILL.number, 0, 0])],
  ['longer than its fields', Buffer.from([...u32(10), messages.KILL.number, ...new Array(9).fill(0)])],
  ['whose text ends after it', Buffer.from([...u32(9 + 4), messages.LAYER_REMOVE.number, ...u64Zero(), ...u32(5)])],
  ['whose list promises too much', Buffer.from([...u32(13), messages.LAYERS.number, ...u64Zero(), ...u32(1e9)])],
];

for (const [what, stream] of refused) {
  test(`a frame ${what} is refused, whole or byte by byte`, () => {
    const ignore = (): void => undefined;
    assert.throws(() => new FrameDecoder(ignore).push(stream), RangeError);
    const decoder = new FrameDecoder(ignore);
    assert.throws(() => {
      for (const byte of stream) decoder.push(Buffer.from([byte]));
    }, RangeError);
  });
}

test('a frame that would be too long is not encoded', () => {
  const data = { length: numbers.FRAME_BYTES_MAX } as Uint8Array;
  assert.throws(() => encodeFrame('STDIN', { launch: 1, last: 0, data }), /STDIN frame of \d+ bytes is longer/);
});

function u32(value: number): number[] {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return [...buffer];
}

function u64Zero(): number[] {
  return new Array<number>(8).fill(0);
}
