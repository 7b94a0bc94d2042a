/**
 * Owns the WebSockets between coordinators: the endpoint /peers, and dialling others. The only importer of ws for peers.
 * Never reads a message. Invariant: who uses a socket hears of its end once, however it came; one that is silent for three beats is ended.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock, Timer } from '../../shared/clock.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';
import { boundGreeting, type UpgradeTaker } from '../http/upgrades.ts';

/** Where coordinators connect to each other. */
export const PEERS_PATH = '/peers';

/** An open connection. */
export interface PeerSocket {
  send(text: string): void;
  close(reason: string): void;
}

/** Who uses a connection. */
export interface PeerSocketUser {
  opened(socket: PeerSocket): void;
  message(text: string): void;
  /** It is over, or was never opened. */
  closed(reason: string): void;
}

/** Who uses a connection that another coordinator opened. */
export interface WelcomedUser extends PeerSocketUser {
  /** Who it is, once it has proved that; '' before. */
  readonly member: string;
}

/** Unsent bytes above which the other side is too slow to be served. */
const BUFFERED_BYTES_MAX = 4 * MESSAGE_BYTES_MAX;
const BEAT_MS = 2000;
const SILENT_BEATS_MAX = 3;
const HANDSHAKE_MS_MAX = 5000;
const CLOSED = 1000;
/** One that does not answer the closing handshake is not waited for longer. */
const CLOSE_MS_MAX = 1000;

/** See the head of this file. */
export class PeerGateway implements UpgradeTaker {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #welcome: () => WelcomedUser;
  readonly #ca: string | undefined;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
  readonly #sockets = new Set<WebSocket>();
  #isStopped = false;

  /** `welcome` gives the user of a connection that another coordinator opened; `ca` is by whom those are known that serve over TLS. */
  constructor(clock: Pick<Clock, 'after'>, welcome: () => WelcomedUser, ca?: string) {
    this.#ca = ca;
    this.#clock = clock;
    this.#welcome = welcome;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      const user = this.#welcome();
      boundGreeting(socket, () => user.member !== '');
      this.#serve(opened, user);
      user.opened(this.#toPeerSocket(opened));
    });
  }

  /** Opens a connection to another coordinator's HTTP URL. */
  dial(url: string, user: PeerSocketUser): void {
    const at = new URL(PEERS_PATH, url);
    at.protocol = at.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(at, {
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
    });
    this.#serve(socket, user);
    socket.on('open', () => user.opened(this.#toPeerSocket(socket)));
  }

  #toPeerSocket(socket: WebSocket): PeerSocket {
    return {
      send: (text) => {
        if (socket.readyState !== WebSocket.OPEN) return;
        if (socket.bufferedAmount > BUFFERED_BYTES_MAX) socket.terminate();
        else socket.send(text);
      },
      close: (reason) => socket.close(CLOSED, Buffer.from(reason).subarray(0, 120).toString()),
    };
  }

  #serve(socket: WebSocket, user: PeerSocketUser): void {
    if (this.#isStopped) {
      socket.terminate();
      return;
    }
    this.#sockets.add(socket);
    const heart = this.#watch(socket);
    let why = '';
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.terminate();
      else user.message(String(data));
    });
    socket.on('error', (error) => {
      why = error.message;
    });
    socket.on('close', (_code, reason) => {
      this.#sockets.delete(socket);
      heart.cancel();
      user.closed(reason.toString() || why || 'connection lost');
    });
  }

  #watch(socket: WebSocket): Timer {
    let silent = 0;
    let timer: Timer;
    const heard = () => {
      silent = 0;
    };
    socket.on('pong', heard);
    socket.on('message', heard);
    const beat = () => {
      if (++silent > SILENT_BEATS_MAX) {
        socket.terminate();
        return;
      }
      if (socket.readyState === WebSocket.OPEN) socket.ping();
      timer = this.#clock.after(BEAT_MS, beat);
    };
    timer = this.#clock.after(BEAT_MS, beat);
    return { cancel: () => timer.cancel() };
  }

  /** Ends every connection; idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const socket of this.#sockets) socket.close(CLOSED, 'the coordinator is stopping');
    this.#clock.after(CLOSE_MS_MAX, () => {
      for (const socket of this.#sockets) socket.terminate();
    });
    this.#server.close();
  }
}
