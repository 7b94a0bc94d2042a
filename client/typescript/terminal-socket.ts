/**
 * Owns one connection to a terminal: opened with a ticket, told of what comes, closed. Never opens a second one; what is lost with it is terminal's to ask for again.
 * Speaks the WebSocket of browsers, which Node and ws have, too. Invariant: `closed` resolves once, whatever happens to it.
 */
import { EnvicutorError } from './envicutor-error.ts';

/** What of a WebSocket is used. */
export interface TerminalWebSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

/** Makes them: the platform's `WebSocket`, or that of ws. */
export type WebSocketMaker = new (url: string, protocols: string[]) => TerminalWebSocket;

/** Why it was closed. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** What is told of it. */
export interface TerminalListener {
  bytes(bytes: Uint8Array<ArrayBuffer>): void;
  text(text: string): void;
}

/** As terminalCloseCodes of the protocol, which needs a package: those after which attaching again changes nothing. */
export const finalCodes: Readonly<Record<number, string>> = {
  1009: 'a message was larger than the server takes',
  4400: 'a message was none of the protocol',
  4409: 'another client has attached',
  4429: 'more messages were sent than anybody types',
};

/** The error of a connection that is to stay closed; null when it may be opened again. */
export function toFinalError({ code }: Closing): EnvicutorError | null {
  const why = finalCodes[code];
  return why === undefined ? null : new EnvicutorError('terminal-refused', `${why} (${code})`);
}

/** As TERMINAL_PROTOCOL. */
export const PROTOCOL = 'envicutor.terminal.v1';
/** As TICKET_PROTOCOL_PREFIX. */
export const TICKET_PREFIX = 'envicutor.ticket.';

/** An open connection, or one that is about to be. */
export class TerminalSocket {
  readonly closed: Promise<Closing>;
  readonly #socket: TerminalWebSocket;
  #noteClosed: (closing: Closing) => void = () => undefined;

  constructor(maker: WebSocketMaker, url: string, ticket: string, listener: TerminalListener) {
    this.closed = new Promise((resolve) => (this.#noteClosed = resolve));
    this.#socket = new maker(url, [PROTOCOL, `${TICKET_PREFIX}${ticket}`]);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') listener.text(data);
      else if (data instanceof ArrayBuffer) listener.bytes(new Uint8Array(data));
    });
    // What went wrong, browsers do not say; that it is closed follows.
    this.#socket.addEventListener('error', () => undefined);
    this.#socket.addEventListener('close', ({ code, reason }) => this.#noteClosed({ code, reason: String(reason) }));
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** Does not wait for the other side: a cable that is cut never answers. */
  close(): void {
    this.#socket.close(1000);
    this.#noteClosed({ code: 1000, reason: 'closed here' });
  }
}
