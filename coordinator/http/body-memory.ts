/**
 * Owns how much of this process's memory bodies may hold together while they arrive and are read; what a request holds once it is accepted is
 * counted elsewhere (request-memory). Never counts small bodies, and none that a route reads as a stream or that nobody reads.
 * Invariant: what a body holds is given back once, however its request ends. Neither request nor answer alone says that: a request that is answered
 * before it is whole is never closed, and of those that come one behind another on a connection only the first has an answer that is.
 */
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
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

/** What a body is announced to weigh, of one that a route wants as a whole. */
function announcedBytes({ headers, method, is404, routeOptions }: FastifyRequest, bodyBytesMax: number): number {
  if (is404 || method === 'GET' || method === 'HEAD' || routeOptions.schema?.rawBody !== undefined) return 0;
  const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : bodyBytesMax;
  return Math.min(bytes, bodyBytesMax);
}

/** What one body holds until it is given back. */
class BodyShare {
  readonly #shares: MemoryShares;
  readonly #tenant: Tenant;
  /** Those of its connection. */
  #siblings: Set<BodyShare> | null;
  #bytes: number;

  constructor(shares: MemoryShares, tenant: Tenant, bytes: number, siblings: Set<BodyShare>) {
    this.#shares = shares;
    this.#tenant = tenant;
    this.#bytes = bytes;
    this.#siblings = siblings.add(this);
  }

  /** Idempotent. */
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

  /** Gives back what requests hold once they are read or answered; before the server's routes are added. */
  watch(server: HttpServer): void {
    server.addHook('preHandler', (request, _reply, done) => {
      this.#held.get(request)?.giveBack();
      done();
    });
    // Refused before they were whole.
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
    if (!this.#shares.take(tenant, bytes)) {
      throw noRoom(`bodies that are being read leave no room for ${bytes} bytes now`);
    }
    const share = new BodyShare(this.#shares, tenant, bytes, this.#sharesOf(socket));
    this.#held.set(request, share);
    // Passed on as it came, or broken off.
    raw.once('close', () => share.giveBack());
  }

  #sharesOf(socket: Socket): Set<BodyShare> {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const shares = new Set<BodyShare>();
    this.#connections.set(socket, shares);
    socket.once('close', () => {
      for (const share of shares) share.giveBack();
    });
    return shares;
  }
}
