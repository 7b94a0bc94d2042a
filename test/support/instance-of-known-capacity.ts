/**
 * Owns an instance that serves nothing real, for tests of the planner: it takes files and executions, runs so many at a time, each for the time that its
 * request asks for, and counts. Never a sandbox, never a store. Invariant: what it serves in a time is known.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { makeReport } from './lease-results.ts';

/** What it does with what. */
export interface KnownCapacity {
  readonly slots: number;
  /** Answers 429 to every so many-th submission; 0: to none. */
  readonly refusesEach: number;
  /** Nothing is answered before so many have come. */
  readonly holdsUntil: number;
}

/** See the head of this file. */
export class InstanceOfKnownCapacity {
  readonly #shape: KnownCapacity;
  readonly #server: Server;
  readonly #waiting: { readonly ms: number; readonly answer: () => void }[] = [];
  #running = 0;
  submitted = 0;

  constructor(shape: Partial<KnownCapacity> = {}) {
    this.#shape = { slots: 2, refusesEach: 0, holdsUntil: 0, ...shape };
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens nowhere');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const body = Buffer.concat(chunks);
    if (request.url === '/metrics') response.end(`envicutor_slots ${this.#shape.slots}\n`);
    else if (request.url === '/v1/files') response.writeHead(201).end('{"id":"file_1"}');
    else
      this.#submit(
        JSON.parse(body.toString()) as { environment: object | string; run: { arguments?: string[] } },
        response,
      );
  }

  #submit(
    { environment, run }: { environment: object | string; run: { arguments?: string[] } },
    response: ServerResponse,
  ) {
    this.submitted += 1;
    const { refusesEach } = this.#shape;
    if (typeof environment === 'string') response.writeHead(404).end('{"detail":"there is no such environment"}');
    else if (refusesEach > 0 && this.submitted % refusesEach === 0) response.writeHead(429).end('{"detail":"full"}');
    else {
      const ms = Number(run.arguments?.[0] ?? 0) / 1000;
      this.#waiting.push({ ms, answer: () => response.end(JSON.stringify(toExecution(ms))) });
      this.#serve();
    }
  }

  #serve(): void {
    if (this.submitted < this.#shape.holdsUntil) return;
    while (this.#running < this.#shape.slots) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running += 1;
      setTimeout(() => {
        this.#running -= 1;
        next.answer();
        this.#serve();
      }, next.ms);
    }
  }
}

function toExecution(cpuTimeMs: number) {
  const { usage } = makeReport();
  const timing = { queuedMs: 0, buildMs: 0, fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0, overheadMs: 0 };
  const run = makeReport({ usage: { ...usage, cpuTimeMs, wallTimeMs: cpuTimeMs } });
  return {
    stage: 'finished',
    verdict: 'ok',
    endedIn: 'run',
    environment: null,
    compile: null,
    run,
    timing,
    failure: null,
  };
}
