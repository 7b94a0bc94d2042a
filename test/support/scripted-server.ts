/**
 * A server for the client's tests, without a network: a fetch that answers as the test says, under a clock that the test moves.
 * Never answers what was not scripted.
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type ClientOptions, EnvicutorClient } from '../../client/typescript/client.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A request that came. */
export interface Heard {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
  readonly init: RequestInit;
}

type Answering = (heard: Heard) => Promise<Response>;

/** Time that a test moves, with its chance and a count of what waits. */
class ClientsTime extends VirtualClock {
  pending = 0;
  readonly #chance: number;

  constructor(chance: number) {
    super();
    this.#chance = chance;
  }

  random(): number {
    return this.#chance;
  }

  override after(delayMs: number, action: () => void) {
    let isOver = false;
    const end = () => {
      if (!isOver) this.pending -= 1;
      isOver = true;
    };
    this.pending += 1;
    const timer = super.after(delayMs, () => {
      end();
      action();
    });
    return {
      cancel: () => {
        end();
        timer.cancel();
      },
    };
  }
}

/** See the head of this file. */
export class ScriptedServer {
  readonly clock: ClientsTime;
  readonly heard: Heard[] = [];
  /** One for each request, in order; then `otherwise`. */
  readonly answers: Answering[] = [];
  otherwise: Answering = () => Promise.reject(new Error('this test has no answer for that'));
  readonly #news = new EventEmitter();

  constructor(chance = 0) {
    this.clock = new ClientsTime(chance);
  }

  client(options: Partial<ClientOptions> = {}): EnvicutorClient {
    const answer = async (url: string, init: RequestInit): Promise<Response> => {
      const { method = 'GET', headers, body, signal } = init;
      assert.ok(signal instanceof AbortSignal);
      const heard = { url, method, headers: new Headers(headers), body: String(body ?? ''), signal, init };
      this.heard.push(heard);
      this.#news.emit('heard');
      return await (this.answers.shift() ?? this.otherwise)(heard);
    };
    return new EnvicutorClient({
      ...{ url: 'http://server.test', fetch: answer as typeof fetch, clock: this.clock },
      ...options,
    });
  }

  /** Resolves when so many requests have come. */
  async heardCount(count: number): Promise<void> {
    while (this.heard.length < count) await once(this.#news, 'heard');
  }

  /** Lets time pass and whatever follows from it happen. */
  async pass(durationMs: number): Promise<void> {
    this.clock.pass(durationMs);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves the time until so many requests have come; how long that took, in steps of a quarter of a second or the exact eighth. */
  async passUntilHeard(count: number): Promise<number> {
    await this.pass(0);
    const fromMs = this.clock.nowMs();
    while (this.heard.length < count && this.clock.nowMs() - fromMs < 300_000) await this.pass(125);
    assert.equal(this.heard.length, count);
    return this.clock.nowMs() - fromMs;
  }

  json(status: number, value: unknown): Answering {
    return async () => Response.json(value, { status });
  }

  text(status: number, text: string): Answering {
    return async () => new Response(text, { status });
  }

  problem(
    status: number,
    code: string,
    headers: Record<string, string> = {},
    errors: readonly object[] = [],
  ): Answering {
    const problem = { code, detail: `because of ${code}`, errors, requestId: 'req_1' };
    return async () => Response.json(problem, { status, headers });
  }

  /** As fetch fails when nobody listens. */
  broken(): Answering {
    return () => Promise.reject(new TypeError('fetch failed'));
  }

  /** Never answers; ends as fetch does when it is aborted. */
  silent(): Answering {
    return ({ signal }) =>
      new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
  }

  /** A stream of events: these pieces of text, and then its end, or nothing more. */
  stream(pieces: readonly string[], isEnded = true): Answering {
    return async ({ signal }) => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
          if (isEnded) controller.close();
          else signal.addEventListener('abort', () => controller.error(signal.reason));
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    };
  }
}
