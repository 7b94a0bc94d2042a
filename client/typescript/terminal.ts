/**
 * Owns a terminal as a client has it: output as it comes, typing, its size, its end, over as many connections as it takes. Never draws.
 * Invariants: output comes once and in order, however often the connection breaks; what nobody reads is bounded: then the connection is given up until
 * somebody does, and the program waits at the server.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { TerminalAnswer, TerminalExit, TerminalRequest, TerminalSignal } from '../../shared/model/terminal.ts';
import { Leash } from './clock.ts';
import { EnvicutorError } from './envicutor-error.ts';
import { toReportBytes } from './output-bytes.ts';
import { OutputQueue } from './output-queue.ts';
import { TerminalSocket, toFinalError, type WebSocketMaker } from './terminal-socket.ts';
import { ANSWER_MS_MAX, type Transport, toJson } from './transport.ts';

/** How to attach. */
export interface TerminalOptions {
  /** Go on behind so many bytes of output; default 0: everything that is remembered comes first. */
  readonly position?: number;
  /** Hears what is told beside output: `attached`, `stage`, `started`, `exit`, `error`. */
  readonly onTold?: (answer: TerminalAnswer) => void;
  /** Ends the attachment, as close() does; the execution goes on until the server cancels what nobody attends to. */
  readonly signal?: AbortSignal | undefined;
}

/** Of output that came and was not read. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** Of what was typed while there was no connection. */
const TYPED_BYTES_MAX = 64 * 1024;
/** Of what was typed and the server does not take. */
const UNSENT_BYTES_MAX = 1024 * 1024;
const MESSAGE_BYTES_MAX = 64 * 1024;

const encoder = new TextEncoder();

/** Attaches; resolves when the server says where the output is. */
export async function attach(
  transport: Transport,
  maker: WebSocketMaker | null,
  executionId: string,
  options: TerminalOptions,
): Promise<Terminal> {
  if (maker === null) throw new EnvicutorError('terminal-unfit', 'there is no WebSocket here: pass one to the client');
  const terminal = new Terminal(transport, maker, executionId, options);
  await terminal.attached;
  return terminal;
}

/** Somebody's place at a terminal. */
export class Terminal implements AsyncIterable<Uint8Array> {
  readonly executionId: string;
  /** Resolves when it was attached to for the first time. */
  readonly attached: Promise<void>;
  /** How the execution ended; rejects when the attachment ends before. */
  readonly exit: Promise<TerminalExit>;
  readonly #transport: Transport;
  readonly #maker: WebSocketMaker;
  readonly #options: TerminalOptions;
  readonly #output = new OutputQueue(UNREAD_BYTES_MAX);
  readonly #leash: Leash;
  #position: number;
  #socket: TerminalSocket | null = null;
  /** Of those that may be typed into. */
  #open: TerminalSocket | null = null;
  #typed: (string | Uint8Array<ArrayBuffer>)[] = [];
  #typedBytes = 0;
  #exit: TerminalExit | null = null;
  #noteAttached: () => void = () => undefined;

  /** See attach(). */
  constructor(transport: Transport, maker: WebSocketMaker, executionId: string, options: TerminalOptions) {
    this.executionId = executionId;
    this.#transport = transport;
    this.#maker = maker;
    this.#options = options;
    this.#position = options.position ?? 0;
    this.#leash = new Leash(transport.clock, transport.signals(options.signal));
    this.exit = this.#run().finally(() => this.#leash.release());
    this.attached = new Promise((resolve, reject) => {
      this.#noteAttached = resolve;
      this.exit.then(() => resolve(), reject);
    });
    // Whoever waits for neither hears of it by the output.
    this.attached.catch(() => undefined);
    this.exit.then(
      () => this.#output.end(),
      (error: unknown) => (isClosedHere(error) ? this.#output.end() : this.#output.fail(error)),
    );
  }

  /** Bytes of output that came, as the server counts them. */
  get position(): number {
    return this.#position;
  }

  /** The output, once; whoever leaves the loop closes the attachment. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#output.pieces();
    } finally {
      this.close();
    }
  }

  /** Types; what is typed just when a connection breaks may be lost, which the echo shows. Throws `terminal-input-full`. */
  write(data: string | Uint8Array<ArrayBuffer>): void {
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length; at += MESSAGE_BYTES_MAX) this.#send(bytes.slice(at, at + MESSAGE_BYTES_MAX));
  }

  resize(rows: number, columns: number): void {
    this.#ask({ type: 'resize', rows, columns });
  }

  /** To the foreground processes. */
  signal(signal: TerminalSignal): void {
    this.#ask({ type: 'signal', signal });
  }

  /** Nothing more is typed. */
  end(): void {
    this.#ask({ type: 'end' });
  }

  /** Goes away; the execution is not cancelled by it. */
  close(): void {
    this.#leash.pull(new EnvicutorError('terminal-closed', 'the attachment was closed here'));
  }

  #ask(request: TerminalRequest): void {
    this.#send(JSON.stringify(request));
  }

  #send(message: string | Uint8Array<ArrayBuffer>): void {
    const socket = this.#open;
    const held = socket === null ? this.#typedBytes : socket.unsentBytes;
    if (held + message.length > (socket === null ? TYPED_BYTES_MAX : UNSENT_BYTES_MAX))
      throw new EnvicutorError('terminal-input-full', `${held} bytes that were typed are not taken yet`);
    if (socket !== null) {
      socket.send(message);
      return;
    }
    this.#typed.push(message);
    this.#typedBytes += message.length;
  }

  async #run(): Promise<TerminalExit> {
    const trouble = this.#transport.trouble();
    const signals = [this.#leash.signal];
    for (;;) {
      try {
        const error = await this.#attachOnce(() => trouble.end());
        if (this.#exit !== null) return this.#exit;
        // Given up by us: the next connection is opened when there is room.
        if (!this.#output.isFull) throw error;
        await this.#output.drained(signals);
      } catch (error) {
        this.#leash.signal.throwIfAborted();
        const ended = await this.#findEnd(error);
        if (ended !== null) return ended;
        await trouble.wait(error, signals);
      }
    }
  }

  /** One connection, to its end; the error that it ended with. */
  async #attachOnce(wentWell: () => void): Promise<EnvicutorError> {
    const { signal } = this.#leash;
    signal.throwIfAborted();
    const path = `/v1/executions/${encodeURIComponent(this.executionId)}/terminal`;
    const { ticket } = await this.#transport.ask<{ readonly ticket: string }>({
      ...{ method: 'POST', path: `${path}-ticket`, body: toJson({}), isRepeated: () => true, signal },
    });
    const url = `${this.#transport.url.replace(/^http/, 'ws')}${path}?position=${this.#position}`;
    const silence = this.#transport.clock.after(ANSWER_MS_MAX, () => socket.close());
    const socket: TerminalSocket = new TerminalSocket(this.#maker, url, ticket, {
      bytes: (bytes) => this.#took(bytes, socket),
      text: (text) => {
        silence.cancel();
        wentWell();
        this.#told(text, socket);
      },
    });
    this.#socket = socket;
    const leave = () => socket.close();
    signal.addEventListener('abort', leave);
    const closing = await socket.closed;
    signal.removeEventListener('abort', leave);
    silence.cancel();
    this.#socket = null;
    this.#open = null;
    signal.throwIfAborted();
    const final = toFinalError(closing);
    if (final !== null) throw final;
    return new EnvicutorError('connection-failed', `the terminal's connection was closed (${closing.code})`);
  }

  #took(bytes: Uint8Array<ArrayBuffer>, socket: TerminalSocket): void {
    // What comes over a connection that was given up comes again.
    if (this.#socket !== socket || this.#output.isFull) return;
    this.#position += bytes.length;
    this.#output.push(bytes);
    if (this.#output.isFull) socket.close();
  }

  #told(text: string, socket: TerminalSocket): void {
    if (this.#socket !== socket || this.#output.isFull) return;
    const answer = JSON.parse(text) as TerminalAnswer;
    if (answer.type === 'attached') {
      this.#position = answer.position;
      this.#open = socket;
      const typed = this.#typed;
      this.#typed = [];
      this.#typedBytes = 0;
      for (const message of typed) socket.send(message);
      this.#noteAttached();
    }
    if (answer.type === 'exit') {
      const { type: _, ...exit } = answer;
      this.#exit = exit;
    }
    this.#options.onTold?.(answer);
  }

  /** What is over while nobody is attached can't be attached to any more: its answer has all of its output, and how it ended. */
  async #findEnd(error: unknown): Promise<TerminalExit | null> {
    if (!(error instanceof EnvicutorError && error.code === 'conflict')) return null;
    const path = `/v1/executions/${encodeURIComponent(this.executionId)}`;
    const execution = await this.#transport.ask<Execution>({ method: 'GET', path, signal: this.#leash.signal });
    if (execution.finishedAt === null) return null;
    const { stage, verdict, endedIn, failure, run } = execution;
    const rest = run === null ? new Uint8Array() : toReportBytes(run, 'stdout').subarray(this.#position);
    this.#position += rest.length;
    this.#output.push(rest);
    const { exitCode = null, signal: killedBy = null } = run ?? {};
    const exit = { stage, verdict, endedIn, failure, exitCode, signal: killedBy };
    this.#options.onTold?.({ type: 'exit', ...exit });
    return exit;
  }
}

const isClosedHere = (error: unknown) => error instanceof EnvicutorError && error.code === 'terminal-closed';
