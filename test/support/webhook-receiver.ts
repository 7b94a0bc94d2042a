/**
 * Owns a webhook's receiver for tests: real HTTP on loopback, which keeps what came and answers as a test says. Never checks anything.
 */
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What came. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Settings of a coordinator that may send to it. */
export const localReceivers = {
  webhookPlainHttp: true,
  webhookPorts: ['*'],
  webhookPrivateRanges: ['127.0.0.1'],
} as const;

/** A receiver; by default it takes everything. */
export class WebhookReceiver {
  readonly all: Received[] = [];
  /** Answers one; a test may leave it open. */
  respond: (response: ServerResponse, received: Received) => void = (response) => response.writeHead(204).end();
  readonly #heard = new EventEmitter();
  readonly #server = createServer(async (request, response) => {
    const { method = '', url: path = '', headers } = request;
    const received = { method, path, headers, body: await text(request).catch(() => '') };
    this.all.push(received);
    this.respond(response, received);
    this.#heard.emit('received');
  });

  /** Listens; on the port that it had when it was stopped. */
  async start(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Resolves when so many have come. */
  async received(count: number): Promise<readonly Received[]> {
    while (this.all.length < count) await once(this.#heard, 'received');
    return this.all;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
