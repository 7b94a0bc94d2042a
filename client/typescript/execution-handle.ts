/**
 * Owns what is done with an execution that was accepted: its end, its events, its terminal, cancelling it. Never submits one.
 * Invariant: it is known by its id alone, so that another program, or this one after a restart, can go on with it.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { PlacementAnswer } from '../../shared/model/placement.ts';
import { type ExecutionEvent, follow, isExecutionOver, untilFinished } from './events.ts';
import { cancel } from './submission.ts';
import { attach, type Terminal, type TerminalOptions } from './terminal.ts';
import type { WebSocketMaker } from './terminal-socket.ts';
import type { Transport } from './transport.ts';

/** How a request ends before its time. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** How events are followed. */
export interface EventOptions extends CallOptions {
  /** Go on after the event of this id, such as the last one that was seen. */
  readonly after?: string | undefined;
}

/** An execution at the server. */
export class ExecutionHandle {
  readonly id: string;
  readonly #transport: Transport;
  readonly #sockets: WebSocketMaker | null;
  readonly #path: string;

  constructor(transport: Transport, sockets: WebSocketMaker | null, id: string) {
    this.#transport = transport;
    this.#sockets = sockets;
    this.id = id;
    this.#path = `/v1/executions/${encodeURIComponent(id)}`;
  }

  /** How it is now. */
  get({ signal }: CallOptions = {}): Promise<Execution> {
    return this.#transport.ask<Execution>({ method: 'GET', path: this.#path, signal });
  }

  /** Its end, however that is; a signal ends the waiting, not the execution. */
  result({ signal }: CallOptions = {}): Promise<Execution> {
    return untilFinished<Execution>(this.#transport, { path: this.#path, isOver: isExecutionOver, signal });
  }

  /** What happens, from the beginning on as far as it is remembered, to `finished`. */
  events({ signal, after }: EventOptions = {}): AsyncGenerator<ExecutionEvent, void, undefined> {
    const followed = { path: this.#path, isOver: isExecutionOver, signal, after };
    return follow<Execution, ExecutionEvent>(this.#transport, followed);
  }

  /** Cancels it; again is no mistake, and what is over stays as it is. */
  cancel({ signal }: CallOptions = {}): Promise<Execution> {
    return cancel(this.#transport, this.id, signal);
  }

  /** Cancels it if it is not over, and has all of it forgotten: record, request, output, what it left. Nobody finds it from then on. */
  async purge({ signal }: CallOptions = {}): Promise<void> {
    await this.#transport.remove({ method: 'DELETE', path: this.#path, query: { purge: 'true' }, signal });
  }

  /** Why it runs where it does, or still waits. */
  placement({ signal }: CallOptions = {}): Promise<PlacementAnswer> {
    return this.#transport.ask<PlacementAnswer>({ method: 'GET', path: `${this.#path}/placement`, signal });
  }

  /** Attaches to the terminal of an interactive one. */
  terminal(options: TerminalOptions = {}): Promise<Terminal> {
    return attach(this.#transport, this.#sockets, this.id, options);
  }
}
