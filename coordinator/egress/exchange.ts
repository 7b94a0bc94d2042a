/**
 * Owns one request's way through the proxy: admission, quotas, the kept answer or the upstream, and who of both answers.
 * Never streams a body itself (relay) and never serves a kept one that the rules of keeping or the upstream did not let go.
 * Invariant: an admitted answer leaves exactly one artefact record; anything refused leaves a refusal (or, for audits, a note).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { RefusalCode } from '../../shared/model/egress.ts';
import {
  type Destination,
  destinationOf,
  isRefusal,
  type Origin,
  type Refusal,
  whyHostDenied,
  whyRequestDenied,
} from './admission.ts';
import type { ArtefactEntry } from './artefact-entry.ts';
import { headerOf, toUpstreamHeaders, withFields } from './headers.ts';
import { isRequestKeepable, isServedUnasked, isVariedSame, toIndex, validatorOf } from './keeping-rules.ts';
import { toRecordedUrl, WantsReader } from './materials.ts';
import { toRoute } from './mirrors.ts';
import { type Answer, type Exchange, type ExchangeContext, relay } from './relay.ts';
import { toUpstreamError, UpstreamError } from './upstream.ts';

const staleRetriesMax = 3;
const badGateway: ReadonlySet<RefusalCode | 'audit-denied'> = new Set([
  'name-unknown',
  'upstream-unreachable',
  'upstream-untrusted',
  'upstream-broken',
]);
/** What a 304 says anew about the answer that it stands for. */
const renewed = ['date', 'age', 'cache-control', 'expires'];

/** Answers a refusal: the sentence as body and as reason phrase, since some clients show only the one or the other. */
export function answerRefusal(response: ServerResponse, { code, sentence }: Refusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const httpCode = badGateway.has(code) ? 502 : code === 'request-invalid' ? 400 : 403;
  const body = `Envicutor's build network: ${sentence}.\n`;
  response.writeHead(httpCode, sentence.replace(/[^\x20-\x7e]/g, '?').slice(0, 200), {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

function authorityOf({ scheme, host, port }: Destination): string {
  return port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${port}`;
}

function whyDenied(
  { config, ledger }: ExchangeContext,
  destination: Destination,
  request: IncomingMessage,
): Refusal | null {
  const exceeded = ledger.admit(destination.host);
  if (exceeded !== null) return exceeded;
  if (destination.scheme === 'http' && !config.policy.isPlainHttpAllowed)
    return {
      code: 'plain-http-denied',
      sentence: `plain http is denied by the operator's policy: use https for ${destination.host}`,
    };
  return whyHostDenied(config.policy, destination.host) ?? whyRequestDenied(request, config.quotas.urlBytesMax);
}

/** Carries out one request of the build. */
export function carryOut(
  context: ExchangeContext,
  origin: Origin,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { ledger, config } = context;
  const refuse = (refusal: Refusal, url: string): void => {
    if (refusal.code === 'audit-denied')
      ledger.write({ kind: 'note', code: 'audit-denied', sentence: `${toRecordedUrl(url)}: ${refusal.sentence}` });
    else ledger.refuse(url, refusal.code, refusal.sentence);
    answerRefusal(response, refusal);
  };
  const target = request.url ?? '';
  const destination = destinationOf(request, origin);
  if (isRefusal(destination))
    return void refuse(destination, `${origin.scheme}://${request.headers.host ?? ''}${target}`);
  const url = `${destination.scheme}://${authorityOf(destination)}${target}`;
  const denied = whyDenied(context, destination, request);
  if (denied !== null) return void refuse(denied, url);
  answer(context, {
    host: destination.host,
    method: request.method ?? 'GET',
    url,
    target,
    rawHeaders: request.rawHeaders,
    route: toRoute(config.policy.mirrors, destination, target),
    request,
    response,
    refuse: (refusal) => refuse(refusal, url),
  });
}

/** By a kept answer that never changes, else by the upstream. */
function answer(context: ExchangeContext, exchange: Exchange): void {
  const { store, shapes, clock } = context;
  const found = store !== null && isRequestKeepable(exchange) ? store.find(toIndex(exchange, store.tenantId)) : null;
  const kept = found !== null && isVariedSame(exchange.rawHeaders, found.varied) ? found : null;
  if (kept === null || !isServedUnasked(exchange, kept, shapes, clock.nowMs()))
    return void forward(context, exchange, kept, staleRetriesMax);
  const ageSeconds = Math.max(0, Math.floor((clock.nowMs() - kept.storedAtMs) / 1000));
  serve(context, exchange, kept, 'stored', [
    ['Age', String(ageSeconds + Number(headerOf(kept.rawHeaders, 'age') ?? 0))],
  ]);
}

/** Gives out a kept answer whose body is still what it was; else asks the upstream for all of it. */
function serve(
  context: ExchangeContext,
  exchange: Exchange,
  kept: ArtefactEntry,
  source: Answer['source'],
  fields: readonly (readonly [name: string, value: string])[],
): void {
  const ask = (): void => forward(context, exchange, null, staleRetriesMax);
  const reading = context.store?.read(kept) ?? Promise.resolve(null);
  reading.then((body) => {
    if (exchange.response.destroyed) return void body?.destroy();
    if (body === null) return void ask();
    const rawHeaders = withFields(kept.rawHeaders, fields);
    const abandon = (): void => void body.destroy();
    relay(context, exchange, { httpCode: 200, phrase: kept.phrase, rawHeaders, body, source, abandon, wants: null });
  }, ask);
}

function forward(context: ExchangeContext, exchange: Exchange, kept: ArtefactEntry | null, retriesLeft: number): void {
  const { request, response, route, method } = exchange;
  const hasBody = method === 'POST';
  const wants = hasBody ? new WantsReader() : null;
  const condition = kept === null ? null : validatorOf(kept.rawHeaders);
  const outgoing = context.upstream.request(route.destination, {
    method,
    path: route.path,
    headers: [
      ...toUpstreamHeaders(exchange.rawHeaders, authorityOf(route.destination), hasBody),
      ...(condition === null ? [] : condition),
    ],
  });
  const abandon = (): void => void outgoing.destroy();
  response.once('close', abandon);
  let isSettled = false;
  const settle = (): boolean => {
    const isFirst = !isSettled;
    isSettled = true;
    return isFirst;
  };
  outgoing.once('response', (incoming) => {
    if (!settle()) return;
    const { statusCode = 502, statusMessage = '', rawHeaders } = incoming;
    if (kept !== null && condition !== null && statusCode === 304) {
      incoming.resume();
      response.off('close', abandon);
      const said = renewed.flatMap((name): [string, string][] => {
        const value = headerOf(rawHeaders, name);
        return value === null ? [] : [[name, value]];
      });
      return void serve(context, exchange, kept, 'revalidated', said);
    }
    const stalled = (listener: () => void): void => void outgoing.once('timeout', listener);
    const heads = { httpCode: statusCode, phrase: statusMessage, rawHeaders };
    relay(context, exchange, { ...heads, body: incoming, source: 'upstream', abandon, stalled, wants });
  });
  const fail = (error: NodeJS.ErrnoException): void => {
    // After the answer began, its own stream reports the failure.
    if (!settle() || response.destroyed) return;
    response.off('close', abandon);
    const isStale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    if (isStale && !hasBody && retriesLeft > 0) return void forward(context, exchange, kept, retriesLeft - 1);
    const failure = toUpstreamError(error, exchange.host);
    exchange.refuse({ code: failure.code, sentence: failure.message });
  };
  outgoing.on('error', fail);
  // An upgrade that nobody asked for ends without an answer and without an error.
  outgoing.once('close', () => fail(new UpstreamError('upstream-broken', `${exchange.host} gave no answer`)));
  if (wants === null) outgoing.end();
  else pipeline(request, wants, outgoing, (error) => (error ? abandon() : undefined));
}
