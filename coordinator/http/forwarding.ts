/**
 * Owns passing a request on to the coordinator that answers for its tenant, as it came, and its answer back, as it comes: events stream, and a client
 * that goes away is gone there too. Never reads a body.
 * Invariants: a request is passed on once; what nobody can be asked for is served here as far as that goes.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { Agent, type Dispatcher } from '../../shared/undici.ts';
import type { Destination } from '../cluster/cluster.ts';
import type { HttpServer } from './server.ts';

/** Where a tenant's requests go. */
export interface Forwarder {
  /** The coordinator that answers for this tenant; null: they are served here. */
  locate(tenantId: string): Promise<Destination | null> | Destination | null;
}

/** Says that a request was passed on already. */
const FORWARDED = 'x-envicutor-forwarded';
/** What belongs to a connection, not to what travels over it. */
const ofConnection = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'host', 'expect'],
]);
const ofTenants = /^\/v1\/(executions|environments)(\/|$)/;

function toHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !ofConnection.has(name)) kept[name] = value;
  }
  return kept;
}

/** Passes requests of tenants of other coordinators on; call before the routes are added. */
export function addForwarding(server: HttpServer, forwarder: Forwarder, log: Logger): void {
  // An answer may take as long as its client waits: the coordinator that is asked has the bounds.
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connectTimeout: 2000 });
  server.addHook('onClose', () => dispatcher.destroy());
  server.addHook('onRequest', async (request, reply) => {
    if (!ofTenants.test(request.routeOptions.url ?? '') || request.headers[FORWARDED] !== undefined) return;
    const found = forwarder.locate(request.tenant.id);
    const destination = found instanceof Promise ? await found : found;
    if (destination !== null) await forward(request, reply, { ...destination, dispatcher, log });
  });
}

interface Way extends Destination {
  readonly dispatcher: Dispatcher;
  readonly log: Logger;
}

async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  { url, lost, dispatcher, log }: Way,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  reply.raw.once('close', leave);
  try {
    const answer = await dispatcher.request({
      origin: url,
      path: request.raw.url ?? '/',
      method: request.method as Dispatcher.HttpMethod,
      headers: { ...toHeaders(request.headers), [FORWARDED]: request.id },
      body: toBody(request.raw),
      signal: AbortSignal.any([gone.signal, lost]),
    });
    reply.hijack();
    await relay(answer, reply.raw);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (reply.raw.headersSent || gone.signal.aborted) {
      reply.hijack();
      reply.raw.destroy();
      return;
    }
    log.warn({ url, requestId: request.id, reason }, 'request not passed on');
    // What is recorded can be read here as well.
    if (request.method === 'GET') return;
    throw new SystemError('shard-moved', `the coordinator of tenant ${request.tenant.id} does not answer now`, {
      cause: error,
      retryAfterSeconds: 2,
    });
  } finally {
    reply.raw.off('close', leave);
  }
}

function toBody(request: IncomingMessage): IncomingMessage | null {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  return length === '0' && encoding === undefined ? null : request;
}

async function relay({ statusCode, headers, body }: Dispatcher.ResponseData, raw: ServerResponse): Promise<void> {
  raw.writeHead(statusCode, toHeaders(headers as IncomingHttpHeaders));
  raw.flushHeaders();
  await pipeline(body, raw);
}
