/**
 * Owns the agent's side of one lease's terminal: input that came and the program has not taken, output that the coordinator has not taken.
 * Never holds more than a window of either: the launcher reads no more output than that, and nothing more of input is listened to.
 * Invariant: whatever is repeated over a new connection, the program gets each byte once, and the coordinator can tell where output belongs.
 */
import type { TerminalCommand, TerminalNews, TerminalOrder } from '../../shared/protocol/terminal-flow.ts';
import type { Launch, TerminalSize } from '../../shared/sandbox/sandbox.ts';
import type { LeasePace } from './pace.ts';

/** Output as it was told once. */
interface ToldOutput {
  readonly position: number;
  readonly bytes: Buffer;
}

/** See the head of this file. */
export class LeaseTerminal {
  /** What the launch gets as its standard input. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Null: output is nobody's to hold back here. */
  readonly outputWindowBytes: number | null;
  /** Only input is said here: the program has pipes. */
  readonly isPiped: boolean;
  readonly #inputBytesMax: number;
  readonly #say: (news: TerminalNews) => void;
  #size: TerminalSize;
  #launch: Launch | null = null;
  #isStarted = false;
  readonly #queue: Buffer[] = [];
  #wake: (() => void) | null = null;
  #isLast = false;
  /** Positions of input: so far it has come, and so far the launcher has it. */
  #received = 0;
  #taken = 0;
  #toldTaken = 0;
  /** Output: told and not taken, and what waits to be told. */
  readonly #unacknowledged: ToldOutput[] = [];
  readonly #waiting: Buffer[] = [];
  /** Positions of output. */
  #sent = 0;
  #told = 0;
  #acknowledged = 0;
  readonly #pace: LeasePace;

  /** `toPace` makes what says when output may be told. */
  constructor(order: TerminalOrder, say: (news: TerminalNews) => void, toPace: (due: () => void) => LeasePace) {
    const { rows, columns, inputBytesMax, outputBytesMax, isPiped = false } = order;
    this.#size = { rows, columns };
    this.#inputBytesMax = inputBytesMax;
    this.isPiped = isPiped;
    this.outputWindowBytes = isPiped ? null : outputBytesMax;
    this.#say = say;
    this.input = this.#feed();
    this.#pace = toPace(() => this.flush());
  }

  /** The size to begin with; null: there is no terminal. */
  get size(): TerminalSize | null {
    return this.isPiped ? null : this.#size;
  }

  /** The lease is here: whoever has input for it is to send it. */
  begin(): void {
    this.#say({ kind: 'resumed', position: this.#received });
  }

  /** There is a new connection, or something was lost: everything that the other side may not have is said again. */
  repeat(): void {
    this.begin();
    if (this.#isStarted) this.#say({ kind: 'started' });
    const [first] = this.#unacknowledged;
    if (first === undefined) return;
    this.#tell({ position: first.position, bytes: Buffer.concat(this.#unacknowledged.map(({ bytes }) => bytes)) });
  }

  /** What is to be done to the program is done to this launch. */
  launched(launch: Launch): void {
    this.#launch = launch;
    if (!this.isPiped) launch.resize(this.#size);
  }

  /** The program runs. */
  started(): void {
    this.#isStarted = true;
    this.#say({ kind: 'started' });
  }

  /** The program wrote this; it is copied. */
  output(chunk: Uint8Array): void {
    if (this.isPiped) return;
    const isWaiting = this.#waiting.length > 0;
    this.#waiting.push(Buffer.from(chunk));
    this.#sent += chunk.length;
    // A program whose window is full waits for what is told.
    const isMuch = this.outputWindowBytes !== null && this.#sent - this.#told >= this.outputWindowBytes / 4;
    if (isMuch || (!isWaiting && this.#pace.isOpen)) this.flush();
    else this.#pace.wait();
  }

  /** Tells the output that waits, as one. */
  flush(): void {
    this.#pace.rest();
    if (this.#waiting.length === 0) return;
    const told = { position: this.#told, bytes: Buffer.concat(this.#waiting.splice(0)) };
    this.#told = this.#sent;
    this.#unacknowledged.push(told);
    this.#tell(told);
  }

  #tell({ position, bytes }: ToldOutput): void {
    this.#pace.told();
    this.#say({ kind: 'output', position, data: bytes.toString('base64') });
  }

  command(command: TerminalCommand): void {
    switch (command.kind) {
      case 'input':
        this.#receive(command.position, Buffer.from(command.data, 'base64'), command.isLast);
        break;
      case 'resize':
        this.#size = { rows: command.rows, columns: command.columns };
        this.#launch?.resize(this.#size);
        break;
      case 'signal':
        this.#launch?.signal(command.signal);
        break;
      case 'taken':
        this.#acknowledge(command.position);
        break;
      case 'repeat':
        this.repeat();
    }
  }

  /** What leaves a gap comes again: the connection that lost the rest was another one. */
  #receive(position: number, bytes: Buffer, isLast: boolean): void {
    const end = position + bytes.length;
    if (position > this.#received || end > this.#taken + this.#inputBytesMax) return;
    if (end > this.#received) {
      this.#queue.push(bytes.subarray(this.#received - position));
      this.#received = end;
    }
    if (isLast && end === this.#received) this.#isLast = true;
    this.#wake?.();
  }

  /** A chunk is taken when the next one is asked for: until then the launcher has no credit for the rest of it. */
  async *#feed(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        yield next;
        this.#taken += next.length;
        this.#tellTaken();
      } else if (this.#isLast) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  #tellTaken(): void {
    const isDue = this.#queue.length === 0 || this.#taken - this.#toldTaken >= this.#inputBytesMax / 4;
    if (!isDue) return;
    this.#toldTaken = this.#taken;
    this.#say({ kind: 'taken', position: this.#taken });
  }

  #acknowledge(position: number): void {
    const until = Math.min(position, this.#told);
    if (until <= this.#acknowledged) return;
    this.#launch?.taken(until - this.#acknowledged);
    this.#acknowledged = until;
    for (;;) {
      const first = this.#unacknowledged[0];
      if (first === undefined || first.position + first.bytes.length > until) return;
      this.#unacknowledged.shift();
    }
  }
}
