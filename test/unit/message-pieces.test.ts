/**
 * Owns the proof that long texts travel in pieces and come out as they were: whole characters, in order, within the protocol's bound.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import { MessageCutter, MessageJoiner } from '../../shared/protocol/message-pieces.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';
import { PIECE_LENGTH, textPieces } from '../../shared/text-pieces.ts';

/** Long, with characters of one to four bytes at every possible place of a cut. */
const long = (units: number) => 'aé€😀'.repeat(Math.ceil(units / 5)).slice(0, units);
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A cutter, and what it has written. */
function cut() {
  const written: { text: string; isPiece: boolean }[] = [];
  const cutter = new MessageCutter((text, isPiece) => void written.push({ text, isPiece }));
  return { cutter, written };
}

test('pieces together are the text, and each is one of UTF-8', () => {
  for (const lengthMax of [1, 2, 3, 4, 5, 7, 1000]) {
    const text = long(1003);
    const pieces = [...textPieces(text, lengthMax)];
    assert.equal(pieces.join(''), text);
    for (const piece of pieces) {
      assert.ok(piece.length >= 1 && piece.length <= lengthMax + 1);
      assert.equal(Buffer.from(piece).toString(), piece);
    }
  }
  assert.deepEqual([...textPieces('')], []);
  assert.equal([...textPieces('\ud83d'.repeat(10), 3)].join(''), '\ud83d'.repeat(10));
});

test('the digest of a long text is that of its bytes', () => {
  for (const text of ['', 'short', long(65_536), long(300_001), `${'x'.repeat(65_535)}😀`, '\ud83d'.repeat(70_000)]) {
    assert.equal(digestOf(text), `sha256:${createHash('sha256').update(Buffer.from(text)).digest('hex')}`);
  }
});

test('a long message takes a turn for each piece; what is sent meanwhile comes after it', async () => {
  const { cutter, written } = cut();
  const text = long(3 * PIECE_LENGTH + 10);
  cutter.send('before', true);
  cutter.send(text, true);
  cutter.send('between', true);
  cutter.send(long(PIECE_LENGTH + 2), true);
  cutter.send('after', false);
  assert.deepEqual(
    written.map(({ isPiece }) => isPiece),
    [false, true],
    'one piece at once',
  );
  const joiner = new MessageJoiner();
  const arrived: string[] = [];
  for (let turns = 0; turns < 20; turns += 1) await turn();
  for (const { text: part, isPiece } of written) {
    const joined = isPiece ? joiner.add(part) : joiner.complete(part);
    if (typeof joined === 'object') arrived.push(joined.text);
  }
  assert.deepEqual(arrived, ['before', text, 'between', long(PIECE_LENGTH + 2), 'after']);
  assert.ok(written.every(({ text: part }) => part.length <= PIECE_LENGTH + 1));
});

test('whoever does not take pieces is told all at once', () => {
  const { cutter, written } = cut();
  cutter.send(long(2 * PIECE_LENGTH), false);
  assert.deepEqual(
    written.map(({ isPiece, text }) => [isPiece, text.length]),
    [[false, 2 * PIECE_LENGTH]],
  );
});

test('a connection that is gone is told no more pieces', async () => {
  const { cutter, written } = cut();
  cutter.send(long(4 * PIECE_LENGTH), true);
  cutter.end();
  cutter.send('later', true);
  await turn();
  await turn();
  assert.equal(written.length, 1);
});

test('pieces of more than a message may be are not kept', () => {
  const joiner = new MessageJoiner();
  const piece = 'x'.repeat(2 ** 24);
  let added = 0;
  while (joiner.add(piece) === 'unfinished') added += piece.length;
  assert.equal(added, Math.floor(MESSAGE_BYTES_MAX / piece.length) * piece.length);
  assert.deepEqual(joiner.complete('{}'), { text: '{}' });
  for (let sent = 0; sent + piece.length <= MESSAGE_BYTES_MAX; sent += piece.length) joiner.add(piece);
  assert.equal(joiner.complete(piece), 'too long');
});
