/**
 * Owns the input of a terminal that its agent has not taken: it is kept, sent a window at a time, and sent again to whoever asks from a position.
 * Never decides what becomes of a client that sends more. Invariant: the agent is never sent more than a window beyond what it has taken.
 */
import type { TerminalCommand } from '../../shared/protocol/terminal-flow.ts';

type Input = Extract<TerminalCommand, { kind: 'input' }>;

/** So much of it goes into one message; bytes. */
const PIECE_BYTES_MAX = 32_768;

/** See the head of this file. */
export class InputWindow {
  readonly #windowBytes: number;
  readonly #send: (input: Input) => void;
  #kept: Buffer[] = [];
  #taken = 0;
  #sent = 0;
  #end = 0;
  #isLast = false;
  #isLastSent = false;
  #isOpen = false;

  constructor(windowBytes: number, send: (input: Input) => void) {
    this.#windowBytes = windowBytes;
    this.#send = send;
  }

  /** Bytes that are kept. */
  get heldBytes(): number {
    return this.#end - this.#taken;
  }

  /** Has an agent got any of it? That is not kept. */
  get hasBeenTaken(): boolean {
    return this.#taken > 0;
  }

  add(bytes: Buffer): void {
    if (this.#isLast || bytes.length === 0) return;
    this.#kept.push(bytes);
    this.#end += bytes.length;
    this.#pump();
  }

  /** Nothing more will come. Idempotent. */
  finish(): void {
    this.#isLast = true;
    this.#pump();
  }

  /** The agent has taken what is before this position. */
  took(position: number): void {
    this.#drop(Math.min(position, this.#end));
    this.#pump();
  }

  /** An agent wants it from this position on. */
  open(position: number): void {
    if (position < this.#taken || position > this.#end) return;
    this.#isOpen = true;
    this.#isLastSent = false;
    this.#sent = position;
    this.#pump();
  }

  /** There is nobody to send it to. */
  shut(): void {
    this.#isOpen = false;
  }

  #drop(position: number): void {
    while (this.#taken < position) {
      const first = this.#kept[0] as Buffer;
      const count = Math.min(first.length, position - this.#taken);
      if (count === first.length) this.#kept.shift();
      else this.#kept[0] = first.subarray(count);
      this.#taken += count;
    }
    this.#sent = Math.max(this.#sent, this.#taken);
  }

  #pump(): void {
    if (!this.#isOpen) return;
    const until = Math.min(this.#end, this.#taken + this.#windowBytes);
    while (this.#sent < until) {
      const piece = this.#read(this.#sent, Math.min(PIECE_BYTES_MAX, until - this.#sent));
      this.#tell(piece);
    }
    if (this.#isLast && !this.#isLastSent && this.#sent === this.#end) this.#tell(Buffer.alloc(0));
  }

  #tell(piece: Buffer): void {
    const position = this.#sent;
    this.#sent += piece.length;
    const isLast = this.#isLast && this.#sent === this.#end;
    this.#isLastSent ||= isLast;
    this.#send({ kind: 'input', position, data: piece.toString('base64'), isLast });
  }

  #read(position: number, count: number): Buffer {
    let at = this.#taken;
    const pieces: Buffer[] = [];
    for (const bytes of this.#kept) {
      const from = Math.max(0, position - at);
      const until = Math.min(bytes.length, position + count - at);
      if (from < until) pieces.push(bytes.subarray(from, until));
      at += bytes.length;
      if (at >= position + count) break;
    }
    return Buffer.concat(pieces);
  }
}
