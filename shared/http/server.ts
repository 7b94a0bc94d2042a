/**
 * Owns the HTTP server that coordinator and agent serve the same API by: strict parsing and validation, errors as problem+json, request ids. The only
 * place that configures Fastify. Never knows what a route does, or who may ask: whoever makes one says that.
 * Invariants: a body is read only after its sender is known; nothing is coerced or dropped; every error has the same form.
 */
import type { RequestListener, Server } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Random } from '../clock.ts';
import { SystemError } from '../errors.ts';
import { toBase32 } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { parseJsonBody } from './json-body.ts';
import { PROBLEM_TYPE, toHttpError, toProblem } from './problem.ts';
import type { TlsIdentity } from './tls.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served to whoever asks; the route checks for itself. */
    isOpen?: boolean;
  }
  interface FastifySchema {
    /** A sentence for the description. */
    summary?: string;
    /** Not for clients. */
    hide?: boolean;
  }
}

/** What the server needs. */
export interface ServerDeps {
  readonly log: Logger;
  readonly random: Random;
  /** Lets a request in, or throws, perhaps later; called before its body is read. */
  readonly admit: (request: FastifyRequest, isOpen: boolean) => Promise<void> | undefined | void;
  /** Whose log it is, in a sentence, and where the API is described. */
  readonly who: string;
  readonly description: string;
  /** Serves in the place of plain HTTP. */
  readonly tls?: Pick<TlsIdentity, 'serve'> | undefined;
  /** Hears of every answer. */
  readonly answered?: (route: string, method: string, code: number, durationMs: number) => void;
}

/** Bounds of the server. */
export interface ServerOptions {
  readonly bodyBytesMax: number;
  /** Addresses and ranges of proxies that are believed. */
  readonly trustProxy: readonly string[];
}

const REQUEST_MS_MAX = 120_000;
const KEEP_ALIVE_MS = 72_000;
const RETRY_AFTER_SECONDS = 2;
const DISCARDED_BYTES_MAX = 256 * 1024 * 1024;

/** A server without routes that does not listen yet. */
export function createStrictServer(deps: ServerDeps, options: ServerOptions) {
  // Request ids need not be secret: a random part for this process and a number are unique and cost nothing.
  const process = toBase32(deps.random.bytes(8));
  let requests = 0;
  const server = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    trustProxy: options.trustProxy.length > 0 ? [...options.trustProxy] : false,
    requestTimeout: REQUEST_MS_MAX,
    forceCloseConnections: true,
    return503OnClosing: false,
    genReqId: () => `req_${process}${(++requests).toString(36).padStart(6, '0')}`,
    routerOptions: { maxParamLength: 256 },
    ...(deps.tls === undefined ? {} : { serverFactory: serveTls(deps.tls) }),
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
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const admitted = deps.admit(request, request.routeOptions.config.isOpen === true);
    if (admitted instanceof Promise) admitted.then(() => done(), done);
    else done();
  });
  if (deps.answered !== undefined) {
    const { answered } = deps;
    server.addHook('onResponse', (request, reply, done) => {
      answered(request.routeOptions.url ?? 'unknown', request.method, reply.statusCode, reply.elapsedTime);
      done();
    });
  }
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, deps, options.bodyBytesMax));
  server.setNotFoundHandler((request, reply) => {
    const error = new SystemError(
      'not-found',
      `there is no ${request.method} ${request.url.slice(0, 200)}; see ${deps.description}`,
    );
    return sendProblem(error, request, reply, deps, options.bodyBytesMax);
  });
  return server;
}

/** What Fastify sets on a server of its own making. */
function serveTls(tls: Pick<TlsIdentity, 'serve'>) {
  return (listener: RequestListener): Server =>
    Object.assign(tls.serve(listener), { requestTimeout: REQUEST_MS_MAX, keepAliveTimeout: KEEP_ALIVE_MS });
}

/** A server as routes see it. */
export type HttpServer = ReturnType<typeof createStrictServer>;

function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log, who }: Pick<ServerDeps, 'log' | 'who'>,
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
    .send(JSON.stringify(toProblem(error, request.id, who)));
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
