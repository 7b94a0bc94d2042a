/**
 * Owns how much of this process's memory bodies may hold together, from when they are announced until what is in them is counted elsewhere
 * (request-memory) or their requests are answered. Never counts small bodies, and none that a route reads as a stream or that nobody reads.
 * Invariant: what a body holds is given back once, however its request ends. The request does not say that: one that is answered before it is whole is
 * never closed. Its answer, its handler and its connection do.
 */
import type { Socket } from 'node:net';
import { type Readable, Transform } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { SystemError } from '../../shared/errors.ts';
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

/** What a body is announced to weigh; 0: no route wants it as a whole; null: that is seen as it comes; bytes. */
function announcedBytes({ headers, method, is404, routeOptions }: FastifyRequest, bytesMax: number): number | null {
  if (is404 || method === 'GET' || method === 'HEAD' || routeOptions.schema?.rawBody !== undefined) return 0;
  if (headers['transfer-encoding'] !== undefined) return null;
  return Math.min(Number(headers['content-length'] ?? 0), bytesMax);
}

/** What one body holds until it is given back. */
class BodyShare implements HeldBody {
  readonly #shares: MemoryShares;
  readonly #tenant: Tenant;
  /** Those of its connection; null: it is over. */
  #siblings: Set<BodyShare> | null;
  #bytes = 0;
  #isHandled = false;
  #isGone = false;
  /** Does somebody read it who keeps it? */
  isKept = false;

  constructor(shares: MemoryShares, tenant: Tenant, siblings: Set<BodyShare>) {
    this.#shares = shares;
    this.#tenant = tenant;
    this.#siblings = siblings.add(this);
  }

  /** It is so large, or has become it; SystemError `queue-full` when there is no room for that now. */
  grow(bytes: number): void {
    if (bytes <= SMALL_BYTES_MAX || this.#siblings === null) return;
    if (!this.#shares.take(this.#tenant, bytes - this.#bytes, this.#bytes)) {
      throw noRoom(`bodies that are being read leave no room for ${bytes} bytes now`);
    }
    this.#bytes = bytes;
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

/** A body that is counted as it comes. */
function countBody(body: Readable, share: BodyShare): Readable {
  let bytes = 0;
  const counted = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      try {
        share.grow(bytes);
      } catch (error) {
        done(error as SystemError);
        return;
      }
      done(null, chunk);
    },
  });
  body.once('error', (error) => counted.destroy(error));
  return body.pipe(counted);
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

  /** Counts bodies as they come, and gives back what they hold when their requests are over; before the server's routes are added. */
  watch(server: HttpServer): void {
    server.addHook('preParsing', (request, _reply, body, done) => {
      const share = this.#held.get(request);
      if (share === undefined) {
        done(null, body);
        return;
      }
      share.isKept = true;
      done(null, request.headers['transfer-encoding'] === undefined ? body : countBody(body, share));
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
    if (bytes !== null && bytes <= SMALL_BYTES_MAX) return;
    const { tenant, raw } = request;
    // Its client may have gone while it was found out who asks: then nothing says so any more. A request that was ended has no socket.
    const socket: Socket | null | undefined = raw.socket;
    if (raw.destroyed || socket === null || socket === undefined || socket.destroyed) return;
    const share = new BodyShare(this.#shares, tenant, this.#sharesOf(socket));
    try {
      if (bytes !== null) share.grow(bytes);
    } catch (error) {
      share.giveBack();
      throw error;
    }
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
