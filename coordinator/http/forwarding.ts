/**
 * Owns passing a request on to the coordinator that answers for its tenant, as it came, and its answer back, as it comes: events stream, and a client
 * that goes away is gone there too. Never reads a body.
 * Invariants: a request is passed on at most so many times, by the word of coordinators, not of clients; what nobody can be asked for is served here as
 * far as that goes.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { Agent, type Dispatcher } from '../../shared/undici.ts';
import type { Destination } from '../cluster/cluster.ts';
import type { HttpServer } from './server.ts';
import { type PendingUpgrade, relayUpgrade } from './upgrade-relay.ts';
import { usageSubject } from './usage-routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * A route of another protocol that the tenant's coordinator answers; `passing`: what it runs leaves no record, so that any coordinator can do it.
     */
    forwarded?: 'passing' | 'recorded';
  }
}

/** Where a tenant's requests go. */
export interface Forwarder {
  /**
   * The coordinator that answers for this tenant; null: they are served here. `isPassing`: the request leaves no record; `isSent`: somebody thought
   * that we would know.
   */
  locate(tenantId: string, isPassing: boolean, isSent: boolean): Promise<Destination | null> | Destination | null;
  /** Who goes on with what was left to others; null: nobody within this time. */
  successor(tenantId: string, timeMsMax: number): Promise<Destination | null>;
}

/** How often a request was passed on already, and the proof that a coordinator says so: whoever could say it would be served where its bounds are not kept. */
const FORWARDED = 'x-envicutor-forwarded';
/** To one that answered a moment ago, from there to any other, to who answers now, and once more for whoever has old news. */
const FORWARDS_MAX = 4;
const SUCCESSOR_MS_MAX = 30_000;
/** What belongs to a connection, not to what travels over it. */
const ofConnection = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'host', 'expect'],
]);
/** What a browser says of the page that asks; it is about our address, and was looked at when the request came. */
const ofPages = /^(origin$|sec-fetch-)/;
const ofTenants = /^(\/v1\/(executions|environments|webhooks|usage|files)|\/internal\/collected)(\/|$)/;

function toHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !ofConnection.has(name)) kept[name] = value;
  }
  return kept;
}

function toForwarded(headers: IncomingHttpHeaders): ReturnType<typeof toHeaders> {
  return Object.fromEntries(Object.entries(toHeaders(headers)).filter(([name]) => !ofPages.test(name)));
}

/** Runs code and leaves no record: any coordinator can do it. */
function isPassing({ method, raw, headers, routeOptions }: FastifyRequest): boolean {
  if (routeOptions.config.forwarded === 'passing') return true;
  const isRun = method === 'POST' && routeOptions.url === '/v1/executions';
  return isRun && /[?&]wait=/.test(raw.url ?? '') && headers['idempotency-key'] === undefined;
}

/** The tenant whose coordinator is to answer. */
function subjectOf(request: FastifyRequest): string {
  return request.routeOptions.url === '/v1/usage' ? usageSubject(request) : request.tenant.id;
}

/** Passes requests on. */
export class Forwarding {
  readonly #forwarder: Forwarder;
  readonly #log: Logger;
  readonly #key: Uint8Array;
  // An answer may take as long as its client waits: the coordinator that is asked has the bounds.
  readonly #dispatcher: InstanceType<typeof Agent>;
  readonly #ca: string | undefined;
  /** Ends what was upgraded: no server does. */
  readonly #closing = new AbortController();

  /** `key` is derived from the instance key, which all coordinators have; `ca` is by whom those are known that serve over TLS. */
  constructor(forwarder: Forwarder, log: Logger, key: Uint8Array, ca?: string) {
    const connect = { timeout: 2000, ...(ca === undefined ? {} : { ca }) };
    this.#dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect });
    this.#ca = ca;
    this.#forwarder = forwarder;
    this.#log = log;
    this.#key = key;
  }

  #prove(tenantId: string, times: number): string {
    const proof = createHmac('sha256', this.#key).update(JSON.stringify([tenantId, times]));
    return `${times} ${proof.digest('base64url')}`;
  }

  #timesForwarded(headers: IncomingHttpHeaders, tenantId: string): number {
    const said = headers[FORWARDED];
    if (typeof said !== 'string') return 0;
    const given = Buffer.from(said);
    for (let times = 1; times <= FORWARDS_MAX; times += 1) {
      const expected = Buffer.from(this.#prove(tenantId, times));
      if (given.length === expected.length && timingSafeEqual(given, expected)) return times;
    }
    return 0;
  }

  /** Passes requests of tenants of other coordinators on; before the routes are added. */
  serve(server: HttpServer): void {
    server.addHook('onClose', () => {
      this.#closing.abort();
      return this.#dispatcher.destroy();
    });
    server.addHook('onRequest', async (request, reply) => {
      const { url = '', config } = request.routeOptions;
      if (config.forwarded === undefined && !ofTenants.test(url)) return;
      const times = this.#timesForwarded(request.headers, request.tenant.id);
      if (times >= FORWARDS_MAX) return;
      const found = this.#forwarder.locate(subjectOf(request), isPassing(request), times > 0);
      const destination = found instanceof Promise ? await found : found;
      if (destination !== null) await this.#pass(request, reply, destination, toBody(request.raw));
    });
  }

  /** Passes a request whose body was read already on to the coordinator that goes on with it; SystemError `shard-moved` when there is none. */
  async passOn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const destination = await this.#forwarder.successor(request.tenant.id, SUCCESSOR_MS_MAX);
    if (destination === null) throw toMoved(request.tenant.id);
    await this.#pass(request, reply, destination, JSON.stringify(request.body));
  }

  /** The same for one that nobody has taken up yet; false: it is ours after all, or nobody's. */
  async passAnew(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    if (this.#timesForwarded(request.headers, request.tenant.id) >= FORWARDS_MAX) return false;
    const destination = await this.#forwarder.locate(request.tenant.id, false, true);
    if (destination === null) return false;
    await this.#pass(request, reply, destination, JSON.stringify(request.body));
    return true;
  }

  /** Passes an upgrade on to the coordinator that answers for its tenant; false: it is ours. SystemError `shard-moved` when that does not answer. */
  async passUpgrade(upgrade: PendingUpgrade, tenantId: string): Promise<boolean> {
    const { headers } = upgrade.request;
    const times = this.#timesForwarded(headers, tenantId);
    if (times >= FORWARDS_MAX) return false;
    const destination = await this.#forwarder.locate(tenantId, false, times > 0);
    if (destination === null) return false;
    const { url, lost } = destination;
    const over = AbortSignal.any([lost, this.#closing.signal]);
    try {
      const said = { ...toForwarded(headers), ...this.#once(headers, tenantId) };
      await relayUpgrade(upgrade, { url, headers: said, over, ca: this.#ca });
    } catch (error) {
      this.#log.warn({ url, reason: error instanceof Error ? error.message : String(error) }, 'upgrade not passed on');
      throw toMoved(tenantId, error);
    }
    return true;
  }

  /** That it was passed on once more. */
  #once(headers: IncomingHttpHeaders, tenantId: string): Record<string, string> {
    return { [FORWARDED]: this.#prove(tenantId, Math.min(this.#timesForwarded(headers, tenantId) + 1, FORWARDS_MAX)) };
  }

  async #pass(
    request: FastifyRequest,
    reply: FastifyReply,
    { url, lost }: Destination,
    body: IncomingMessage | string | null,
  ): Promise<void> {
    const gone = new AbortController();
    const leave = () => gone.abort();
    reply.raw.once('close', leave);
    const headers = toForwarded(request.headers);
    // A text is written anew: its length may be another one.
    if (typeof body === 'string') delete headers['content-length'];
    try {
      const answer = await this.#dispatcher.request({
        origin: url,
        path: request.raw.url ?? '/',
        method: request.method as Dispatcher.HttpMethod,
        headers: { ...headers, ...this.#once(request.headers, request.tenant.id) },
        body,
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
      this.#log.warn({ url, requestId: request.id, reason }, 'request not passed on');
      // What is recorded can be read here as well.
      if (request.method !== 'GET') throw toMoved(request.tenant.id, error);
    } finally {
      reply.raw.off('close', leave);
    }
  }
}

function toMoved(tenantId: string, cause?: unknown): SystemError {
  const detail = `the coordinator of tenant ${tenantId} does not answer now`;
  return new SystemError('shard-moved', detail, { cause, retryAfterSeconds: 2 });
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
