/**
 * Owns a TCP relay that passes bytes on in small pieces, each when the event loop has gone round: a slow network without a clock. Never loses or changes one.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A running relay to a port of this machine. */
export class SlowRelay {
  readonly #sockets = new Set<Socket>();
  readonly #pieceBytes: number;
  readonly #port: number;
  readonly #server = createServer((near) => this.#join(near));
  /** How many pieces went through. */
  pieces = 0;

  private constructor(port: number, pieceBytes: number) {
    this.#port = port;
    this.#pieceBytes = pieceBytes;
  }

  static async open(
    test: { after(ending: () => unknown): unknown },
    port: number,
    pieceBytes: number,
  ): Promise<SlowRelay> {
    const relay = new SlowRelay(port, pieceBytes);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    test.after(() => {
      for (const socket of relay.#sockets) socket.destroy();
      relay.#server.close();
    });
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #join(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    void this.#pass(near, far);
    void this.#pass(far, near);
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; at += this.#pieceBytes) {
          if (!to.write(chunk.subarray(at, at + this.#pieceBytes))) await once(to, 'drain');
          this.pieces += 1;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  }
}
