/**
 * Owns how a server that goes away treats its clients: connections are not kept for further requests, and it knows when the last answer is given.
 * Never refuses anything: whoever answers decides. Streams of events are not waited for: their readers resume elsewhere.
 */
import type { FastifyReply } from 'fastify';
import { atMost, type Clock } from '../../shared/clock.ts';
import type { HttpServer } from './server.ts';

const STREAM = /\/events$/;

/** See the head of this file. */
export class Leaving {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #underWay = new Set<FastifyReply>();
  #isLeaving = false;
  #quiet: (() => void) | null = null;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Looks after this server's answers; before its routes are added. */
  watch(server: HttpServer): void {
    server.addHook('onRequest', (request, reply, done) => {
      if (this.#isLeaving) reply.raw.shouldKeepAlive = false;
      if (!STREAM.test(request.routeOptions.url ?? '')) {
        this.#underWay.add(reply);
        reply.raw.once('close', () => this.#ended(reply));
      }
      done();
    });
  }

  #ended(reply: FastifyReply): void {
    this.#underWay.delete(reply);
    if (this.#underWay.size === 0) this.#quiet?.();
  }

  /** From now on no connection is kept. */
  leave(): void {
    this.#isLeaving = true;
    for (const { raw } of this.#underWay) if (!raw.headersSent) raw.shouldKeepAlive = false;
  }

  /** Resolves when no request is being answered, or the time is over. */
  async quiet(timeMsMax: number): Promise<void> {
    if (this.#underWay.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#quiet = resolve;
    await atMost(this.#clock, timeMsMax, promise);
  }
}
