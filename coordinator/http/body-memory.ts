/**
 * Owns how much of this process's memory bodies may hold together while they arrive and are read; what a request holds once it is accepted is
 * counted elsewhere (request-memory). Never counts small bodies, and none that a route reads as a stream.
 */
import type { FastifyRequest } from 'fastify';
import { MemoryShares, noRoom } from '../executions/memory-shares.ts';
import type { HttpServer } from './server.ts';

/** Bounds of bodies. */
export interface BodyMemoryOptions {
  /** Of all bodies that arrive; 0: as memory-shares says; bytes. */
  readonly liveRequestBytesMax: number;
  readonly bodyBytesMax: number;
  readonly isEmbedded: boolean;
}

/** What a connection holds anyway. */
const SMALL_BYTES_MAX = 65_536;

/** What a body is announced to weigh, of one that a route wants as a whole. */
function announcedBytes({ headers, routeOptions }: FastifyRequest, bodyBytesMax: number): number {
  if (routeOptions.schema?.rawBody !== undefined) return 0;
  const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : bodyBytesMax;
  return Math.min(bytes, bodyBytesMax);
}

/** See the head of this file. */
export class BodyMemory {
  readonly #shares: MemoryShares;
  readonly #bodyBytesMax: number;
  readonly #held = new WeakMap<FastifyRequest, number>();

  constructor({ liveRequestBytesMax, bodyBytesMax, isEmbedded }: BodyMemoryOptions) {
    this.#shares = new MemoryShares({ bytesMax: liveRequestBytesMax, isEmbedded });
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Gives back what requests hold once they are read; before the server's routes are added. */
  watch(server: HttpServer): void {
    server.addHook('preHandler', (request, _reply, done) => {
      this.#giveBack(request);
      done();
    });
  }

  /** Of a request whose tenant is known and whose body is not read yet; SystemError `queue-full` when there is no room for it now. */
  take(request: FastifyRequest): void {
    const bytes = announcedBytes(request, this.#bodyBytesMax);
    if (bytes <= SMALL_BYTES_MAX) return;
    if (!this.#shares.take(request.tenant, bytes)) {
      throw noRoom(`bodies that are being read leave no room for ${bytes} bytes now`);
    }
    this.#held.set(request, bytes);
    // Refused meanwhile, or broken off, which the framework tells nobody.
    request.raw.once('close', () => this.#giveBack(request));
  }

  #giveBack(request: FastifyRequest): void {
    const bytes = this.#held.get(request);
    this.#held.delete(request);
    if (bytes !== undefined) this.#shares.add(request.tenant, -bytes);
  }
}
