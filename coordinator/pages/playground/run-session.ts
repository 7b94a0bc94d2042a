/**
 * Owns one execution from the button to its end: posting it, following its events over connections that break, cancelling it. Never shows anything.
 * Invariants: an event is told once, in its order; after its end, or after it was left, nothing is told any more.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import { type Api, ApiError } from '../foundation/api.ts';
import type { ServerEvent } from '../foundation/event-lines.ts';
import { after } from '../foundation/page-clock.ts';
import { type Draft, toRequest } from './request-parts.ts';

/** Who is told. */
export interface RunListener {
  readonly accepted: (execution: Execution) => void;
  readonly heard: (event: ServerEvent) => void;
  readonly finished: (execution: Execution) => void;
  /** It can't be followed, or was not taken. */
  readonly refused: (error: unknown) => void;
}

const ATTEMPTS_MAX = 6;
const DELAY_MS = 250;

/** See the head of this file. */
export class RunSession {
  readonly #api: Api;
  readonly #listener: RunListener;
  readonly #left = new AbortController();
  #id: string | null = null;
  #isCancelled = false;
  #lastId: string | null = null;
  #isFinished = false;

  constructor(api: Api, listener: RunListener) {
    this.#api = api;
    this.#listener = listener;
  }

  /** Resolves when there is nothing more to be told. */
  async run(draft: Draft): Promise<void> {
    try {
      const execution = await this.#api.post<Execution>('/v1/executions', toRequest(draft));
      this.#id = execution.id;
      if (this.#left.signal.aborted) return;
      this.#listener.accepted(execution);
      if (this.#isCancelled) await this.#api.delete(this.#path);
      await this.#followToEnd();
    } catch (error) {
      if (!this.#left.signal.aborted) this.#listener.refused(error);
    }
  }

  /** Has it ended; what is told then is its end. */
  async cancel(): Promise<void> {
    if (this.#isCancelled || this.#isFinished) return;
    this.#isCancelled = true;
    if (this.#id !== null) await this.#api.delete(this.#path);
  }

  /** Nobody wants to know any more. */
  leave(): void {
    this.#left.abort();
  }

  get #path(): string {
    return `/v1/executions/${this.#id}`;
  }

  async #followToEnd(): Promise<void> {
    const { signal } = this.#left;
    for (let attempt = 1; !this.#isFinished && !signal.aborted; attempt += 1) {
      const before = this.#lastId;
      const error = await this.#api
        .follow(`${this.#path}/events`, (event) => this.#hear(event), signal, this.#lastId)
        .then(() => null)
        .catch((caught: unknown) => caught);
      if (this.#isFinished || signal.aborted) return;
      if (error instanceof ApiError && error.status !== 0 && error.status < 500) throw error;
      if (this.#lastId !== before) attempt = 1;
      if (attempt >= ATTEMPTS_MAX) throw error ?? new ApiError(0, 'unreachable', 'its events end without its result');
      await new Promise<void>((resolve) => {
        after(DELAY_MS * 2 ** attempt, resolve);
      });
      // It may have ended while nobody was listening.
      const execution = await this.#api.get<Execution>(this.#path, signal).catch(() => null);
      if (execution?.finishedAt != null) this.#finish(execution);
    }
  }

  #hear(event: ServerEvent): void {
    if (this.#isFinished || this.#left.signal.aborted) return;
    this.#lastId = event.id ?? this.#lastId;
    if (event.name === 'finished') this.#finish(event.data as Execution);
    else this.#listener.heard(event);
  }

  #finish(execution: Execution): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#listener.finished(execution);
  }
}
