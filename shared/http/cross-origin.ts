/**
 * Owns letting pages of other origins read answers (CORS), where the operator named these origins; by default nobody did. Never says who may ask:
 * a page needs a key like anybody else.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const MEMORY_SECONDS = 600;
const exposed = 'allow, location, retry-after, www-authenticate, x-request-id';
const allowedHeaders =
  'authorization, content-type, idempotency-key, last-event-id, traceparent, x-api-key, x-auth-token, x-auth-user';
const allowedMethods = 'DELETE, GET, HEAD, POST, PUT';

/** Answers a page that asks whether it may ask; false: it is no such question. */
function answerPreflight({ method, headers }: FastifyRequest, reply: FastifyReply): boolean {
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
  reply.raw.setHeader('access-control-allow-methods', allowedMethods);
  reply.raw.setHeader('access-control-allow-headers', allowedHeaders);
  reply.raw.setHeader('access-control-max-age', String(MEMORY_SECONDS));
  reply.code(204).send();
  return true;
}

/** Adds what browsers look for; before anything that refuses requests, since they ask without a key first. `*`: every origin. */
export function allowOrigins(server: Pick<FastifyInstance, 'addHook'>, origins: readonly string[]): void {
  if (origins.length === 0) return;
  server.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    // On the connection's own answer: streams and answers of other coordinators are written past the framework.
    reply.raw.setHeader('vary', 'origin');
    if (origin === undefined || !(origins.includes(origin) || origins.includes('*'))) {
      done();
      return;
    }
    reply.raw.setHeader('access-control-allow-origin', origin);
    reply.raw.setHeader('access-control-expose-headers', exposed);
    if (!answerPreflight(request, reply)) done();
  });
}
