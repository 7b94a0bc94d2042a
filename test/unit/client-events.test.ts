/**
 * Owns the proof that the client reads server-sent events as they were meant: in whatever pieces they come, by any end of line, and never more than its bound.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isEnvicutorError } from '../../client/typescript/client.ts';
import { EventParser, type StreamedEvent } from '../../client/typescript/event-parser.ts';

const encoder = new TextEncoder();

function read(pieces: readonly Uint8Array[], charactersMax?: number): StreamedEvent[] {
  const parser = new EventParser(charactersMax);
  return pieces.flatMap((piece) => parser.take(piece));
}

const readText = (text: string): StreamedEvent[] => read([encoder.encode(text)]);

/** The bytes cut at these places, of any number and order. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

/** A text that the data of an event can carry: no end of line but a line feed. */
const Data = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\r', ' '));
const Word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => text.replace(/[\r\n\0]/g, '_'));
const Sent = fc.record({ name: fc.option(Word), data: Data, id: fc.option(Word), comment: fc.option(Word) });

test('what was sent is what is read, cut anywhere, with any end of line, comments and a mark at the beginning', () => {
  const Ends = fc.constantFrom('\n', '\r\n', '\r');
  const Places = fc.array(fc.nat(), { maxLength: 30 });
  fc.assert(
    fc.property(fc.array(Sent, { maxLength: 6 }), Ends, Places, fc.boolean(), (sent, end, places, isMarked) => {
      let text = '';
      let last = '';
      const expected = sent.map(({ name, data, id, comment }) => {
        const lines = data.split('\n').map((line) => `data: ${line}`);
        if (comment !== null) lines.splice(lines.length >> 1, 0, `:${comment}`);
        if (name !== null) lines.unshift(`event: ${name}`);
        if (id !== null) lines.push(`id: ${id}`);
        text += [...lines, '', ''].join(end);
        last = id ?? last;
        return { name: name ?? 'message', data, id: last };
      });
      const bytes = encoder.encode((isMarked ? '\u{feff}' : '') + text);
      assert.deepEqual(read(cut(bytes, places)), expected);
    }),
  );
});

test('whatever bytes come, in pieces they are read as they are whole', () => {
  const Noise = fc.array(
    fc.constantFrom('\r', '\n', 'data', ':', ' ', 'id', 'event', 'retry: 1', '\u{feff}', 'ü', '😀', '\0'),
  );
  fc.assert(
    fc.property(Noise, fc.array(fc.nat(), { maxLength: 20 }), (words, places) => {
      const bytes = encoder.encode(words.join(''));
      assert.deepEqual(read(cut(bytes, places)), read([bytes]));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(), { maxLength: 9 }), (bytes, places) => {
      assert.deepEqual(read(cut(bytes, places)), read([bytes]));
    }),
  );
});

test('the rules of the form: one space is cut, fields without a colon are empty, nothing without data is an event, an id stays', () => {
  assert.deepEqual(readText('data:  two\ndata\ndata:x\n\n'), [{ name: 'message', data: ' two\n\nx', id: '' }]);
  assert.deepEqual(readText('id: 4\nevent: a\n\ndata: b\n\n'), [{ name: 'message', data: 'b', id: '4' }]);
  assert.deepEqual(readText('id: 4\n\nid: no\0ne\ndata: b\n\n'), [{ name: 'message', data: 'b', id: '4' }]);
  assert.deepEqual(readText('data: never ended'), []);
  assert.deepEqual(readText('data: never ended\n'), []);
});

test('an event above the bound is an error and no event; comments and what was read before weigh nothing', () => {
  const small = 'data: 0123456789\n\n';
  assert.equal(read([encoder.encode(small.repeat(50))], 20).length, 50);
  assert.equal(read([encoder.encode(`${': a comment\n'.repeat(50)}${small}`)], 40).length, 1);
  for (const text of [`data: ${'x'.repeat(40)}`, 'data: x\n'.repeat(9), `:${'x'.repeat(60)}`, 'id: 1\n'.repeat(9)])
    assert.throws(
      () => read([encoder.encode(text)], 40),
      (error) => isEnvicutorError(error, 'answer-too-large'),
      text,
    );
});

test('many short lines in one piece cost no more than long ones', () => {
  const before = process.cpuUsage();
  const lines = encoder.encode('\n'.repeat(2_000_000));
  assert.deepEqual(read([lines]), []);
  assert.ok(process.cpuUsage(before).user < 4_000_000);
});
