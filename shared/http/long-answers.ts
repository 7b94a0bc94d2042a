/**
 * Owns that a long answer leaves in pieces, a turn of the event loop for each, at the pace of its reader: whoever else is served meanwhile does not wait
 * for all of it, and it is not there twice, as what it says and as its text. Never touches what is a stream already.
 */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { textLengthOf } from '../text-length.ts';
import { textPieces } from '../text-pieces.ts';

/** An answer of so many UTF-16 code units is one piece; of what is written at once Node makes up to three times as many bytes. */
const ANSWER_PIECE_LENGTH = 131_072;
/** What has so much text in it is put into a long answer part by part. */
const LONG_TEXT_LENGTH = 4096;

/** An answer whose JSON is made while it leaves. */
export class LongAnswer {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  /** All of it. */
  text(): string {
    return JSON.stringify(this.#value);
  }

  /** All of it, in order. */
  pieces(): Generator<string, void, undefined> {
    return jsonPieces(this.#value);
  }
}

/** The JSON of a value that came from JSON, as JSON.stringify would write it. */
function* jsonPieces(value: unknown): Generator<string, void, undefined> {
  if (textLengthOf(value) < LONG_TEXT_LENGTH) yield JSON.stringify(value) ?? 'null';
  else if (typeof value === 'string') {
    yield '"';
    for (const piece of textPieces(value, ANSWER_PIECE_LENGTH)) yield JSON.stringify(piece).slice(1, -1);
    yield '"';
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield index === 0 ? '[' : ',';
      yield* jsonPieces(item);
    }
    yield ']';
  } else {
    const members = Object.entries(value as object).filter(([, member]) => member !== undefined);
    for (const [index, [name, member]] of members.entries()) {
      yield `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`;
      yield* jsonPieces(member);
    }
    yield '}';
  }
}

/** An answer as JSON, at once or, when it is long, later. */
export function toAnswerText(answer: unknown): string | LongAnswer {
  return textLengthOf(answer) > ANSWER_PIECE_LENGTH ? new LongAnswer(answer) : JSON.stringify(answer);
}

/** Cuts every long answer of a server; after whoever wants to see answers as they were given, before the server's routes are added. */
export function cutLongAnswers(server: Pick<FastifyInstance, 'addHook'>): void {
  server.addHook('onSend', (request, reply, payload: unknown, done) => {
    const isHead = request.method === 'HEAD';
    if (payload instanceof LongAnswer) {
      done(null, isHead ? payload.text() : Readable.from(inTurns(payload.pieces())));
    } else if (typeof payload === 'string' && payload.length > ANSWER_PIECE_LENGTH && !isHead) {
      reply.header('content-length', Buffer.byteLength(payload));
      done(null, Readable.from(inTurns(textPieces(payload, ANSWER_PIECE_LENGTH))));
    } else done(null, payload);
  });
}

/** Short pieces together, each in a turn of its own. */
async function* inTurns(pieces: Iterable<string>): AsyncGenerator<string, void, undefined> {
  let together = '';
  for (const piece of pieces) {
    together += piece;
    if (together.length < ANSWER_PIECE_LENGTH / 2) continue;
    yield together;
    together = '';
    await nextTurn();
  }
  if (together !== '') yield together;
}
