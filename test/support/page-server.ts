/**
 * A site for the browser's tests: serves a page, the client as the package has it, and the API below the same origin, as a site with a reverse proxy does.
 * Whatever of the API goes through it can be cut, also by the page itself. Never looks into what it passes on.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join, normalize } from 'node:path';
import type { Duplex } from 'node:stream';

/** Modules as tsc makes them, which is how the package has them. */
const modules = join(import.meta.dirname, '../../dist');
const PAGE = '<!doctype html><meta charset="utf-8"><title>a page of a contest site</title>';

/** See the head of this file. */
export class PageServer {
  readonly #api: URL;
  readonly #server = createServer((incoming, outgoing) => this.#answer(incoming, outgoing));
  readonly #sockets = new Set<Socket>();
  /** How often everything was cut. */
  cuts = 0;

  private constructor(api: string) {
    this.#api = new URL(api);
    this.#server.on('upgrade', (incoming, socket, head) => this.#upgrade(incoming, socket, head));
  }

  static async open(test: { after(ending: () => unknown): void }, api: string): Promise<PageServer> {
    const server = new PageServer(api);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    test.after(async () => {
      server.cut();
      server.#server.close();
      server.#server.closeAllConnections();
      await once(server.#server, 'close');
    });
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection to the API, in whatever it is. */
  cut(): void {
    this.cuts += 1;
    for (const socket of this.#sockets) socket.destroy();
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { pathname } = new URL(incoming.url ?? '/', this.url);
    if (pathname.startsWith('/v1/')) this.#passOn(incoming, outgoing);
    else if (pathname === '/cut') {
      this.cut();
      outgoing.writeHead(204).end();
    } else if (pathname === '/') outgoing.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    else if (/^\/(client|shared|test)\/.+\.js$/.test(normalize(pathname)))
      outgoing
        .writeHead(200, { 'content-type': 'text/javascript' })
        .end(readFileSync(join(modules, normalize(pathname))));
    else outgoing.writeHead(404).end();
  }

  #passOn(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.#hold(incoming.socket);
    const { url, method, headers } = incoming;
    const onward = request(new URL(url ?? '/', this.#api), { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }

  #upgrade(incoming: IncomingMessage, near: Duplex, head: Buffer): void {
    const far = connect(Number(this.#api.port), this.#api.hostname);
    const { method, url, rawHeaders } = incoming;
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    far.write(`${[`${method} ${url} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`);
    far.write(head);
    this.#hold(near as Socket);
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
