/**
 * Owns the proof that the DNS stub answers plain queries as specified and drops everything else.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { answerQuery } from '../../coordinator/egress/names.ts';

function query(
  name: string,
  type: number,
  options: { flags?: number; extra?: Buffer; additional?: number } = {},
): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0xbeef, 0);
  header.writeUInt16BE(options.flags ?? 0x0100, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(options.additional ?? 0, 10);
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  return Buffer.concat([header, ...labels, Buffer.of(0, 0, type, 0, 1), options.extra ?? Buffer.alloc(0)]);
}

test('every A question is answered with the one address', () => {
  const answer = answerQuery(query('registry.example.org', 1), '198.18.0.1');
  assert.ok(answer);
  assert.equal(answer.readUInt16BE(0), 0xbeef);
  assert.equal(answer.readUInt16BE(2), 0x8180);
  assert.equal(answer.readUInt16BE(6), 1);
  assert.deepEqual([...answer.subarray(-6)], [0, 4, 198, 18, 0, 1]);
});

test('every other question is answered with nothing, and no error', () => {
  for (const type of [28, 2, 5, 12, 15, 16, 33, 65, 255]) {
    const answer = answerQuery(query('registry.example.org', type), '198.18.0.1');
    assert.ok(answer);
    assert.equal(answer.readUInt16BE(2) & 0x000f, 0);
    assert.equal(answer.readUInt16BE(6), 0);
  }
});

test('an EDNS record is tolerated', () => {
  const option = Buffer.from([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
  const answer = answerQuery(query('a.example', 1, { extra: option, additional: 1 }), '198.18.0.1');
  assert.equal(answer?.readUInt16BE(10), 0);
});

test('answers, other operations, several questions and compressed names are dropped', () => {
  const many = query('a.example', 1);
  many.writeUInt16BE(2, 4);
  const pointer = query('a.example', 1);
  pointer[12] = 0xc0;
  for (const bad of [query('a.example', 1, { flags: 0x8180 }), query('a.example', 1, { flags: 0x2800 }), many, pointer])
    assert.equal(answerQuery(bad, '198.18.0.1'), null);
});

test('whatever arrives, nothing is thrown and an answer is a little longer than its question at most', () => {
  const mutated = fc.tuple(fc.nat(40), fc.nat(255)).map(([at, value]) => {
    const bytes = query('registry.example.org', 1);
    bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
        mutated,
      ),
      (bytes) => {
        const answer = answerQuery(bytes, '198.18.0.1');
        assert.ok(answer === null || answer.length <= bytes.length + 16);
      },
    ),
    { numRuns: 2000 },
  );
});
