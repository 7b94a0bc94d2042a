/**
 * Owns asking the API: with the key of whoever looks in a header, never in an address or a cookie. Never keeps an answer, and never asks again by itself.
 * Invariant: what the API refuses comes as an ApiError with the API's own sentence.
 */
import { EventLines, type ServerEvent } from './event-lines.ts';

/** What is wrong, and where: a JSON pointer into what was sent. */
export interface ProblemPlace {
  readonly pointer: string;
  readonly detail: string;
}

/** What the API, or the way to it, said instead of an answer; status 0: nobody answered. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Each offending place of the request. */
  readonly places: readonly ProblemPlace[];

  constructor(status: number, code: string, detail: string, places: readonly ProblemPlace[] = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.places = places;
  }
}

/** What is not there is nothing; anything else is thrown on. */
export function toNothing(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly ProblemPlace[];
}

async function toError(answer: Response): Promise<ApiError> {
  const problem = (await answer.json().catch(() => ({}))) as Problem;
  const detail = problem.detail ?? `the API answered ${answer.status}`;
  return new ApiError(answer.status, problem.code ?? '', detail, problem.errors ?? []);
}

/** The API as one who asks. */
export class Api {
  readonly #key: string | null;

  /** `key`: null where an instance takes none. */
  constructor(key: string | null) {
    this.#key = key;
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#key !== null) headers.set('authorization', `Bearer ${this.#key}`);
    const asked = { ...init, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' } as const;
    try {
      // The page lies one folder below the API, wherever a proxy has put both.
      return await fetch(`..${path}`, asked);
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      throw new ApiError(0, 'unreachable', 'the coordinator does not answer');
    }
  }

  /** Reads; what `isKnown` lists besides 200 is an answer, too. */
  async get<Answer>(path: string, signal: AbortSignal, alsoAnswers: readonly number[] = []): Promise<Answer> {
    const answer = await this.#ask(path, { signal });
    if (answer.status !== 200 && !alsoAnswers.includes(answer.status)) throw await toError(answer);
    return (await answer.json()) as Answer;
  }

  /** Has something done. */
  async post<Answer>(path: string, body: object | null = null): Promise<Answer> {
    const sent = body === null ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await this.#ask(path, { method: 'POST', ...sent });
    if (!answer.ok) throw await toError(answer);
    return (await answer.json()) as Answer;
  }

  /** Has something ended. */
  async delete(path: string): Promise<void> {
    const answer = await this.#ask(path, { method: 'DELETE' });
    if (!answer.ok) throw await toError(answer);
  }

  /** Tells events until there are no more; resolves then. `lastId`: the last one that was heard already. */
  async follow(
    path: string,
    heard: (event: ServerEvent) => void,
    signal: AbortSignal,
    lastId: string | null = null,
  ): Promise<void> {
    const answer = await this.#ask(path, {
      signal,
      ...(lastId === null ? {} : { headers: { 'last-event-id': lastId } }),
    });
    if (answer.status === 204) return;
    if (answer.status !== 200 || answer.body === null) throw await toError(answer);
    const lines = new EventLines();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const event of lines.take(value)) heard(event);
    }
  }
}
