/**
 * Owns the WebSocket endpoint of Piston's protocol, /api/v2/connect: who may open one, here or at the coordinator that answers for the tenant. The only
 * importer of ws for the rooms of other protocols. Never reads a message (connect-session).
 * Invariant: whoever may not is told so before there is a socket, as any other request is.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { SystemError, toSystemError } from '../../../shared/errors.ts';
import { endWebSockets } from '../../../shared/http/websocket-end.ts';
import type { Authenticate } from '../../http/authentication.ts';
import { checkScope } from '../../http/scopes.ts';
import { refuseUpgrade, type UpgradeTaker } from '../../http/upgrades.ts';
import { bearRawKey } from '../any-content.ts';
import { type ConnectDeps, ConnectSession } from './connect-session.ts';

/** What the gateway needs. */
export interface ConnectGatewayDeps extends ConnectDeps {
  readonly authenticate: Authenticate;
  /** Has another coordinator take the upgrade if it answers for the tenant. */
  readonly passOn: (request: IncomingMessage, socket: Duplex, head: Buffer, tenantId: string) => Promise<boolean>;
}

/** Where clients connect, self-hosted. */
export const CONNECT_PATH = '/api/v2/connect';

const PATH = /^\/api\/v2\/(piston\/)?connect\/?$/;
/** What one tenant may have of all connections. */
const TENANT_PART = 0.5;

/** See the head of this file. */
export class ConnectGateway implements UpgradeTaker {
  readonly #deps: ConnectGatewayDeps;
  readonly #connectionsMax: number;
  readonly #server: WebSocketServer;
  readonly #sessions = new Map<ConnectSession, string>();
  #isStopped = false;

  constructor(deps: ConnectGatewayDeps, options: { readonly bodyBytesMax: number; readonly terminalsMax: number }) {
    this.#deps = deps;
    this.#connectionsMax = options.terminalsMax;
    this.#server = new WebSocketServer({
      ...{ noServer: true, maxPayload: options.bodyBytesMax, perMessageDeflate: false },
    });
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
    const { tenant, key } = await this.#deps.authenticate(bearRawKey(request.headers));
    checkScope(key, 'execute');
    if (await this.#deps.passOn(request, socket, head, tenant.id)) return;
    this.#checkRoom(tenant.id);
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#open(opened, tenant.id));
  }

  #checkRoom(tenantId: string): void {
    if (this.#isStopped) throw new SystemError('draining', 'the coordinator is stopping');
    const ofTenant = [...this.#sessions.values()].filter((one) => one === tenantId).length;
    const isPartUsed = ofTenant >= Math.max(1, this.#connectionsMax * TENANT_PART);
    if (this.#sessions.size < this.#connectionsMax && !isPartUsed) return;
    const said = `${ofTenant} clients of this tenant, and ${this.#sessions.size} in all, are connected here`;
    throw new SystemError('queue-full', `${said}; ask again later, or raise terminalsMax`);
  }

  #open(socket: WebSocket, tenantId: string): void {
    const isOpen = () => socket.readyState === WebSocket.OPEN;
    const session = new ConnectSession(this.#deps, tenantId, {
      send: (text) => (isOpen() ? socket.send(text) : undefined),
      pause: () => (isOpen() ? socket.pause() : undefined),
      resume: () => socket.resume(),
      close: (code, reason) => socket.close(code, reason),
    });
    this.#sessions.set(session, tenantId);
    socket.on('message', (data: Buffer) => session.received(data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sessions.delete(session);
      session.gone();
    });
  }

  #refuse(socket: Duplex, error: SystemError): void {
    if (error.code === 'internal') this.#deps.log.error({ err: error.cause ?? error }, 'upgrade failed');
    const message = error.code === 'internal' ? "look into the coordinator's log" : error.message;
    const body = JSON.stringify({ message });
    refuseUpgrade(socket, error, { type: 'application/json; charset=utf-8', body });
  }

  /** Sends every client away; resolves when their connections are gone. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const session of this.#sessions.keys()) session.leave();
    await endWebSockets(this.#server, this.#deps.clock);
  }
}
