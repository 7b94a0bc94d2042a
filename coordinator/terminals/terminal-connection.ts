/**
 * Owns one client's connection to a terminal: what it says becomes keys and wishes, what it has read is known by its pongs. Never imports ws.
 * Invariants: how far a client is, its own library answers, whatever it is written in: a pong says that everything before its ping has arrived; who
 * says nothing for three beats is gone; nothing a client says is kept beyond a message above what its terminal wants.
 * While no input is wanted nothing of the client is read, pongs neither: then what the kernel has taken counts as read, so that both directions can't
 * wait for each other.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Clock, Timer } from '../../shared/clock.ts';
import {
  type TerminalAnswer,
  type TerminalClosing,
  TerminalRequest,
  terminalCloseCodes,
} from '../../shared/model/terminal.ts';
import type { Terminal, TerminalClient } from './terminal.ts';

/** The connection as it is used here. */
export interface TerminalSocket {
  sendText(text: string): void;
  /** `taken`: the kernel has it. */
  sendBytes(bytes: Buffer, taken: () => void): void;
  ping(payload: string): void;
  /** Unless too much is unsent already. */
  pong(payload: Buffer): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
}

/** How often it is asked for a sign of life, and how many may be missed. */
const BEAT_MS = 15_000;
const SILENT_BEATS_MAX = 3;
/** After so much output, or so long after any, it is asked how far it is. */
const PING_BYTES = 16_384;
const PING_MS = 250;
const MESSAGES = { perSecond: 1000, burst: 5000 };

const isRequest = TypeCompiler.Compile(TerminalRequest);

/** See the head of this file. */
export class TerminalConnection implements TerminalClient {
  readonly #clock: Pick<Clock, 'after' | 'monotonicMs'>;
  readonly #socket: TerminalSocket;
  readonly #terminal: Terminal;
  #isClosed = false;
  #isPaused = false;
  #silentBeats = 0;
  #beat: Timer;
  #ping: Timer | null = null;
  /** Positions of output: sent, asked about, and taken by the kernel. */
  #sent = 0;
  #asked = 0;
  #flushed = 0;
  #budget = MESSAGES.burst;
  #budgetAtMs: number;

  constructor(clock: Pick<Clock, 'after' | 'monotonicMs'>, socket: TerminalSocket, terminal: Terminal) {
    this.#clock = clock;
    this.#socket = socket;
    this.#terminal = terminal;
    this.#budgetAtMs = clock.monotonicMs();
    this.#beat = this.#watch();
  }

  tell(answer: TerminalAnswer): void {
    if (this.#isClosed) return;
    if (answer.type === 'attached') this.#sent = this.#asked = this.#flushed = answer.position;
    this.#socket.sendText(JSON.stringify(answer));
  }

  output(bytes: Buffer, position: number): void {
    if (this.#isClosed) return;
    this.#sent = position;
    this.#socket.sendBytes(bytes, () => this.#hasFlushed(position));
    if (this.#sent - this.#asked >= PING_BYTES) this.#ask();
    else this.#ping ??= this.#clock.after(PING_MS, () => this.#ask());
  }

  #hasFlushed(position: number): void {
    this.#flushed = position;
    if (this.#isPaused && !this.#isClosed) this.#terminal.arrived(this, position);
  }

  #ask(): void {
    this.#ping?.cancel();
    this.#ping = null;
    if (this.#isClosed || this.#asked === this.#sent) return;
    this.#asked = this.#sent;
    this.#socket.ping(String(this.#sent));
  }

  wantInput(isWanted: boolean): void {
    if (this.#isClosed || this.#isPaused === !isWanted) return;
    this.#isPaused = !isWanted;
    this.#silentBeats = 0;
    if (isWanted) this.#socket.resume();
    else {
      this.#socket.pause();
      this.#terminal.arrived(this, this.#flushed);
    }
  }

  close(why: TerminalClosing): void {
    if (this.#isClosed) return;
    this.gone();
    this.#socket.resume();
    this.#socket.close(terminalCloseCodes[why], why);
  }

  /** A pong: everything before its ping has arrived. */
  ponged(payload: string): void {
    this.#silentBeats = 0;
    const position = /^\d{1,15}$/.test(payload) ? Number(payload) : 0;
    if (!this.#isClosed && position > 0 && position <= this.#asked) this.#terminal.arrived(this, position);
  }

  /** A ping: who asks without reading the answers is not answered for ever. */
  pinged(payload: Buffer): void {
    if (this.#isClosed) return;
    if (this.#mayGoOn()) this.#socket.pong(payload);
    else this.#refuseHaste();
  }

  /** A message. */
  received(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#silentBeats = 0;
    if (!this.#mayGoOn()) this.#refuseHaste();
    else if (isBinary) this.#terminal.type(this, data);
    else this.#hear(data.toString());
  }

  #hear(text: string): void {
    const said = parse(text);
    if (isRequest.Check(said)) this.#terminal.ask(this, said);
    else this.#refuse('messageInvalid', 'text is resize, signal or end as JSON; keys are binary: see docs/terminal.md');
  }

  #refuseHaste(): void {
    this.#refuse('tooFast', `at most ${MESSAGES.perSecond} messages a second are listened to`);
  }

  #refuse(why: TerminalClosing, detail: string): void {
    this.tell({ type: 'error', code: why, detail });
    this.close(why);
  }

  #mayGoOn(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#budgetAtMs) / 1000) * MESSAGES.perSecond;
    this.#budgetAtMs = nowMs;
    this.#budget = Math.min(MESSAGES.burst, this.#budget + earned) - 1;
    return this.#budget >= 0;
  }

  #watch(): Timer {
    return this.#clock.after(BEAT_MS, () => {
      if (this.#isClosed) return;
      if (!this.#isPaused && ++this.#silentBeats > SILENT_BEATS_MAX) {
        this.close('silent');
        return;
      }
      this.#socket.ping('');
      this.#beat = this.#watch();
    });
  }

  /** The socket is gone, or is about to be. Idempotent. */
  gone(): void {
    this.#isClosed = true;
    this.#beat.cancel();
    this.#ping?.cancel();
    this.#terminal.detach(this);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
