/**
 * Owns the WebSocket endpoint of agents, path /agents on the API's own HTTP server: the only importer of ws for agents.
 * Never interprets a message (agent-session). A frame above the protocol's maximum ends its connection only; a binary one is a piece of a message.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Timer } from '../../shared/clock.ts';
import { endWebSockets } from '../../shared/http/websocket-end.ts';
import { JoinedWrites } from '../../shared/protocol/joined-writes.ts';
import { MessageCutter } from '../../shared/protocol/message-pieces.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';
import { boundGreeting } from '../http/upgrades.ts';
import { AgentSession, type SessionDeps, type SessionOptions } from './agent-session.ts';

/** Where agents connect. */
export const AGENTS_PATH = '/agents';

/** Unsent bytes above which an agent is too slow to be served. */
const BUFFERED_BYTES_MAX = 4 * MESSAGE_BYTES_MAX;

/** Agents are sent away in about so many parts, so that there are always some to work with. */
const RELEASES = 16;

/** Accepts agents' connections. */
export class AgentGateway {
  readonly #deps: Omit<SessionDeps, 'refused'>;
  readonly #options: SessionOptions;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
  readonly #sessions = new Set<AgentSession>();
  readonly #refusals = new Set<string>();
  #isStopped = false;
  #isLeaving = false;

  constructor(deps: Omit<SessionDeps, 'refused'>, options: SessionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#isStopped || this.#isLeaving;
  }

  /** Lets no agent in any more, and sends a few of those to other coordinators that hold nothing now; to be called again for the others. */
  release(): void {
    this.#isLeaving = true;
    const few = Math.max(1, Math.ceil(this.#sessions.size / RELEASES));
    const idle = [...this.#sessions].filter(({ agent }) => agent !== null && agent.leases === 0);
    for (const session of idle.slice(0, few)) session.stop();
  }

  /** Takes a connection to AGENTS_PATH. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      const session = this.#open(opened, new JoinedWrites(socket));
      boundGreeting(socket, () => session.agent !== null);
    });
  }

  #open(socket: WebSocket, joined: JoinedWrites): AgentSession {
    const cutter = new MessageCutter((text, isPiece) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > BUFFERED_BYTES_MAX) socket.terminate();
      else {
        joined.begin();
        socket.send(text, { binary: isPiece });
      }
    });
    let resting: Timer | null = null;
    const session = new AgentSession(
      {
        send: (text, mayCut) => cutter.send(text, mayCut),
        rest: (restMs) => {
          socket.pause();
          resting?.cancel();
          resting = this.#deps.clock.after(restMs, () => socket.resume());
        },
        close: (code, reason) => socket.close(code, reason),
      },
      { ...this.#deps, refused: (name, error) => this.#logOnce(name, error.code, error.message) },
      this.#options,
    );
    this.#sessions.add(session);
    socket.on('message', (data, isBinary) => {
      if (isBinary) session.receivePiece(String(data));
      else session.receive(String(data));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      cutter.end();
      resting?.cancel();
      this.#sessions.delete(session);
      session.lost();
    });
    return session;
  }

  #logOnce(name: string, code: string, reason: string): void {
    const what = `${name} ${code} ${reason}`.slice(0, 512);
    if (this.#refusals.has(what) || this.#refusals.size >= 1000) return;
    this.#refusals.add(what);
    this.#deps.log.warn({ name, code, reason }, 'agent refused');
  }

  /** Ends every session; resolves when every connection is gone. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const session of this.#sessions) session.stop();
    await endWebSockets(this.#server, this.#deps.clock);
  }
}
