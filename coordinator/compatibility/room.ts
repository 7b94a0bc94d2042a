/**
 * Owns what a room is that speaks another system's protocol over our server: its own way of saying a key and an error, bodies of any content type, paths
 * with and without a slash at their end. Never knows a protocol, and never lets in whom a native route would not.
 * Invariant: errors of a room's routes, of the server itself too, are told in the words of its protocol; what is our defect is told to our log alone.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SystemError } from '../../shared/errors.ts';
import { parseJsonBody } from '../../shared/http/json-body.ts';
import { toHttpError } from '../../shared/http/problem.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Scope } from '../../shared/model/tenant.ts';
import type { HttpServer } from '../http/server.ts';

/** How a protocol says keys and errors. */
export interface RoomTerms {
  readonly log: Logger;
  readonly bodyBytesMax: number;
  /** The key that a request names; undefined: none, or by `Authorization: Bearer`. */
  readonly keyOf: (request: FastifyRequest) => string | undefined;
  /** Answers with an error. */
  readonly refuse: (error: SystemError, request: FastifyRequest, reply: FastifyReply) => FastifyReply;
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** What a route answers; an object is JSON with status 200. */
export type RoomHandler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/** A part of the server with the protocol's own manners. */
export interface Room {
  /** Adds a route; `scope`: what a key needs for it. */
  add(method: Method, path: string, scope: Scope | 'any', handler: RoomHandler): void;
}

/** Opens a room on the server. */
export function openRoom(server: HttpServer, terms: RoomTerms, furnish: (room: Room) => void): void {
  const { keyOf, log, bodyBytesMax } = terms;
  server.register(async (part) => {
    part.removeAllContentTypeParsers();
    part.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    part.setErrorHandler((thrown, request, reply) => {
      const error = toHttpError(thrown, bodyBytesMax);
      if (error.code === 'internal') log.error({ err: error.cause ?? error, requestId: request.id }, 'request failed');
      if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
      return terms.refuse(error, request, reply);
    });
    furnish({
      add: (method, path, scope, handler) => {
        // What a tenant has is at its coordinator, whoever was asked.
        const config = { scope, keyOf, ...(scope === 'execute' ? { forwarded: 'recorded' as const } : {}) };
        for (const url of [path, `${path}/`]) part.route({ method, url, exposeHeadRoute: false, config, handler });
      },
    });
  });
}

/** The members of a body, whatever its type says: a form, or JSON; undefined: it is neither, or no object. SystemError `request-invalid`. */
export function readMembers({ body, headers }: FastifyRequest): Readonly<Record<string, unknown>> | undefined {
  const bytes = body as Buffer | undefined;
  if (bytes === undefined || bytes === null || bytes.length === 0) return {};
  const type = headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded') && bytes[0] !== OPENING_BRACE)
    return Object.fromEntries(new URLSearchParams(bytes.toString()));
  const value = parseJsonBody(bytes);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

const OPENING_BRACE = 0x7b;

/** A parameter of the query; the last one where it is named several times. */
export function readParameter(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  const last = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

/** A header; the first one where it is sent several times. */
export function readHeader({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Is it an error of ours that a retry elsewhere or later may help? */
export function isForLater(error: unknown): error is SystemError {
  return error instanceof SystemError && error.isRetryable;
}
