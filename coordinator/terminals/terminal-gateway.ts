/**
 * Owns the WebSocket endpoint of terminals, /v1/executions/:id/terminal: who may attach, here or at the coordinator that answers for the tenant.
 * The only importer of ws for terminals. Never reads a message (terminal-connection).
 * Invariants: whoever may not attach is told so before there is a socket, as any other request is; what belongs to another tenant is not there; an
 * address, which people log, holds no secret.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock, Random } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { PROBLEM_TYPE, toProblem } from '../../shared/http/problem.ts';
import { endWebSockets } from '../../shared/http/websocket-end.ts';
import { createId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import { TERMINAL_MESSAGE_BYTES_MAX, TERMINAL_PROTOCOL, TICKET_PROTOCOL_PREFIX } from '../../shared/model/terminal.ts';
import type { LiveExecution } from '../executions/live-execution.ts';
import type { Authenticate } from '../http/authentication.ts';
import { checkScope } from '../http/scopes.ts';
import { refuseUpgrade, type UpgradeTaker } from '../http/upgrades.ts';
import type { Terminal } from './terminal.ts';
import { TerminalConnection, type TerminalSocket } from './terminal-connection.ts';
import type { TerminalTickets } from './tickets.ts';

/** What the gateway needs. */
export interface TerminalGatewayDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of whoever sends a key, and in the embedded mode of everybody who may ask at all. */
  readonly authenticate: Authenticate;
  readonly isEmbedded: boolean;
  readonly tickets: TerminalTickets;
  readonly executions: {
    find(tenantId: string, id: string): LiveExecution | null;
    get(tenantId: string, id: string): Promise<unknown>;
  };
  /** Has another coordinator take the upgrade if it answers for the tenant. */
  readonly passOn: (request: IncomingMessage, socket: Duplex, head: Buffer, tenantId: string) => Promise<boolean>;
}

/** Where clients attach. */
export const TERMINALS_PATH = '/v1/executions/:id/terminal';

/** What a client is attached to. */
interface Place {
  readonly terminal: Terminal;
  readonly tenantId: string;
}

const PATH = /^\/v1\/executions\/([^/?]{1,256})\/terminal(?:\?|$)/;
const POSITION = /^\d{1,15}$/;
/** More is unsent only while nothing is read: then no answer to a ping is. */
const UNSENT_BYTES_MAX = 524_288;
/** What one tenant may have of all connections. */
const TENANT_PART = 0.5;

/** See the head of this file. */
export class TerminalGateway implements UpgradeTaker {
  readonly #deps: TerminalGatewayDeps;
  readonly #connectionsMax: number;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: TERMINAL_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: () => TERMINAL_PROTOCOL,
  });
  readonly #connections = new Map<TerminalConnection, Place>();
  #isStopped = false;

  constructor(deps: TerminalGatewayDeps, options: { terminalsMax: number }) {
    this.#deps = deps;
    this.#connectionsMax = options.terminalsMax;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  takes(path: string): boolean {
    return PATH.test(path);
  }

  /** Everything is looked at here: other upgrades have other rules. */
  check(): null {
    return null;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    this.#admit(request, socket, head).catch((error: unknown) => this.#refuse(socket, toSystemError(error)));
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { authenticate, isEmbedded, tickets, passOn } = this.#deps;
    const { headers, url = '' } = request;
    const id = PATH.exec(url)?.[1] ?? '';
    const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const ticket = offered
      .find((name) => name.startsWith(TICKET_PROTOCOL_PREFIX))
      ?.slice(TICKET_PROTOCOL_PREFIX.length);
    const asker = isEmbedded || ticket === undefined ? await authenticate(headers) : null;
    if (asker !== null) checkScope(asker.key, 'execute');
    const tenantId = ticket === undefined ? (asker?.tenant.id ?? '') : tickets.read(ticket).tenantId;
    if (await passOn(request, socket, head, tenantId)) return;
    const terminal = await this.#find(tenantId, id);
    if (!offered.includes(TERMINAL_PROTOCOL))
      throw new SystemError('request-invalid', `offer the subprotocol ${TERMINAL_PROTOCOL} in Sec-WebSocket-Protocol`);
    const from = toPosition(url);
    this.#checkRoom({ terminal, tenantId });
    if (this.#isStopped) throw new SystemError('draining', 'the coordinator is stopping');
    if (ticket !== undefined) tickets.use(ticket, id);
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#open(opened, { terminal, tenantId }, from));
    this.#deps.log.info({ executionId: id, tenantId }, 'terminal attached');
  }

  async #find(tenantId: string, id: string): Promise<Terminal> {
    const { executions } = this.#deps;
    const execution = executions.find(tenantId, id);
    // Throws for what is nobody's, or somebody else's.
    if (execution === null) await executions.get(tenantId, id);
    const terminal = execution?.terminal ?? null;
    if (terminal !== null) return terminal;
    const said = execution === null ? 'is over' : 'is not interactive';
    throw new SystemError('conflict', `execution ${id} ${said}: GET /v1/executions/${id} answers`);
  }

  #checkRoom({ tenantId, terminal }: Place): void {
    let ofTenant = 0;
    for (const place of this.#connections.values()) {
      // Whoever was there makes room.
      if (place.terminal === terminal) return;
      if (place.tenantId === tenantId) ofTenant += 1;
    }
    const isPartUsed = !this.#deps.isEmbedded && ofTenant >= this.#connectionsMax * TENANT_PART;
    if (this.#connections.size < this.#connectionsMax && !isPartUsed) return;
    const said = `${ofTenant} clients of this tenant, and ${this.#connections.size} in all, are at terminals here`;
    throw new SystemError('queue-full', `${said}; ask again later, or raise terminalsMax`);
  }

  #open(socket: WebSocket, place: Place, from: number | null): void {
    const { terminal } = place;
    const connection = new TerminalConnection(this.#deps.clock, toTerminalSocket(socket), terminal);
    this.#connections.set(connection, place);
    socket.on('message', (data: Buffer, isBinary) => connection.received(data, isBinary));
    socket.on('ping', (data) => connection.pinged(data));
    socket.on('pong', (data) => connection.ponged(data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#connections.delete(connection);
      connection.gone();
    });
    terminal.attach(connection, from);
  }

  #refuse(socket: Duplex, error: SystemError): void {
    const requestId = createId('request', this.#deps.random);
    if (error.code === 'internal') this.#deps.log.error({ err: error.cause ?? error, requestId }, 'upgrade failed');
    const body = JSON.stringify(toProblem(error, requestId, 'coordinator'));
    refuseUpgrade(socket, error, { type: PROBLEM_TYPE, body });
  }

  /** Sends every client away; resolves when their connections are gone. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const connection of this.#connections.keys()) connection.close('moved');
    await endWebSockets(this.#server, this.#deps.clock);
  }
}

function toPosition(url: string): number | null {
  const position = new URLSearchParams(url.split('?')[1] ?? '').get('position');
  if (position === null) return null;
  if (!POSITION.test(position))
    throw new SystemError('request-invalid', `?position ${position.slice(0, 20)} is no number of bytes`);
  return Number(position);
}

function toTerminalSocket(socket: WebSocket): TerminalSocket {
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  return {
    sendText: (text) => socket.send(text),
    sendBytes: (bytes, taken) => socket.send(bytes, (error) => error ?? taken()),
    pong: (payload) => (isOpen() && socket.bufferedAmount < UNSENT_BYTES_MAX ? socket.pong(payload) : undefined),
    ping: (payload) => (isOpen() ? socket.ping(payload) : undefined),
    pause: () => (isOpen() ? socket.pause() : undefined),
    resume: () => socket.resume(),
    close: (code, reason) => {
      socket.close(code, reason);
    },
  };
}
