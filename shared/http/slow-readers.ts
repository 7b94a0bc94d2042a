/**
 * Owns ending connections whose other end takes nothing of its answer any more: an answer of megabytes is not kept for ever for nobody. Never counts
 * the time before there is an answer, and lets go of what is read slowly but steadily.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Watches every answer of a server; before its routes are added. */
export function endSlowReaders(server: Pick<FastifyInstance, 'addHook'>, stallMsMax: number): void {
  // Requests may come one behind another before the first is answered.
  const open = new WeakMap<Socket, number>();
  server.addHook('onRequest', (request, _reply, done) => {
    const { socket } = request.raw;
    open.set(socket, (open.get(socket) ?? 0) + 1);
    done();
  });
  server.addHook('onSend', (request, _reply, payload, done) => {
    // Without a listener Node closes the connection; it counts bytes that leave as life.
    request.raw.socket.setTimeout(stallMsMax);
    done(null, payload);
  });
  server.addHook('onResponse', (request, _reply, done) => {
    const { socket } = request.raw;
    const left = (open.get(socket) ?? 1) - 1;
    open.set(socket, left);
    // With none left the time is Node's, for connections that idle.
    if (left > 0) socket.setTimeout(0);
    done();
  });
}
