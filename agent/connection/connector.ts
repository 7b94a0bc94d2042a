/**
 * Owns the WebSocket to the coordinator: the only importer of ws here. Dials, dials again with full-jitter back-off, another one when there are
 * several, notices silence. Never reads a message. Invariants: at most one socket is open or being opened, and its owner hears `closed` once for
 * each `opened`; once `stop` has resolved there is neither socket nor timer.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import { JoinedWrites } from '../../shared/protocol/joined-writes.ts';
import { MessageCutter, MessageJoiner } from '../../shared/protocol/message-pieces.ts';
import { closeCodes, MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';

/** An open connection. */
export interface Connection {
  /** `mayCut`: the coordinator takes a long message in pieces. */
  send(text: string, mayCut: boolean): void;
  close(code: number, reason: string): void;
}

/** Who uses the connections. */
export interface ConnectionOwner {
  dialling(): void;
  opened(connection: Connection): void;
  message(text: string): void;
  /** The connection, or the attempt, is over; `code` is the WebSocket's. */
  closed(code: number, reason: string): void;
}

/** Settings of a connector. */
export interface ConnectorOptions {
  /** Coordinators of which any will do; one is kept to until it can't be had. */
  readonly urls: readonly string[];
  /** By whom coordinators are known that serve over TLS, as PEM; absent: the usual authorities. */
  readonly ca?: string | undefined;
  /** The first attempt after a loss comes within this many milliseconds; the bound doubles up to `redialMaxMs`. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** A connection that says nothing for two of these is dropped, in milliseconds. */
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const ABNORMAL_CLOSE = 1006;
/** A coordinator that does not answer the closing handshake is not waited for longer. */
const CLOSE_MS_MAX = 1000;

/** Keeps one connection to the coordinator as long as it is started. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #owner: ConnectionOwner;
  #socket: WebSocket | null = null;
  #timer: Timer | null = null;
  #attempts = 0;
  #turn: number;
  #isStarted = false;
  #gone: PromiseWithResolvers<void> | null = null;

  constructor(options: ConnectorOptions, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#turn = Math.floor(options.random.next() * options.urls.length);
  }

  /** Dials; idempotent. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#dial();
  }

  /** Closes and stays closed; resolves when nothing of it is left. Idempotent. */
  async stop(code: number, reason: string): Promise<void> {
    this.#isStarted = false;
    this.#timer?.cancel();
    const socket = this.#socket;
    if (socket === null) return;
    this.#gone ??= Promise.withResolvers<void>();
    const { promise: gone } = this.#gone;
    socket.close(code, reason);
    const patience = this.#options.clock.after(CLOSE_MS_MAX, () => socket.terminate());
    await gone;
    patience.cancel();
  }

  /** The coordinator let us in: the next loss starts with a short wait again. */
  settled(): void {
    this.#attempts = 0;
  }

  /** The coordinator does not want us: the next attempt comes late. */
  discouraged(): void {
    this.#attempts = 30;
  }

  #dial(): void {
    this.#owner.dialling();
    const { urls, ca } = this.#options;
    const socket = new WebSocket(urls[this.#turn % urls.length] ?? '', {
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      handshakeTimeout: this.#options.heartbeatMs,
      skipUTF8Validation: true,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#socket = socket;
    let heartbeat: Timer | null = null;
    let why = '';
    let stream: Socket | null = null;
    socket.on('upgrade', (response) => {
      stream = response.socket;
    });
    socket.on('open', () => {
      heartbeat = this.#watch(socket);
      const joined = new JoinedWrites(stream);
      const cutter = new MessageCutter((text, isPiece) => {
        joined.begin();
        socket.send(text, { binary: isPiece });
      });
      socket.once('close', () => cutter.end());
      this.#owner.opened({
        send: (text, mayCut) => cutter.send(text, mayCut),
        close: (code, reason) => socket.close(code, reason),
      });
    });
    const pieces = new MessageJoiner();
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? pieces.add(String(data)) : pieces.complete(String(data));
      if (message === 'too long') socket.close(closeCodes.messageInvalid, 'a message in pieces is too long');
      else if (message !== 'unfinished') this.#owner.message(message.text);
    });
    socket.on('error', (error) => {
      why = error.message;
    });
    socket.on('close', (code, reason) => {
      heartbeat?.cancel();
      this.#socket = null;
      this.#owner.closed(code === 0 ? ABNORMAL_CLOSE : code, reason.toString() || why);
      this.#gone?.resolve();
      this.#gone = null;
      if (this.#isStarted) this.#redial();
    });
  }

  #redial(): void {
    const { redialMinMs, redialMaxMs, random, clock } = this.#options;
    const { length } = this.#options.urls;
    // All of them are tried before it is waited for longer.
    const bound = Math.min(redialMaxMs, redialMinMs * 2 ** Math.floor(this.#attempts / length));
    // The one that was lost is tried first: it may only be starting again.
    if (this.#attempts++ > 0) this.#turn++;
    this.#timer = clock.after(random.next() * bound, () => this.#dial());
  }

  #watch(socket: WebSocket): Timer {
    const { clock, heartbeatMs, logger } = this.#options;
    let isAlive = true;
    let timer: Timer;
    const heard = (): void => {
      isAlive = true;
    };
    socket.on('pong', heard);
    socket.on('message', heard);
    const beat = (): void => {
      if (!isAlive) {
        logger.warn({ heartbeatMs }, 'coordinator is silent');
        socket.terminate();
        return;
      }
      isAlive = false;
      socket.ping();
      timer = clock.after(heartbeatMs, beat);
    };
    timer = clock.after(heartbeatMs, beat);
    return { cancel: () => timer.cancel() };
  }
}
