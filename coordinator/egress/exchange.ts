/**
 * Owns one request's way through the proxy: admission, quotas, upstream, the answer streamed back while it is measured, the record.
 * Never keeps a body and never repairs one: an answer that breaks off breaks off for the client too.
 * Invariant: an admitted answer leaves exactly one artefact record; anything refused leaves a refusal (or, for audits, a note).
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { ArtefactRecord, EgressConfig, RefusalCode } from '../../shared/model/egress.ts';
import {
  type Destination,
  destinationOf,
  isRefusal,
  type Origin,
  type Refusal,
  whyHostDenied,
  whyRequestDenied,
} from './admission.ts';
import { hasCredentials, toClientHeaders, toUpstreamHeaders } from './headers.ts';
import type { Ledger } from './ledger.ts';
import { isSignedQuery, Meter, toRecordedUrl, toRedirectTarget, WantsReader } from './materials.ts';
import { toUpstreamError, type Upstream, UpstreamError } from './upstream.ts';

/** What every exchange of a build shares. */
export interface ExchangeContext {
  readonly config: EgressConfig;
  readonly ledger: Ledger;
  readonly upstream: Upstream;
  /** Answers under way: what to call so that each leaves its record although it is not over. */
  readonly underWay: Set<() => void>;
}

const staleRetriesMax = 3;
const badGateway: ReadonlySet<RefusalCode | 'audit-denied'> = new Set([
  'name-unknown',
  'upstream-unreachable',
  'upstream-untrusted',
  'upstream-broken',
]);

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

function urlOf({ scheme, host, port }: Destination, path: string): string {
  const isUsual = port === (scheme === 'https' ? 443 : 80);
  return `${scheme}://${host}${isUsual ? '' : `:${port}`}${path}`;
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
  const { ledger } = context;
  const refuse = (refusal: Refusal, url: string): void => {
    if (refusal.code === 'audit-denied')
      ledger.write({ kind: 'note', code: 'audit-denied', sentence: `${toRecordedUrl(url)}: ${refusal.sentence}` });
    else ledger.refuse(url, refusal.code, refusal.sentence);
    answerRefusal(response, refusal);
  };
  const path = request.url ?? '';
  const destination = destinationOf(request, origin);
  if (isRefusal(destination))
    return void refuse(destination, `${origin.scheme}://${request.headers.host ?? ''}${path}`);
  const url = urlOf(destination, path);
  const denied = whyDenied(context, destination, request);
  if (denied !== null) return void refuse(denied, url);
  forward(context, { destination, url, request, response, refuse: (refusal) => refuse(refusal, url) }, staleRetriesMax);
}

interface Exchange {
  readonly destination: Destination;
  readonly url: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly refuse: (refusal: Refusal) => void;
}

function forward(context: ExchangeContext, exchange: Exchange, retriesLeft: number): void {
  const { destination, request, response } = exchange;
  const method = request.method ?? 'GET';
  const hasBody = method === 'POST';
  const isUsual = destination.port === (destination.scheme === 'https' ? 443 : 80);
  const authority = isUsual ? destination.host : `${destination.host}:${destination.port}`;
  const wants = hasBody ? new WantsReader() : null;
  const outgoing = context.upstream.request(destination, {
    method,
    path: request.url ?? '/',
    headers: toUpstreamHeaders(request.rawHeaders, authority, hasBody),
  });
  const abandon = (): void => void outgoing.destroy();
  response.once('close', abandon);
  let isSettled = false;
  const settle = (): boolean => {
    const isFirst = !isSettled;
    isSettled = true;
    return isFirst;
  };
  outgoing.once('response', (answer) => {
    if (settle()) relay(context, exchange, answer, outgoing, wants);
  });
  const fail = (error: NodeJS.ErrnoException): void => {
    // After the answer began, its own stream reports the failure.
    if (!settle() || response.destroyed) return;
    response.off('close', abandon);
    const isStale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
    if (isStale && !hasBody && retriesLeft > 0) return void forward(context, exchange, retriesLeft - 1);
    const failure = toUpstreamError(error, destination.host);
    exchange.refuse({ code: failure.code, sentence: failure.message });
  };
  outgoing.on('error', fail);
  // An upgrade that nobody asked for ends without an answer and without an error.
  outgoing.once('close', () => fail(new UpstreamError('upstream-broken', `${destination.host} gave no answer`)));
  if (wants === null) outgoing.end();
  else pipeline(request, wants, outgoing, (error) => (error ? abandon() : undefined));
}

/** The upstream's failure as it is, or any other as a broken upstream. */
function toAnswerFailure(error: Error, sentence: string): UpstreamError {
  return error instanceof UpstreamError ? error : new UpstreamError('upstream-broken', sentence);
}

/** What a record says of the exchange's heads. */
function describeAnswer(
  request: IncomingMessage,
  answer: IncomingMessage,
): Pick<ArtefactRecord, 'method' | 'httpCode' | 'contentEncoding'> {
  return {
    method: request.method as ArtefactRecord['method'],
    httpCode: answer.statusCode ?? 0,
    contentEncoding: answer.headers['content-encoding'] ?? null,
  };
}

function relay(
  { ledger, underWay }: ExchangeContext,
  { destination, url, request, response, refuse }: Exchange,
  answer: IncomingMessage,
  outgoing: ClientRequest,
  wants: WantsReader | null,
): void {
  const declared = request.method === 'HEAD' ? 0 : Number(answer.headers['content-length'] ?? 0);
  if (ledger.isTooMuch(declared)) {
    outgoing.destroy();
    return void refuse({
      code: 'quota-exceeded',
      sentence: `an answer of ${declared} bytes is more than is left of this build's quota of bytes`,
    });
  }
  const query = url.split(/\?(.*)/s, 2)[1] ?? '';
  const location = toRedirectTarget(answer.headers.location, url);
  if (location !== null) ledger.handOut(location);
  const meter = new Meter((bytes) => {
    const exceeded = ledger.take(bytes);
    return exceeded === null ? null : new UpstreamError(exceeded.code as RefusalCode, exceeded.sentence);
  });
  let isRecorded = false;
  const record = (isComplete: boolean): void => {
    underWay.delete(recordCut);
    if (isRecorded) return;
    isRecorded = true;
    ledger.write({
      kind: 'artefact',
      url: toRecordedUrl(url),
      ...describeAnswer(request, answer),
      sha256: meter.sha256,
      bytes: meter.bytes,
      location: location === null ? null : toRecordedUrl(location),
      commits: [...(wants?.wants ?? [])],
      isWithCredentials: hasCredentials(request.rawHeaders) || (isSignedQuery(query) && !ledger.wasHandedOut(url)),
      isComplete,
    });
  };
  const recordCut = (): void => record(false);
  underWay.add(recordCut);
  let isOver = false;
  response.once('close', () => {
    // A client that leaves early is no failure of the upstream.
    if (!response.writableFinished) isOver = true;
    record(false);
  });
  const fail = (error: Error): void => {
    record(false);
    if (isOver) return;
    isOver = true;
    const failure = toAnswerFailure(error, `${destination.host} broke off its answer`);
    ledger.refuse(url, failure.code, failure.message);
  };
  // Records come before the client sees the end, so that a build that is over at once has left them.
  meter.once('end', () => record(true));
  outgoing.once('timeout', () =>
    fail(new UpstreamError('upstream-broken', `the answer of ${destination.host} stood still for too long`)),
  );
  meter.once('error', fail);
  answer.once('error', fail);
  response.sendDate = false;
  try {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', toClientHeaders(answer.rawHeaders));
  } catch {
    // The parser is more tolerant than the writer: a code of 99, control characters in a phrase.
    outgoing.destroy();
    isOver = true;
    return void refuse({
      code: 'upstream-broken',
      sentence: `${destination.host} answered with something that is not HTTP`,
    });
  }
  pipeline(answer, meter, response, (error) => (error ? outgoing.destroy() : undefined));
}
