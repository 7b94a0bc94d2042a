/**
 * Owns that a long answer leaves in pieces, a turn of the event loop for each, at the pace of its reader: whoever else is served meanwhile does not wait
 * for all of it, and it is not there twice, as text and as bytes. Never touches what is a stream already.
 */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { textPieces } from '../text-pieces.ts';

/** An answer of so many UTF-16 code units is one piece; of what is written at once Node makes up to three times as many bytes. */
const ANSWER_PIECE_LENGTH = 131_072;

/** Cuts every long answer of a server; after whoever wants to see answers as they were given, before the server's routes are added. */
export function cutLongAnswers(server: Pick<FastifyInstance, 'addHook'>): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload !== 'string' || payload.length <= ANSWER_PIECE_LENGTH || request.method === 'HEAD') {
      done(null, payload);
      return;
    }
    reply.header('content-length', Buffer.byteLength(payload));
    done(null, Readable.from(inTurns(textPieces(payload, ANSWER_PIECE_LENGTH))));
  });
}

async function* inTurns(pieces: Iterable<string>): AsyncGenerator<string, void, undefined> {
  for (const piece of pieces) {
    yield piece;
    await nextTurn();
  }
}
