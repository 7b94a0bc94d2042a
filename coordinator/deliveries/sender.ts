/**
 * Owns one attempt over HTTP: resolve, vet every address, dial one that was vetted, send, hear the status. Never follows a redirect, never keeps what a
 * receiver says, never takes longer than its time, whatever the receiver does.
 * Invariants: between the look at an address and the dial nothing is resolved again; a connection serves one attempt; at most so many bytes of an answer
 * are read.
 */
import { type ClientRequest, type IncomingMessage, request as requestPlainly } from 'node:http';
import { Agent as HttpsAgent, request as requestSecurely } from 'node:https';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../shared/clock.ts';
import { findDenied, type Resolve, type ResolvedAddress, toLookup } from '../egress/vetted-lookup.ts';
import { hostOf, type ReceiverRules, whyRefused } from './receiver-rules.ts';
import type { Sent } from './schedule.ts';

/** What is sent. */
export interface Outgoing {
  /** Absent: POST. */
  readonly method?: 'POST' | 'PUT' | undefined;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Makes attempts; never rejects. */
export interface Sender {
  send(outgoing: Outgoing, signal: AbortSignal): Promise<Sent>;
}

/** What a sender needs. */
export interface SenderDeps {
  readonly clock: Clock;
  readonly rules: ReceiverRules;
  readonly resolve: Resolve;
  /** PEM roots that receivers are verified with, read at the first need. */
  readonly loadRoots: () => string | string[];
}

const ANSWER_BYTES_MAX = 64 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
const ERROR_CHARACTERS_MAX = 200;

class AttemptError extends Error {}

function failed(error: string, status: number | null = null, retryAfterMs: number | null = null): Sent {
  return { status, error: error.slice(0, ERROR_CHARACTERS_MAX), retryAfterMs };
}

/** What the last failure was, without a word of the receiver's own. */
function toSentence(error: unknown): string {
  if (error instanceof AttemptError) return error.message;
  const { code } = error as { readonly code?: string };
  return `the receiver could not be reached (${code ?? 'unknown'})`;
}

/** Milliseconds that a `Retry-After` of seconds or of a date asks for; null when it says nothing that is understood. */
export function toRetryAfterMs(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

function toSent({ statusCode = 0, headers }: IncomingMessage, nowMs: number): Sent {
  if (statusCode >= 200 && statusCode < 300) return { status: statusCode, error: null, retryAfterMs: null };
  const isRedirect = statusCode >= 300 && statusCode < 400;
  const why = isRedirect ? 'redirects are not followed' : `the receiver answered ${statusCode}`;
  return failed(why, statusCode, toRetryAfterMs(headers['retry-after'], nowMs));
}

/** Resolves when the answer has ended, or enough of it was read; the status was said before. */
async function passOver(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  await new Promise<void>((resolve) => {
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) resolve();
    });
    for (const event of ['end', 'close', 'error']) answer.on(event, () => resolve());
  });
}

/** Resolves to addresses that may all be dialled; AttemptError otherwise. */
async function findAddresses(host: string, { rules, resolve }: SenderDeps): Promise<readonly ResolvedAddress[]> {
  const family = isIP(host);
  const found = family === 0 ? await resolve(host) : [{ address: host, family }];
  const denied = findDenied(found, rules.addresses);
  if (denied !== null) {
    throw new AttemptError(`${host} is at ${denied.address}, which webhooks may not reach: ${denied.why}`);
  }
  if (found.length === 0) throw new AttemptError(`${host} has no address`);
  return found;
}

/** Rejects when the signal is aborted, with its reason; never resolves. */
function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

/** A sender over node's own HTTP; `timeoutMs` is for all of an attempt. */
export class HttpSender implements Sender {
  readonly #deps: SenderDeps;
  readonly #timeoutMs: number;
  #secure: HttpsAgent | null = null;

  constructor(deps: SenderDeps, timeoutMs: number) {
    this.#deps = deps;
    this.#timeoutMs = timeoutMs;
  }

  async send(outgoing: Outgoing, signal: AbortSignal): Promise<Sent> {
    const over = new AbortController();
    const end = (why: string) => () => over.abort(new AttemptError(why));
    const late = end(`the receiver did not answer within ${this.#timeoutMs} ms`);
    const timer = this.#deps.clock.after(this.#timeoutMs, late);
    const abort = end('the attempt was given up');
    signal.addEventListener('abort', abort, { once: true });
    const lost = untilAborted(over.signal);
    let sent = failed('the receiver gave no answer');
    let isTold = false;
    const attempt = this.#exchange(outgoing, over.signal, (told) => {
      sent = told;
      isTold = true;
    });
    attempt.catch(() => undefined);
    try {
      await Promise.race([attempt, lost]);
      return sent;
    } catch (error) {
      // A status that was heard stands, however its body ends.
      return isTold ? sent : failed(toSentence(error));
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  async #exchange(outgoing: Outgoing, over: AbortSignal, told: (sent: Sent) => void): Promise<void> {
    const request = await this.#open(outgoing);
    const destroy = () => request.destroy(over.reason as Error);
    if (over.aborted) destroy();
    else over.addEventListener('abort', destroy, { once: true });
    try {
      const answer = await new Promise<IncomingMessage>((heard, lost) => {
        request.once('response', heard);
        // Whatever comes later has nobody to tell.
        request.on('error', lost);
        request.end(outgoing.body);
      });
      told(toSent(answer, this.#deps.clock.nowMs()));
      await passOver(answer);
    } finally {
      over.removeEventListener('abort', destroy);
      request.destroy();
    }
  }

  async #open({ method = 'POST', url: text, headers, body }: Outgoing): Promise<ClientRequest> {
    const why = whyRefused(text, this.#deps.rules);
    if (why !== null) throw new AttemptError(`the URL ${why}`);
    const url = new URL(text);
    const host = hostOf(url);
    const found = await findAddresses(host, this.#deps);
    const options = {
      ...{ host, port: url.port === '' ? undefined : url.port, path: `${url.pathname}${url.search}`, method },
      headers: { ...headers, host: url.host, 'content-length': String(body.length), connection: 'close' },
      ...{ lookup: toLookup(async () => found), maxHeaderSize: HEADER_BYTES_MAX },
    };
    if (url.protocol === 'http:') return requestPlainly({ ...options, agent: false });
    const servername = isIP(host) === 0 ? { servername: host } : {};
    return requestSecurely({ ...options, ...servername, agent: this.#secureAgent() });
  }

  #secureAgent(): HttpsAgent {
    // Parsing a bundle takes 10 ms and more: once.
    if (this.#secure !== null) return this.#secure;
    try {
      const secureContext = createSecureContext({ ca: this.#deps.loadRoots() });
      const options = { keepAlive: false, maxCachedSessions: 0, ALPNProtocols: ['http/1.1'], secureContext };
      this.#secure = new HttpsAgent(options);
      return this.#secure;
    } catch {
      throw new AttemptError('this coordinator finds no CA bundle: its operator has to install ca-certificates');
    }
  }
}
