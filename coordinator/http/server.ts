/**
 * Owns the HTTP server: strict parsing and validation, errors as problem+json, request ids, who asks. The only place that configures
 * Fastify. Never knows what a route does.
 * Invariants: a body is read only after its sender is known; nothing is coerced or dropped; every error has the same form.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Random } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { toBase32 } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { Authenticate } from './authentication.ts';
import { parseJsonBody } from './json-body.ts';
import { PROBLEM_TYPE, toHttpError, toProblem } from './problem.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    tenant: Tenant;
  }
  interface FastifyContextConfig {
    /** Served to whoever asks; the route checks for itself. */
    isOpen?: boolean;
  }
}

/** What the server needs. */
export interface ServerDeps {
  readonly log: Logger;
  readonly random: Random;
  readonly authenticate: Authenticate;
  readonly isEmbedded: boolean;
  /** Hears of every answer. */
  readonly answered?: (route: string, method: string, code: number, durationMs: number) => void;
}

/** Bounds of the server. */
export interface ServerOptions {
  readonly bodyBytesMax: number;
  readonly trustProxy: boolean;
}

const REQUEST_MS_MAX = 120_000;
const RETRY_AFTER_SECONDS = 2;
const DISCARDED_BYTES_MAX = 256 * 1024 * 1024;

/** A server without routes that does not listen yet. */
export function createServer(deps: ServerDeps, options: ServerOptions) {
  // Request ids need not be secret: a random part for this process and a number are unique and cost nothing.
  const process = toBase32(deps.random.bytes(8));
  let requests = 0;
  const server = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    trustProxy: options.trustProxy,
    requestTimeout: REQUEST_MS_MAX,
    forceCloseConnections: true,
    return503OnClosing: false,
    genReqId: () => `req_${process}${(++requests).toString(36).padStart(6, '0')}`,
    routerOptions: { maxParamLength: 256 },
  }).withTypeProvider<TypeBoxTypeProvider>();

  server.setValidatorCompiler((route) => compileValidator(route));
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body));
    } catch (error) {
      done(error as Error);
    }
  });
  server.decorateRequest('tenant');
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const isOpen = request.routeOptions.config.isOpen === true;
    if (!isOpen || deps.isEmbedded) request.tenant = deps.authenticate(request.headers);
    done();
  });
  if (deps.answered !== undefined) {
    const { answered } = deps;
    server.addHook('onResponse', (request, reply, done) => {
      answered(request.routeOptions.url ?? 'unknown', request.method, reply.statusCode, reply.elapsedTime);
      done();
    });
  }
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, deps.log, options.bodyBytesMax));
  server.setNotFoundHandler((request, reply) => {
    const error = new SystemError(
      'not-found',
      `there is no ${request.method} ${request.url.slice(0, 200)}; see /openapi.json`,
    );
    return sendProblem(error, request, reply, deps.log, options.bodyBytesMax);
  });
  return server;
}

/** A server as routes see it. */
export type HttpServer = ReturnType<typeof createServer>;

function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
  bodyBytesMax: number,
): FastifyReply {
  const error = toHttpError(thrown, bodyBytesMax);
  if (error.code === 'internal') log.error({ err: error.cause ?? error, requestId: request.id }, 'request failed');
  if (error.http === 429 || error.http === 503) {
    reply.header('retry-after', String(error.retryAfterSeconds ?? RETRY_AFTER_SECONDS));
  }
  if (error.http === 401) reply.header('www-authenticate', 'Bearer');
  if (error.code === 'body-too-large') lingerOrClose(request, reply);
  return reply
    .code(error.http)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(toProblem(error, request.id)));
}

/**
 * A client that is still sending when its connection is reset never sees the answer. So the rest of a refused body of bounded,
 * announced length is read and thrown away (Node does that on a connection that stays open); any other closes the connection.
 */
function lingerOrClose(request: FastifyRequest, reply: FastifyReply): void {
  const announced = Number(request.headers['content-length']);
  if (announced <= DISCARDED_BYTES_MAX) reply.removeHeader('connection');
  else reply.header('connection', 'close');
}
