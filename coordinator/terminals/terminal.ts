/**
 * Owns one interactive execution's terminal between its client and its agent: who is attached, what was typed and not taken, what was written and not
 * read, and how long nobody may be there. Never opens a socket (terminal-gateway) and never moves a stage.
 * Invariants: there is at most one client, the newest; a client that says where it was misses nothing and gets nothing twice as long as that is
 * remembered; a program whose client does not read is held back, and nobody else is.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import type { EventLog, LoggedEvent } from '../../shared/http/event-log.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Stage } from '../../shared/lifecycle/execution.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { TerminalAnswer, TerminalClosing, TerminalExit, TerminalRequest } from '../../shared/model/terminal.ts';
import type { TerminalCommand, TerminalNews, TerminalOrder } from '../../shared/protocol/terminal-flow.ts';
import { InputWindow } from './input-window.ts';
import { OutputScrollback } from './output-scrollback.ts';

/** A client as its terminal sees it. */
export interface TerminalClient {
  tell(answer: TerminalAnswer): void;
  /** Output; `position` is behind it, and to be given to `read` once it has arrived. */
  output(bytes: Buffer, position: number): void;
  /** Whether more input is wanted now; what comes nevertheless is kept. */
  wantInput(isWanted: boolean): void;
  close(why: TerminalClosing): void;
}

/** Who carries out what a terminal wants. */
export interface TerminalUser {
  command(command: TerminalCommand): void;
  /** Nobody has been there for too long. */
  unattended(cause: SystemError): void;
}

/** How long the program runs without a client; milliseconds. */
export interface TerminalOptions {
  /** Until the first one attaches. */
  readonly terminalWaitMsMax: number;
  /** After one has gone. */
  readonly terminalAwayMsMax: number;
}

/** Windows of both directions, and what is remembered of output that was read; bytes. */
const INPUT_BYTES_MAX = 65_536;
const OUTPUT_BYTES_MAX = 262_144;
const SCROLLBACK_BYTES_MAX = 262_144;
/** Sent to a client, and nobody knows whether it arrived; less than the scrollback, so that it can be sent again. */
const UNREAD_BYTES_MAX = 131_072;
const PIECE_BYTES_MAX = 32_768;
const TOLD_BYTES = OUTPUT_BYTES_MAX / 8;

/** See the head of this file. */
export class Terminal {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #id: ExecutionId;
  readonly #log: EventLog;
  /** Only input goes through here. */
  readonly #isPiped: boolean;
  readonly #output = new OutputScrollback();
  readonly #input: InputWindow;
  #size = { rows: 24, columns: 80 };
  #stage: Stage = 'queued';
  #user: TerminalUser | null = null;
  #options: TerminalOptions = { terminalWaitMsMax: 0, terminalAwayMsMax: 0 };
  #isStarted = false;
  #client: TerminalClient | null = null;
  #hadClient = false;
  /** Positions of output: sent to the client, known to have arrived at any client, and told to the agent. */
  #sent = 0;
  #read = 0;
  #acknowledged = 0;
  #told = 0;
  /** Something was lost on its way, and was asked for again. */
  #isRepeating = false;
  #ended: TerminalExit | null = null;
  #isGone = false;
  #timer: Timer | null = null;

  /** `isPiped`: the program has pipes, and its output is told by the log alone. */
  constructor(clock: Pick<Clock, 'after'>, id: ExecutionId, log: EventLog, isPiped = false) {
    this.#clock = clock;
    this.#id = id;
    this.#log = log;
    this.#isPiped = isPiped;
    this.#input = new InputWindow(INPUT_BYTES_MAX, (input) => this.#user?.command(input));
    log.follow(0, (event) => this.#happened(event));
    log.onCut(() => this.#moved());
  }

  /** Its execution has begun: from now on `user` does what it wants. */
  serve(options: TerminalOptions, user: TerminalUser): void {
    this.#options = options;
    this.#user = user;
  }

  /** What an order says of it. */
  get order(): TerminalOrder {
    const order = { ...this.#size, inputBytesMax: INPUT_BYTES_MAX, outputBytesMax: OUTPUT_BYTES_MAX };
    return this.#isPiped ? { ...order, isPiped: true } : order;
  }

  /** A client is there; from now on it is the one. `from`: the position that it has reached, or null for all that is remembered. */
  attach(client: TerminalClient, from: number | null): void {
    this.#client?.close('takenOver');
    this.#client = client;
    this.#hadClient = true;
    this.#timer?.cancel();
    // First: what goes by what others have read already is not promised to this one.
    this.#trim();
    const { start, end } = this.#output;
    const position = Math.min(Math.max(from ?? start, start), end);
    this.#sent = this.#read = position;
    this.#acknowledge(position);
    const missedBytes = from === null ? start : Math.max(0, start - from);
    client.tell({
      ...{ type: 'attached', executionId: this.#id, stage: this.#stage },
      ...{ isStarted: this.#isStarted, position, missedBytes },
    });
    if (this.#isGone) client.close('moved');
    if (!this.#mayType()) client.wantInput(false);
    this.#pump();
  }

  /** A client is gone. */
  detach(client: TerminalClient): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#watch();
  }

  /** Output before this position has arrived at a client. */
  arrived(client: TerminalClient, position: number): void {
    if (this.#client !== client || position > this.#sent) return;
    this.#read = Math.max(this.#read, position);
    this.#acknowledge(position);
    this.#pump();
  }

  /** What a client types. */
  type(client: TerminalClient, bytes: Buffer): void {
    if (this.#client !== client || this.#ended !== null) return;
    this.#input.add(bytes);
    if (!this.#mayType()) client.wantInput(false);
  }

  #mayType(): boolean {
    return this.#input.heldBytes < INPUT_BYTES_MAX;
  }

  /** What else a client wants. */
  ask(client: TerminalClient, request: TerminalRequest): void {
    if (this.#client !== client || this.#ended !== null) return;
    if (request.type === 'end') this.#input.finish();
    else if (request.type === 'signal') this.#user?.command({ kind: 'signal', signal: request.signal });
    else {
      this.#size = { rows: request.rows, columns: request.columns };
      this.#user?.command({ kind: 'resize', ...this.#size });
    }
  }

  /** What the agent says. */
  heard(news: TerminalNews): void {
    switch (news.kind) {
      case 'resumed':
        this.#resume(news.position);
        break;
      case 'started':
        if (!this.#isStarted) this.#start();
        break;
      case 'taken':
        this.#input.took(news.position);
        if (this.#mayType()) this.#client?.wantInput(true);
        break;
      case 'output':
        this.#write(news.position, Buffer.from(news.data, 'base64'));
    }
  }

  /** Its lease was lost: the next one begins anew, or this is why there can be none. */
  requeued(cause: SystemError): SystemError | null {
    this.#input.shut();
    const isBegun = this.#isStarted || this.#input.hasBeenTaken;
    return isBegun ? new SystemError('terminal-lost', cause.message, { cause }) : null;
  }

  #resume(position: number): void {
    this.#isRepeating = false;
    this.#user?.command({ kind: 'resize', ...this.#size });
    this.#user?.command({ kind: 'taken', position: this.#acknowledged });
    this.#input.open(position);
  }

  #start(): void {
    this.#isStarted = true;
    this.#client?.tell({ type: 'started' });
    this.#watch();
  }

  #write(position: number, bytes: Buffer): void {
    const fresh = this.#output.add(position, bytes);
    if (fresh === null && !this.#isRepeating) {
      this.#isRepeating = true;
      this.#user?.command({ kind: 'repeat' });
    }
    if (fresh === null || fresh.length === 0) return;
    const data = fresh.toString('base64');
    this.#log.append('stdout', { script: 'run', data, encoding: 'base64' }, data.length + 64);
    this.#pump();
  }

  #pump(): void {
    const client = this.#client;
    if (client === null) return;
    for (;;) {
      const room = Math.min(PIECE_BYTES_MAX, UNREAD_BYTES_MAX - (this.#sent - this.#read));
      const bytes = room <= 0 ? null : this.#output.read(this.#sent, room);
      if (bytes === null || bytes.length === 0) break;
      this.#sent += bytes.length;
      client.output(bytes, this.#sent);
    }
    if (this.#ended === null || this.#sent < this.#output.end) return;
    client.tell({ type: 'exit', ...this.#ended });
    client.close('exited');
    this.detach(client);
  }

  /** Keeps what may have to be sent again, and a little of what was read. */
  #acknowledge(position: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, position);
    this.#trim();
    if (this.#acknowledged - this.#told < TOLD_BYTES || this.#ended !== null) return;
    this.#told = this.#acknowledged;
    this.#user?.command({ kind: 'taken', position: this.#told });
  }

  #trim(): void {
    this.#output.forget(Math.min(this.#acknowledged, this.#output.end - SCROLLBACK_BYTES_MAX));
  }

  /** From now on somebody must come within a time. */
  #watch(): void {
    this.#timer?.cancel();
    if (this.#ended !== null) this.#forgetLater();
    if (!this.#isStarted || this.#client !== null || this.#ended !== null || this.#isGone) return;
    const { terminalWaitMsMax, terminalAwayMsMax } = this.#options;
    const timeMs = this.#hadClient ? terminalAwayMsMax : terminalWaitMsMax;
    const said = this.#hadClient ? 'its client was away' : 'nobody attached to it';
    this.#timer = this.#clock.after(timeMs, () => {
      this.#user?.unattended(
        new SystemError('terminal-unattended', `the terminal was ended: ${said} for ${timeMs} ms`),
      );
    });
  }

  #happened({ name, data }: LoggedEvent): void {
    if (name === 'finished') this.#end(data as Execution);
    if (name !== 'stage') return;
    this.#stage = (data as { stage: Stage }).stage;
    this.#client?.tell({ type: 'stage', stage: this.#stage });
  }

  /** What the agent wrote last may have been lost on its way: the report has all of it. */
  #end(execution: Execution): void {
    this.#timer?.cancel();
    const { run } = execution;
    if (run !== null && run.stdout !== '' && !this.#isPiped)
      this.#output.add(0, Buffer.from(run.stdout, run.stdoutEncoding));
    this.#ended = toExit(execution);
    this.#pump();
    this.#forgetLater();
  }

  /** Whoever still reads gets all of it. */
  #forgetLater(): void {
    this.#timer = this.#clock.after(this.#options.terminalAwayMsMax, () => {
      if (this.#client === null) this.#output.forget(this.#output.end);
      else this.#forgetLater();
    });
  }

  #moved(): void {
    this.#isGone = true;
    this.#timer?.cancel();
    this.#client?.close('moved');
    this.#client = null;
  }
}

function toExit({ stage, verdict, endedIn, failure, run, compile }: Execution): TerminalExit {
  const { exitCode = null, signal = null } = run ?? compile ?? {};
  return { stage, verdict, endedIn, failure, exitCode, signal };
}
