/**
 * Owns a TCP relay that can be cut like a cable: what is sent then arrives nowhere and nobody is told; connections made meanwhile stay silent.
 * Never reads what it carries.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A running relay on a loopback port. */
export class CuttableRelay {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((near) => this.#join(near));
  readonly #port: number;
  #isCut = false;

  private constructor(port: number) {
    this.#port = port;
  }

  /** To a port of this machine. */
  static async open(port: number): Promise<CuttableRelay> {
    const relay = new CuttableRelay(port);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => {
        if (!this.#isCut) to.write(chunk);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        // A cut cable tells nobody that the other end is gone.
        if (!this.#isCut) to.destroy();
      });
    }
  }

  cut(): void {
    this.#isCut = true;
  }

  /** What was cut stays broken, as it is after a while; new connections go through. */
  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.mend();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
