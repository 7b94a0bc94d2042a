/**
 * Owns an answer's way to the client, whoever gave it: streamed while it is measured, recorded, and kept aside where that is allowed.
 * Never holds a body in memory and never repairs one: an answer that breaks off breaks off for the client too.
 * Invariant: an answer that began leaves exactly one artefact record, before the client sees its end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import type { Clock } from '../../shared/clock.ts';
import type { ArtefactRecord, EgressConfig, RefusalCode } from '../../shared/model/egress.ts';
import type { Refusal } from './admission.ts';
import type { ArtefactStore, Keeping } from './artefact-store.ts';
import { whyTooYoung } from './cool-down.ts';
import { hasCredentials, headerOf, toClientHeaders } from './headers.ts';
import type { PathShapes } from './immutable-paths.ts';
import { isAnswerKeepable, type KeepableRequest, toIndex, variedFields } from './keeping-rules.ts';
import type { Ledger } from './ledger.ts';
import { isSignedQuery, Meter, toRecordedUrl, toRedirectTarget, type WantsReader } from './materials.ts';
import { type Upstream, UpstreamError } from './upstream.ts';

/** What every exchange of a build shares. */
export interface ExchangeContext {
  readonly config: EgressConfig;
  readonly ledger: Ledger;
  readonly upstream: Upstream;
  /** Null: nothing is kept and nothing kept is used. */
  readonly store: ArtefactStore | null;
  readonly shapes: PathShapes;
  readonly clock: Clock;
  /** Answers under way: what to call so that each leaves its record although it is not over. */
  readonly underWay: Set<() => void>;
}

/** One admitted request and its client. */
export interface Exchange extends KeepableRequest {
  /** The host that the build asked, not its mirror. */
  readonly host: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly refuse: (refusal: Refusal) => void;
}

/** An answer's head, and its body to come. */
export interface Answer {
  readonly httpCode: number;
  readonly phrase: string;
  readonly rawHeaders: readonly string[];
  readonly body: Readable;
  readonly source: ArtefactRecord['source'];
  /** Ends it where it comes from. */
  readonly abandon: () => void;
  /** Calls the listener when nothing has come for too long. */
  readonly stalled?: (listener: () => void) => void;
  readonly wants: WantsReader | null;
}

/** Why the build does not get this answer. */
function whyWithheld(
  { config, ledger, shapes, clock }: ExchangeContext,
  exchange: Exchange,
  answer: Answer,
): Refusal | null {
  const declared = exchange.method === 'HEAD' ? 0 : Number(headerOf(answer.rawHeaders, 'content-length') ?? 0);
  if (ledger.isTooMuch(declared))
    return {
      code: 'quota-exceeded',
      sentence: `an answer of ${declared} bytes is more than is left of this build's quota of bytes`,
    };
  const { host, target } = exchange;
  if (answer.httpCode !== 200) return null;
  return whyTooYoung(config.policy, shapes, { host, target, rawHeaders: answer.rawHeaders }, clock.nowMs());
}

/** Begins to keep an upstream's answer; null when it may not be kept. */
function keep({ store, shapes }: ExchangeContext, exchange: Exchange, answer: Answer): Keeping | null {
  if (store === null || answer.source !== 'upstream' || !isAnswerKeepable(exchange, answer, shapes)) return null;
  return store.keep(Number(headerOf(answer.rawHeaders, 'content-length') ?? 0));
}

function finishKeeping(
  { store, clock }: ExchangeContext,
  keeping: Keeping,
  exchange: Exchange,
  answer: Answer,
  meter: Meter,
): void {
  if (store === null) return;
  keeping.finish({
    index: toIndex(exchange, store.tenantId),
    phrase: answer.phrase,
    rawHeaders: toClientHeaders(answer.rawHeaders),
    varied: variedFields(exchange.rawHeaders, answer.rawHeaders) ?? [],
    sha256: meter.sha256,
    bytes: meter.bytes,
    storedAtMs: clock.nowMs(),
  });
}

function toRecord(
  { ledger }: ExchangeContext,
  exchange: Exchange,
  answer: Answer,
  location: string | null,
): Omit<ArtefactRecord, 'sha256' | 'bytes' | 'isComplete'> {
  const { url, rawHeaders, method, route } = exchange;
  const query = url.split(/\?(.*)/s, 2)[1] ?? '';
  return {
    kind: 'artefact',
    url: toRecordedUrl(url),
    method: method as ArtefactRecord['method'],
    httpCode: answer.httpCode,
    contentEncoding: headerOf(answer.rawHeaders, 'content-encoding'),
    location: location === null ? null : toRecordedUrl(location),
    commits: [...(answer.wants?.wants ?? [])],
    isWithCredentials: hasCredentials(rawHeaders) || (isSignedQuery(query) && !ledger.wasHandedOut(url)),
    source: answer.source,
    mirror: route.mirror,
  };
}

/** Streams an answer to its client. */
export function relay(context: ExchangeContext, exchange: Exchange, answer: Answer): void {
  const { ledger, underWay } = context;
  const { url, host, response, refuse } = exchange;
  const withheld = whyWithheld(context, exchange, answer);
  if (withheld !== null) {
    answer.abandon();
    return void refuse(withheld);
  }
  const location = toRedirectTarget(headerOf(answer.rawHeaders, 'location') ?? undefined, url);
  if (location !== null) ledger.handOut(location);
  const keeping = keep(context, exchange, answer);
  const meter = new Meter((chunk) => {
    const exceeded = ledger.take(chunk.length);
    if (exceeded !== null) return new UpstreamError(exceeded.code as RefusalCode, exceeded.sentence);
    keeping?.append(chunk);
    return null;
  });
  let isRecorded = false;
  const record = (isComplete: boolean): void => {
    underWay.delete(recordCut);
    if (isRecorded) return;
    isRecorded = true;
    if (keeping !== null && isComplete) finishKeeping(context, keeping, exchange, answer, meter);
    else keeping?.abandon();
    const { sha256, bytes } = meter;
    ledger.write({ ...toRecord(context, exchange, answer, location), sha256, bytes, isComplete });
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
    const broken = new UpstreamError('upstream-broken', `${host} broke off its answer`);
    const failure = error instanceof UpstreamError ? error : broken;
    ledger.refuse(url, failure.code, failure.message);
  };
  // Records come before the client sees the end, so that a build that is over at once has left them.
  meter.once('end', () => record(true));
  answer.stalled?.(() => fail(new UpstreamError('upstream-broken', `the answer of ${host} stood still for too long`)));
  meter.once('error', fail);
  answer.body.once('error', fail);
  response.sendDate = false;
  try {
    response.writeHead(answer.httpCode, answer.phrase, toClientHeaders(answer.rawHeaders));
  } catch {
    // The parser is more tolerant than the writer: a code of 99, control characters in a phrase.
    answer.abandon();
    keeping?.abandon();
    isOver = true;
    return void refuse({ code: 'upstream-broken', sentence: `${host} answered with something that is not HTTP` });
  }
  pipeline(answer.body, meter, response, (error) => (error ? answer.abandon() : undefined));
}
