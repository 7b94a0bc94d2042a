/**
 * A server of one terminal for the client's tests, by the protocol of docs/terminal.md: tickets that are good once, positions, and an echo for a program.
 * Breaks its connections as a test says. Never runs anything.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** What an attached client can do to it, and what was done. */
export class ScriptedTerminal {
  /** All that the program has written. */
  output = Buffer.alloc(0);
  readonly typed: Buffer[] = [];
  readonly requests: Readonly<Record<string, unknown>>[] = [];
  /** Where each attachment began. */
  readonly positions: number[] = [];
  readonly refused: string[] = [];
  /** Called for each attachment, once it has been told where it is. */
  whenAttached: (socket: WebSocket, count: number) => void = () => undefined;
  /** When it is over: what a GET of the execution answers; then nobody can attach any more. */
  ended: object | null = null;
  readonly #tickets = new Set<string>();
  readonly #server = createServer((incoming, outgoing) => {
    const json = (status: number, value: object) =>
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    incoming.resume();
    if (incoming.method === 'GET') json(200, this.ended ?? { id: 'exec_t', stage: 'running', finishedAt: null });
    else if (this.ended !== null) json(409, { code: 'conflict', detail: 'it is over' });
    else {
      const ticket = `ticket${this.#tickets.size + this.positions.length}`;
      this.#tickets.add(ticket);
      json(201, { ticket, expiresAt: '2026-01-01T00:00:00.000Z' });
    }
  });
  readonly #sockets = new WebSocketServer({
    server: this.#server,
    handleProtocols: (offered) => {
      const ticket = [...offered].find((name) => name.startsWith('envicutor.ticket.'))?.slice(17) ?? '';
      if (!offered.has('envicutor.terminal.v1') || !this.#tickets.delete(ticket)) this.refused.push(ticket);
      return 'envicutor.terminal.v1';
    },
  });

  private constructor() {
    this.#sockets.on('connection', (socket, { url = '' }) => this.#attach(socket, url));
  }

  static async open(test: { after(ending: () => unknown): void }): Promise<ScriptedTerminal> {
    const terminal = new ScriptedTerminal();
    terminal.#server.listen(0, '127.0.0.1');
    await once(terminal.#server, 'listening');
    test.after(() => {
      for (const socket of terminal.#sockets.clients) socket.terminate();
      terminal.#server.close();
      terminal.#server.closeAllConnections();
    });
    return terminal;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The program writes. */
  write(data: string | Uint8Array): void {
    this.output = Buffer.concat([this.output, Buffer.from(data as Uint8Array)]);
    for (const socket of this.#sockets.clients) socket.send(data, { binary: true });
  }

  /** The program ends, and everybody is told. */
  exit(exitCode: number): void {
    const how = { stage: 'finished', verdict: 'ok', endedIn: 'run', failure: null, exitCode, signal: null };
    for (const socket of this.#sockets.clients) {
      socket.send(JSON.stringify({ type: 'exit', ...how }));
      socket.close(1000);
    }
  }

  #attach(socket: WebSocket, url: string): void {
    const position = Number(new URL(url, this.url).searchParams.get('position') ?? 0);
    this.positions.push(position);
    const place = { executionId: 'exec_t', stage: 'running', isStarted: true, position, missedBytes: 0 };
    socket.send(JSON.stringify({ type: 'attached', ...place }));
    if (position < this.output.length) socket.send(this.output.subarray(position), { binary: true });
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) {
        this.requests.push(JSON.parse(String(data)) as Record<string, unknown>);
        if (this.requests.at(-1)?.['type'] === 'end') this.exit(0);
        return;
      }
      this.typed.push(data);
      this.write(data);
    });
    this.whenAttached(socket, this.positions.length);
  }
}
