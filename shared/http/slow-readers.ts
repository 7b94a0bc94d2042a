/**
 * Owns ending connections whose other end takes nothing of its answer any more: an answer of megabytes is not kept for ever for nobody. Never counts
 * the time before there is an answer, and lets go of what is read slowly but steadily.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { LongAnswer } from './long-answers.ts';

/** What a connection has to do: requests may come one behind another before the first is answered. */
interface Exchanges {
  /** Without a whole answer yet. */
  open: number;
  /** Of them, those whose answer is on its way. */
  answering: number;
}

/** Watches every answer of a server; before its routes are added. */
export function endSlowReaders(server: Pick<FastifyInstance, 'addHook'>, stallMsMax: number): void {
  const exchanges = new WeakMap<Socket, Exchanges>();
  const of = (socket: Socket): Exchanges => {
    const known = exchanges.get(socket) ?? { open: 0, answering: 0 };
    exchanges.set(socket, known);
    return known;
  };
  const answering = new WeakSet<FastifyReply>();
  // A request whose body somebody else has read, or that was ended, tells no socket any more.
  const sockets = new WeakMap<FastifyReply, Socket>();
  const socketOf = (reply: FastifyReply): Socket => sockets.get(reply) ?? reply.raw.req.socket;
  server.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    sockets.set(reply, socket);
    of(socket).open += 1;
    done();
  });
  server.addHook('onSend', (_request, reply, payload, done) => {
    const socket = socketOf(reply);
    // A stream is read as its reader reads: nothing of it is kept meanwhile.
    if (typeof payload === 'string' || Buffer.isBuffer(payload) || payload instanceof LongAnswer) {
      if (!answering.has(reply)) of(socket).answering += 1;
      answering.add(reply);
      // Nobody listens for it, so Node closes the connection; bytes that leave are life.
      socket.setTimeout(stallMsMax);
    }
    done(null, payload);
  });
  server.addHook('onResponse', (_request, reply, done) => {
    const socket = socketOf(reply);
    const all = of(socket);
    all.open -= 1;
    if (answering.has(reply)) all.answering -= 1;
    // With none left the time is Node's, for connections that idle.
    if (all.answering === 0 && all.open > 0) socket.setTimeout(0);
    done();
  });
}
