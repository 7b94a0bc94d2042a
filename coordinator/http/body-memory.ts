/**
 * Owns how much of this process's memory bodies may hold together, from when they are announced until what is in them is counted elsewhere
 * (request-memory) or their requests are answered. Never counts small bodies, and none that a route reads as a stream or that nobody reads.
 * Invariant: what a body holds is given back once, however its request ends. The request does not say that: one that is answered before it is whole is
 * never closed. Its answer, its handler and its connection do.
 */
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { type HeldBody, handleBody } from '../executions/handled-body.ts';
import { MemoryShares, noRoom, SMALL_BYTES_MAX } from '../executions/memory-shares.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { HttpServer } from './server.ts';

/** Bounds of bodies. */
export interface BodyMemoryOptions {
  /** Of all bodies that arrive; 0: as memory-shares says; bytes. */
  readonly liveRequestBytesMax: number;
  readonly bodyBytesMax: number;
  readonly isEmbedded: boolean;
}

/** What a body is announced to weigh, and of unknown length may; 0: no route wants it as a whole; bytes. */
function announcedBytes({ headers, method, is404, routeOptions }: FastifyRequest, bytesMax: number): number {
  if (is404 || method === 'GET' || method === 'HEAD' || routeOptions.schema?.rawBody !== undefined) return 0;
  const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : bytesMax;
  return Math.min(bytes, bytesMax);
}

/** What one body holds until it is given back. */
class BodyShare implements HeldBody {
  readonly #shares: MemoryShares;
  readonly #tenant: Tenant;
  /** Those of its connection; null: it is over. */
  #siblings: Set<BodyShare> | null;
  #bytes: number;
  #isHandled = false;
  #isGone = false;
  /** Does somebody read it who keeps it? */
  isKept = false;

  constructor(shares: MemoryShares, tenant: Tenant, bytes: number, siblings: Set<BodyShare>) {
    this.#shares = shares;
    this.#tenant = tenant;
    this.#bytes = bytes;
    this.#siblings = siblings.add(this);
  }

  /** Lets a request be handled, which has its body until then, whether its client stays or not. */
  handle<Answer>(handler: () => Answer): Answer {
    const end = () => {
      this.#isHandled = false;
      if (this.#isGone) this.giveBack();
    };
    this.#isHandled = true;
    let answer: Answer | null = null;
    try {
      answer = handleBody(this, handler);
      return answer;
    } finally {
      if (answer instanceof Promise) answer.then(end, end);
      else end();
    }
  }

  /** Its client is gone. */
  leave(): void {
    this.#isGone = true;
    if (!this.#isHandled) this.giveBack();
  }

  giveBack(): void {
    this.#shares.add(this.#tenant, -this.#bytes);
    this.#bytes = 0;
    this.#siblings?.delete(this);
    this.#siblings = null;
  }
}

/** See the head of this file. */
export class BodyMemory {
  readonly #shares: MemoryShares;
  readonly #bodyBytesMax: number;
  readonly #held = new WeakMap<FastifyRequest, BodyShare>();
  readonly #connections = new WeakMap<Socket, Set<BodyShare>>();

  constructor({ liveRequestBytesMax, bodyBytesMax, isEmbedded }: BodyMemoryOptions) {
    this.#shares = new MemoryShares({ bytesMax: liveRequestBytesMax, isEmbedded });
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Gives back what they hold when their requests are over; before the server's routes are added. */
  watch(server: HttpServer): void {
    server.addHook('preParsing', (request, _reply, _body, done) => {
      const share = this.#held.get(request);
      if (share !== undefined) share.isKept = true;
      done();
    });
    server.addHook('onRoute', (route) => {
      const { handler } = route;
      const held = this.#held;
      route.handler = function (request, reply) {
        const share = held.get(request);
        const handle = () => handler.call(this, request, reply);
        return share === undefined ? handle() : share.handle(handle);
      };
    });
    server.addHook('onResponse', (request, _reply, done) => {
      this.#held.get(request)?.giveBack();
      done();
    });
  }

  /** Of a request whose tenant is known and whose body is not read yet; SystemError `queue-full` when there is no room for it now. */
  take(request: FastifyRequest): void {
    const bytes = announcedBytes(request, this.#bodyBytesMax);
    if (bytes <= SMALL_BYTES_MAX) return;
    const { tenant, raw } = request;
    // Its client may have gone while it was found out who asks: then nothing says so any more. A request that was ended has no socket.
    const socket: Socket | null | undefined = raw.socket;
    if (raw.destroyed || socket === null || socket === undefined || socket.destroyed) return;
    if (!this.#shares.take(tenant, bytes))
      throw noRoom(`bodies that are being read leave no room for ${bytes} bytes now`);
    const share = new BodyShare(this.#shares, tenant, bytes, this.#sharesOf(socket));
    this.#held.set(request, share);
    // Passed on as it came: nobody holds it any more.
    raw.once('close', () => {
      if (!share.isKept) share.giveBack();
    });
  }

  #sharesOf(socket: Socket): Set<BodyShare> {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const shares = new Set<BodyShare>();
    this.#connections.set(socket, shares);
    socket.once('close', () => {
      for (const share of shares) share.leave();
    });
    return shares;
  }
}
