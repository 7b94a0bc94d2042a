/**
 * Owns how a message travels that is too long to be read in one turn of the event loop: pieces of its text as binary messages, in order, and the rest as a
 * text message, which completes it. Never decides whether the other side takes pieces (`message.pieces`), and never reads a message.
 * Invariants: messages arrive in the order in which they were given, long and short; of an unfinished one there is never more than the protocol's largest.
 */
import { PIECE_LENGTH, textPieces } from '../text-pieces.ts';
import { MESSAGE_BYTES_MAX } from './version.ts';

/** Sends a text over a connection: as a piece, or as a whole message or the rest of one. */
export type PieceWriter = (text: string, isPiece: boolean) => void;

/** One connection's messages on their way out. */
export class MessageCutter {
  readonly #write: PieceWriter;
  readonly #waiting: { readonly text: string; readonly mayCut: boolean }[] = [];
  #isEnded = false;

  constructor(write: PieceWriter) {
    this.#write = write;
  }

  /** Sends a message; one that is long and may be cut takes a turn for each piece, and those that come after it wait for it. */
  send(text: string, mayCut: boolean): void {
    if (this.#isEnded) return;
    this.#waiting.push({ text, mayCut });
    // Else whoever sends the one before goes on with this.
    if (this.#waiting.length === 1) this.#sendWaiting();
  }

  /** Sends nothing any more, what was not sent yet neither: there is nobody to send it to. */
  end(): void {
    this.#isEnded = true;
    this.#waiting.length = 0;
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (isCut(next)) {
        this.#sendCut(textPieces(next.text));
        return;
      }
      this.#waiting.shift();
      this.#write(next.text, false);
    }
  }

  #sendCut(pieces: Iterator<string, void>): void {
    let piece = pieces.next();
    const sendNext = (): void => {
      if (this.#isEnded || piece.done === true) return;
      const text = piece.value;
      piece = pieces.next();
      if (piece.done !== true) {
        this.#write(text, true);
        setImmediate(sendNext);
        return;
      }
      this.#write(text, false);
      this.#waiting.shift();
      this.#sendWaiting();
    };
    sendNext();
  }
}

function isCut({ text, mayCut }: { readonly text: string; readonly mayCut: boolean }): boolean {
  return mayCut && text.length > PIECE_LENGTH;
}

/** What there is after a piece, or the rest: a whole message, a part of one, or more than a message may be. */
export type Joined = { readonly text: string } | 'unfinished' | 'too long';

/** One connection's messages on their way in. */
export class MessageJoiner {
  readonly #pieces: string[] = [];
  #length = 0;

  /** Takes a piece of a message. */
  add(piece: string): Exclude<Joined, object> {
    if (piece === '') return 'unfinished';
    this.#length += piece.length;
    if (this.#length > MESSAGE_BYTES_MAX) {
      this.#forget();
      return 'too long';
    }
    this.#pieces.push(piece);
    return 'unfinished';
  }

  /** Takes a whole message, or what was missing of one. */
  complete(rest: string): Exclude<Joined, 'unfinished'> {
    if (this.#length === 0) return { text: rest };
    if (this.add(rest) === 'too long') return 'too long';
    const text = this.#pieces.join('');
    this.#forget();
    return { text };
  }

  #forget(): void {
    this.#pieces.length = 0;
    this.#length = 0;
  }
}
