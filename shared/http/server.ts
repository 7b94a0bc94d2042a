/**
 * Owns the HTTP server that coordinator and agent serve the same API by: strict parsing and validation, errors as problem+json, request ids. The only
 * place that configures Fastify. Never knows what a route does, or who may ask: whoever makes one says that.
 * Invariants: a body is read only after its sender is known; nothing is coerced or dropped; every error has the same form.
 */
import type { IncomingMessage, RequestListener, Server, ServerOptions as ServerOptionsOfNode } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { TSchema } from '@sinclair/typebox';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Random } from '../clock.ts';
import { type ErrorCode, SystemError } from '../errors.ts';
import { toBase32 } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { compileAnswerText, PROMISE_BROKEN } from './answer-text.ts';
import { NoBody } from './answers.ts';
import { checkCarriage, isContinue, toPath } from './carriage.ts';
import { allowOrigins } from './cross-origin.ts';
import { parseJsonBody } from './json-body.ts';
import { cutLongAnswers } from './long-answers.ts';
import { Methods } from './methods.ts';
import { PROBLEM_TYPE, type Problem, toHttpError, toProblem } from './problem.ts';
import { endSlowReaders } from './slow-readers.ts';
import type { TlsIdentity } from './tls.ts';
import { refuseUnreadable } from './unreadable-requests.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served to whoever asks; the route checks for itself. */
    isOpen?: boolean;
    /** How its errors look, where they are no problem+json: routes that speak another protocol. */
    refusal?: (problem: Problem) => { readonly type: string; readonly body: string };
  }
  interface FastifySchema {
    /** A sentence for the description, and what else is to be known. */
    summary?: string;
    description?: string;
    /** What a client calls it: a verb and a noun. */
    operationId?: string;
    /** Not for clients. */
    hide?: boolean;
    /** Errors that this route may give, besides those that every route of its kind may give. */
    errors?: readonly ErrorCode[];
    /** Answers of these statuses say in Location where what was made can be had. */
    location?: readonly number[];
    /** The answer is a stream of events: the schema of each one's data, by its name. */
    events?: Readonly<Record<string, TSchema>>;
    /** What the answer is when it is not JSON by a schema. */
    mediaType?: string;
    /** Further statuses with such an answer, or without any. */
    alsoAnswers?: readonly number[];
    /** No body is an empty one. */
    isBodyOptional?: boolean;
    /** The body is bytes of this media type, which the route reads itself. */
    rawBody?: string;
  }
}

/** What the server needs. */
export interface ServerDeps {
  readonly log: Logger;
  readonly random: Random;
  /** Lets a request in, or throws; called before its body is read. */
  readonly admit: (request: FastifyRequest, isOpen: boolean) => Promise<void> | void;
  /** Serves in the place of plain HTTP. */
  readonly tls?: Pick<TlsIdentity, 'serve'> | undefined;
  /** Whose log it is, in a sentence, and where the API is described. */
  readonly who: string;
  readonly description: string;
  /** Hears of every answer. */
  readonly answered?: (route: string, method: string, code: number, durationMs: number) => void;
}

/** Bounds of the server. */
export interface ServerOptions {
  readonly bodyBytesMax: number;
  /** Addresses and ranges of proxies that are believed. */
  readonly trustProxy: readonly string[];
  /** How long a request may take to arrive. */
  readonly requestMsMax: number;
  /** How long a client may take nothing of an answer. */
  readonly answerStallMsMax: number;
  /** Origins whose pages may read answers; `*`: all. */
  readonly corsOrigins: readonly string[];
}

const KEEP_ALIVE_MS = 72_000;
const HEADERS_MS_MAX = 60_000;
/** How often Node looks for connections whose time is over. */
const LOOK_MS_MAX = 30_000;
const LOOK_MS_MIN = 100;
const RETRY_AFTER_SECONDS = 2;
const DISCARDED_BYTES_MAX = 256 * 1024 * 1024;

/** What holds for a server that nobody has set otherwise. */
export const serverDefaults: ServerOptions = {
  bodyBytesMax: 33_554_432,
  trustProxy: [],
  requestMsMax: 120_000,
  answerStallMsMax: 30_000,
  corsOrigins: [],
};

/** A server without routes that does not listen yet. */
export function createStrictServer(deps: ServerDeps, options: ServerOptions) {
  const server = createFramework(deps, options);
  server.setValidatorCompiler((route) => compileValidator(route));
  server.setSerializerCompiler((route) => {
    const toText = compileAnswerText(route, (promise) => deps.log.error(promise, PROMISE_BROKEN));
    // What is no text yet passes through the framework as it is, to the hook that makes it one.
    return toText as (answer: unknown) => string;
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body));
    } catch (error) {
      done(error as Error);
    }
  });
  const methods = new Methods();
  endSlowReaders(server, options.answerStallMsMax);
  cutLongAnswers(server);
  allowOrigins(server, options.corsOrigins);
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    checkCarriage(request.raw, request.originalUrl);
    const isOpen = request.routeOptions.config.isOpen === true || (request.is404 && methods.isOpen(request.url));
    const admitted = deps.admit(request, isOpen);
    if (admitted instanceof Promise) admitted.then(() => done(), done);
    else done();
  });
  refuseUnknown(server, deps, methods);
  takeBodies(server);
  if (deps.answered !== undefined) {
    const { answered } = deps;
    server.addHook('onResponse', (request, reply, done) => {
      answered(request.routeOptions.url ?? 'unknown', request.method, reply.statusCode, reply.elapsedTime);
      done();
    });
  }
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, deps, options.bodyBytesMax));
  return server;
}

function createFramework(deps: ServerDeps, options: ServerOptions) {
  const { bodyBytesMax, trustProxy, requestMsMax } = options;
  // Request ids need not be secret: a random part for this process and a number are unique and cost nothing.
  const process = toBase32(deps.random.bytes(8));
  let requests = 0;
  const nextId = () => `req_${process}${(++requests).toString(36).padStart(6, '0')}`;
  const http = {
    requestTimeout: requestMsMax,
    headersTimeout: Math.min(HEADERS_MS_MAX, requestMsMax),
    connectionsCheckingInterval: Math.max(LOOK_MS_MIN, Math.min(LOOK_MS_MAX, requestMsMax / 4)),
    // Said in our own form.
    requireHostHeader: false,
    // A client that offers another protocol than WebSocket is answered in this one.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => /^websocket$/i.test(headers.upgrade ?? ''),
  };
  const server = fastify({
    ...{ logger: false, bodyLimit: bodyBytesMax, requestTimeout: requestMsMax },
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    ...{ forceCloseConnections: true, return503OnClosing: false },
    genReqId: nextId,
    routerOptions: { maxParamLength: 256 },
    rewriteUrl: ({ url = '/' }) => (url.startsWith('/') ? url : toPath(url)),
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket, nextId(), deps.who),
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply, deps, bodyBytesMax),
    ...(deps.tls === undefined ? { http } : { serverFactory: serveTls(deps.tls, http) }),
  }).withTypeProvider<TypeBoxTypeProvider>();
  // Node itself would ask for a body whose sender nobody knows yet, and answer other expectations without a word.
  const serve = (...exchange: unknown[]) => server.server.emit('request', ...exchange);
  server.server.on('checkContinue', serve).on('checkExpectation', serve);
  return server;
}

/** What Fastify sets on a server of its own making. */
function serveTls(tls: Pick<TlsIdentity, 'serve'>, options: ServerOptionsOfNode) {
  return (listener: RequestListener): Server =>
    Object.assign(tls.serve(listener, options), { keepAliveTimeout: KEEP_ALIVE_MS });
}

type Framework = ReturnType<typeof createFramework>;

/** Bodies are asked for once their sender is known; a route that takes none takes nothing in it. */
function takeBodies(server: Framework): void {
  server.addHook('onRoute', ({ method, schema }) => {
    if (schema === undefined || schema.body !== undefined || schema.rawBody !== undefined) return;
    if (![method].flat().some((name) => name === 'POST' || name === 'PUT')) return;
    schema.body = NoBody;
    schema.isBodyOptional = true;
  });
  // Before whoever passes the request on as it comes.
  server.addHook('onRequest', (request, reply, done) => {
    if (isContinue(request.headers.expect)) reply.raw.writeContinue();
    done();
  });
  server.addHook('preValidation', (request, _reply, done) => {
    // Null is a body.
    if (request.routeOptions.schema?.isBodyOptional === true && request.body === undefined) request.body = {};
    done();
  });
}

/** Paths that nobody serves, and methods that a path does not take: their bodies are not read. */
function refuseUnknown(server: Framework, { description }: ServerDeps, methods: Methods): void {
  server.addHook('onRoute', (route) => methods.add(route));
  server.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const asked = `${request.method} ${request.url.slice(0, 200)}`;
    const allowed = methods.at(request.url);
    if (allowed === null) throw new SystemError('not-found', `there is no ${asked}; see ${description}`);
    reply.header('allow', allowed);
    if (request.method !== 'OPTIONS')
      throw new SystemError('method-not-allowed', `there is no ${asked}; that path takes ${allowed}`);
    reply.code(204).send();
  });
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
  if (error.http === 415) reply.header('accept-encoding', 'identity');
  const problem = toProblem(error, request.id, who);
  const refusal = request.routeOptions.config.refusal?.(problem);
  return reply
    .code(error.http)
    .header('x-request-id', request.id)
    .header('content-type', refusal?.type ?? PROBLEM_TYPE)
    .send(refusal?.body ?? JSON.stringify(problem));
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
