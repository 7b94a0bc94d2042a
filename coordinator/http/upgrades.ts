/**
 * Owns which path of the API's server takes which kind of WebSocket. Never opens one: whoever owns the path does.
 * Invariant: what is refused is refused before there is a socket, with a sentence.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SystemError } from '../../shared/errors.ts';

/** Why an upgrade is refused before there is a socket, or null. */
export type UpgradeCheck = (request: IncomingMessage) => { readonly http: number; readonly sentence: string } | null;

/** Who takes the upgrades of a path. */
export interface UpgradeTaker {
  readonly isStopped: boolean;
  /** Of one whose paths are many: is this one of them? */
  takes?(path: string): boolean;
  /** In place of everybody's. */
  readonly check?: UpgradeCheck;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Answers an upgrade that is refused by an error, in the words of its protocol, and ends the connection. */
export function refuseUpgrade(
  socket: Duplex,
  error: SystemError,
  { type, body }: { readonly type: string; readonly body: string },
): void {
  const head = [
    `HTTP/1.1 ${error.http} Refused`,
    'connection: close',
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...(error.http === 401 ? ['www-authenticate: Bearer'] : []),
    ...(error.isRetryable ? [`retry-after: ${error.retryAfterSeconds ?? 2}`] : []),
  ];
  // Nothing that it may still send is waited for.
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** Before it has proved who it is, the other end of a WebSocket may send so much; whatever a frame announces is kept until it is there. */
const GREETING_BYTES_MAX = 256 * 1024;

/** Ends the connection of a stranger that sends too much. */
export function boundGreeting(socket: Duplex, isKnown: () => boolean): void {
  let bytes = 0;
  const count = (data: Buffer) => {
    bytes += data.length;
    if (isKnown()) socket.off('data', count);
    else if (bytes > GREETING_BYTES_MAX) socket.destroy();
  };
  socket.on('data', count);
}

/** Serves the upgrades of this server. */
export function attachUpgrades(
  server: Server,
  check: UpgradeCheck,
  takers: Readonly<Record<string, UpgradeTaker>>,
): void {
  const paths = Object.keys(takers).join(' and ');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const taker = Object.hasOwn(takers, path) ? takers[path] : Object.values(takers).find((each) => each.takes?.(path));
    const refusal =
      taker === undefined
        ? { http: 404, sentence: `WebSockets are served at ${paths}` }
        : (taker.check ?? check)(request);
    if (refusal === null && taker !== undefined && !taker.isStopped) {
      taker.upgrade(request, socket, head);
      return;
    }
    const { http, sentence } = refusal ?? { http: 503, sentence: 'the coordinator is stopping' };
    socket.on('error', () => undefined);
    socket.end(`HTTP/1.1 ${http} Refused\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n${sentence}\n`);
  });
}
