/**
 * Owns a tenant that always wants more: so many executions outstanding from start to stop, each followed by the next.
 * Never measures a latency: what it received is what it is asked for. Invariant: after stop() nothing of it is asked for, and what waited is cancelled.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { Submitter } from './submitter.ts';

/** How long one that was refused waits before it comes again. */
const REFUSED_PAUSE_MS = 200;

/** One tenant's. */
export class Backlog {
  readonly #client: Submitter;
  readonly #request: () => ExecutionRequest;
  readonly #stopping = new AbortController();
  readonly #lanes: Promise<void>[] = [];
  done = 0;
  refused = 0;
  /** What its programs ran, in milliseconds of a slot. */
  servedMs = 0;

  constructor(client: Submitter, outstanding: number, request: () => ExecutionRequest) {
    this.#client = client;
    this.#request = request;
    for (let lane = 0; lane < outstanding; lane += 1) this.#lanes.push(this.#lane());
  }

  /** Rejects when something else than a refusal went wrong on the way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#lanes);
  }

  async #lane(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (!signal.aborted) await this.#one(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #one(signal: AbortSignal): Promise<void> {
    const { status, execution } = await this.#client.submit(this.#request(), { signal });
    if (execution !== null && execution.verdict === 'ok') {
      this.done += 1;
      this.servedMs += execution.run?.usage.wallTimeMs ?? 0;
    } else if (status === 429 || status === 503) {
      this.refused += 1;
      await pause(REFUSED_PAUSE_MS);
    } else throw new Error(`${status} for a program of a backlog: ${JSON.stringify(execution).slice(0, 500)}`);
  }
}
