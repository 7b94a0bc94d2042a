/**
 * Owns asking the server: where it is, whose key goes along, how long an answer may take, what is asked again. Never knows what an execution is.
 * Invariants: the key goes nowhere but to that server, not even by a redirect; what can't be asked twice without being done twice is asked once;
 * whatever ends, its socket and its timers end with it.
 */
import { type ClientClock, Leash } from './clock.ts';
import { EnvicutorError, toAnswerError } from './envicutor-error.ts';
import { type RetryPolicy, Trouble } from './retries.ts';

/** One request. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** From the server's root, with a slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | null | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly content: NonNullable<RequestInit['body']>; readonly type: string };
  readonly signal?: AbortSignal | undefined;
  /** How long it may be silent; milliseconds. */
  readonly silenceMsMax?: number;
  /** What may not be tried again although its code says so; default: nothing, and everything for what is no GET, PUT or DELETE. */
  readonly isRepeated?: (error: EnvicutorError) => boolean;
}

/** An answer whose body is read as it comes. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The next bytes; null after the last. */
  read(): Promise<Uint8Array | null>;
  /** Ends it, wherever it is. */
  close(): void;
}

/** What a transport is made of. */
export interface TransportSettings {
  readonly url: string;
  readonly key: string | null;
  readonly fetch: typeof fetch;
  readonly retries: RetryPolicy;
  readonly clock: ClientClock;
  readonly signal: AbortSignal | null;
}

/** How long an answer may take that nobody has to wait for. */
export const ANSWER_MS_MAX = 30_000;
/** What an answer may weigh that is read as a whole. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;

const decoder = new TextDecoder();

/** A JSON body. */
export const toJson = (value: unknown) => ({ content: JSON.stringify(value), type: 'application/json' });

/** Asks one server as one tenant. */
export class Transport {
  readonly #settings: TransportSettings;

  constructor(settings: TransportSettings) {
    this.#settings = settings;
  }

  get clock(): ClientClock {
    return this.#settings.clock;
  }

  /** The server, without a slash at the end. */
  get url(): string {
    return this.#settings.url;
  }

  /** A row of failures of something that is made of several requests. */
  trouble(): Trouble {
    return new Trouble(this.#settings.retries, this.#settings.clock);
  }

  /** These signals, and that of the whole client. */
  signals(...signals: (AbortSignal | undefined)[]): AbortSignal[] {
    return [...signals, this.#settings.signal ?? undefined].filter((signal) => signal !== undefined);
  }

  /** Asks, and asks again while that may help; the answer's JSON. */
  async ask<Body>(call: Call): Promise<Body> {
    return parse((await this.#insist(call)).bytes) as Body;
  }

  /** The same for an answer that is bytes. */
  async askBytes(call: Call): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#insist(call)).bytes;
  }

  /** Has something removed; that it is not there any more is what was asked for, if it was asked before. */
  async remove(call: Call): Promise<void> {
    let failures = 0;
    const isRepeated = () => {
      failures += 1;
      return true;
    };
    await this.#insist({ ...call, isRepeated }).catch((error: unknown) => {
      if (!(error instanceof EnvicutorError && error.status === 404 && failures > 1)) throw error;
    });
  }

  async #insist(call: Call): Promise<{ readonly status: number; readonly bytes: Uint8Array<ArrayBuffer> }> {
    const { method, isRepeated = () => method !== 'POST' } = call;
    const trouble = this.trouble();
    for (;;) {
      try {
        const answer = await this.open(call);
        return { status: answer.status, bytes: await readAll(answer, ANSWER_BYTES_MAX) };
      } catch (error) {
        if (error instanceof EnvicutorError && !isRepeated(error)) throw error;
        await trouble.wait(error, this.signals(call.signal));
      }
    }
  }

  /** Asks once; an answer that is none of success is an EnvicutorError. */
  async open(call: Call): Promise<OpenAnswer> {
    const { silenceMsMax = ANSWER_MS_MAX, signal } = call;
    const leash = new Leash(this.#settings.clock, this.signals(signal));
    const allow = () => leash.allow(silenceMsMax, () => silence(call, silenceMsMax));
    try {
      leash.signal.throwIfAborted();
      allow();
      const response = await this.#settings.fetch(this.#toUrl(call), this.#toInit(call, leash.signal));
      const answer = toOpenAnswer(response, call, leash, allow);
      if (response.ok) return answer;
      const text = decoder.decode(await readAll(answer, 1024 * 1024));
      throw toAnswerError(response.status, response.headers, text, this.#settings.clock.nowMs());
    } catch (error) {
      leash.release();
      throw toFailure(error, leash.signal, call);
    }
  }

  #toUrl({ path, query = {} }: Call): string {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
    );
    return `${this.#settings.url}${path}${given.length === 0 ? '' : `?${given.join('&')}`}`;
  }

  #toInit({ method, headers = {}, body }: Call, signal: AbortSignal): RequestInit {
    const { key } = this.#settings;
    const init: RequestInit & { duplex?: 'half' } = {
      ...{ method, signal, redirect: 'error', credentials: 'omit', cache: 'no-store' },
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': body.type }),
        ...headers,
      },
    };
    if (body !== undefined) init.body = body.content;
    // What is sent as it comes is sent before its answer is read.
    if (body?.content instanceof ReadableStream) init.duplex = 'half';
    return init;
  }
}

function silence({ method, path }: Call, silenceMsMax: number): EnvicutorError {
  return new EnvicutorError('no-answer', `${method} ${path}: nothing came for ${silenceMsMax} ms`);
}

/** What a failed attempt is: what ended it, if that was us. */
function toFailure(error: unknown, ended: AbortSignal, { method, path }: Call): unknown {
  if (ended.aborted) return ended.reason;
  if (error instanceof EnvicutorError) return error;
  const why = error instanceof Error ? causeOf(error) : String(error);
  return new EnvicutorError('connection-failed', `${method} ${path}: ${why}`, { cause: error });
}

function causeOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

function toOpenAnswer(response: Response, call: Call, leash: Leash, allow: () => void): OpenAnswer {
  const reader = response.body?.getReader();
  return {
    status: response.status,
    headers: response.headers,
    async read() {
      if (reader === undefined) {
        leash.release();
        return null;
      }
      try {
        leash.signal.throwIfAborted();
        allow();
        const { done, value } = await reader.read();
        // Whoever does not read just now is not waiting.
        leash.rest();
        if (done) leash.release();
        return done ? null : value;
      } catch (error) {
        leash.release();
        throw toFailure(error, leash.signal, call);
      }
    },
    close() {
      leash.pull(new EnvicutorError('connection-failed', 'it was closed here'));
      reader?.cancel().catch(() => undefined);
    },
  };
}

/** All bytes of an answer, which is over then in any case. */
async function readAll(answer: OpenAnswer, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let piece = await answer.read(); piece !== null; piece = await answer.read()) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      answer.close();
      throw new EnvicutorError('answer-too-large', `the answer has more than ${bytesMax} bytes`);
    }
    pieces.push(piece);
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes)) as unknown;
  } catch (error) {
    throw new EnvicutorError('answer-malformed', 'the answer is no JSON', { cause: error });
  }
}
