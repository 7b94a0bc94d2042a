/**
 * Owns who uses an instance that a command has started in the background: each holds a connection to a name in the kernel's table of abstract sockets.
 * Never reads what they send. When nobody has been there for the given time, whoever made it is told.
 * Invariant: a user that dies lets go, because the kernel closes its connection; the name dies with this process.
 */
import { createServer, type Server, type Socket } from 'node:net';

/** See the head of this file. */
export class InstanceUsers {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #timer: NodeJS.Timeout | null = null;
  #isReady = false;

  private constructor(idleMs: number, onIdle: () => void) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#server = createServer((socket) => this.#let(socket));
    this.#server.unref();
  }

  /** Begins to count those of the instance on this port; rejects when somebody else does. */
  static listen(port: number, idleMs: number, onIdle: () => void): Promise<InstanceUsers> {
    const users = new InstanceUsers(idleMs, onIdle);
    return new Promise((resolve, reject) => {
      users.#server.once('error', reject);
      users.#server.listen(`\0envicutor-users-${port}`, () => resolve(users));
    });
  }

  /** The instance serves: everybody hears of it, and from now on it may be idle. */
  ready(): void {
    this.#isReady = true;
    for (const socket of this.#sockets) socket.write('ready\n');
    this.#watch();
  }

  #let(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#watch();
    });
    socket.resume();
    socket.write(`pid ${process.pid}\n${this.#isReady ? 'ready\n' : ''}`);
    this.#watch();
  }

  #watch(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const isIdle = this.#isReady && this.#sockets.size === 0;
    this.#timer = isIdle ? setTimeout(this.#onIdle, this.#idleMs) : null;
  }
}
