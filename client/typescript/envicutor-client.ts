/**
 * Owns the client of one server and one key: everything that a tenant does over HTTP, typed by the API's own schemas. Never knows how a request travels (transport).
 * Invariant: nothing is opened before something is asked for, and nothing stays open after it was answered, ended or aborted.
 */
import type { Execution } from '../../shared/model/execution.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import type { Usage } from '../../shared/model/usage.ts';
import { type ClientClock, platformClock } from './clock.ts';
import { Environments } from './environments.ts';
import { type ExecutionEvent, isExecutionOver } from './events.ts';
import { type CallOptions, ExecutionHandle } from './execution-handle.ts';
import { Files } from './files.ts';
import { type ListOptions, walk } from './pages.ts';
import { Recipes } from './recipes.ts';
import { defaultRetries, type RetryOptions } from './retries.ts';
import {
  cancelSoon,
  checkBegun,
  type RunRequest,
  type SubmitOptions,
  submit,
  submitAll,
  submitAndWait,
} from './submission.ts';
import type { WebSocketMaker } from './terminal-socket.ts';
import { Transport } from './transport.ts';
import { Webhooks } from './webhooks.ts';

/** How a client is made. */
export interface ClientOptions {
  /** Where the server is, with whatever path a proxy puts before `/v1`; in a browser also a path of the page's own origin. */
  readonly url: string;
  /** A key of a tenant; without one for a server on this machine that needs none. */
  readonly key?: string;
  readonly retries?: RetryOptions;
  /** Ends everything that this client does; it cancels nothing at the server. */
  readonly signal?: AbortSignal;
  /** Instead of the platform's own. */
  readonly fetch?: typeof fetch;
  /** Instead of the platform's own, for terminals; Node 20 has none. */
  readonly WebSocket?: WebSocketMaker;
  /** Instead of the platform's own, for tests. */
  readonly clock?: ClientClock;
}

/** How something is run to its end. */
export interface RunOptions extends SubmitOptions {
  /** Hears every event in order; the next one is not read before what it returns has resolved. */
  readonly onEvent?: (event: ExecutionEvent) => unknown;
}

/** A tenant's client. */
export class EnvicutorClient {
  readonly environments: Environments;
  readonly files: Files;
  readonly recipes: Recipes;
  readonly webhooks: Webhooks;
  readonly #transport: Transport;
  readonly #sockets: WebSocketMaker | null;

  constructor(options: ClientOptions) {
    const { WebSocket = (globalThis as { WebSocket?: unknown }).WebSocket, retries = {} } = options;
    this.#sockets = (WebSocket ?? null) as WebSocketMaker | null;
    this.#transport = new Transport({
      url: toServer(options.url),
      key: options.key ?? null,
      // A browser's fetch wants to be called by its window.
      fetch: options.fetch ?? ((...request) => globalThis.fetch(...request)),
      retries: { ...defaultRetries, ...retries },
      clock: options.clock ?? platformClock,
      signal: options.signal ?? null,
    });
    this.environments = new Environments(this.#transport);
    this.files = new Files(this.#transport);
    this.recipes = new Recipes(this.#transport);
    this.webhooks = new Webhooks(this.#transport);
  }

  /**
   * Runs it once and resolves with its end, over broken connections, full queues and restarts of the server. A program that fails is an answer; an
   * EnvicutorError is thrown for what could not be asked or begun. Aborting the signal cancels the execution.
   */
  async run(request: RunRequest, options: RunOptions = {}): Promise<Execution> {
    const { signal, onEvent } = options;
    if (onEvent !== undefined) return await this.#runAloud(request, options, onEvent);
    const answered = await submitAndWait(this.#transport, request, options);
    if (isExecutionOver(answered)) return answered;
    return await this.#wanted(answered.id, signal, async () =>
      checkBegun(await this.execution(answered.id).result({ signal })),
    );
  }

  async #runAloud(
    request: RunRequest,
    options: RunOptions,
    onEvent: (event: ExecutionEvent) => unknown,
  ): Promise<Execution> {
    const { signal } = options;
    const handle = await this.submit(request, options);
    return await this.#wanted(handle.id, signal, async () => {
      for await (const event of handle.events({ signal })) {
        await onEvent(event);
        if (event.type === 'finished') return checkBegun(event.data);
      }
      return checkBegun(await handle.get({ signal }));
    });
  }

  /** What is not waited for any more because somebody said so, is cancelled. */
  async #wanted<Result>(id: string, signal: AbortSignal | undefined, wait: () => Promise<Result>): Promise<Result> {
    try {
      return await wait();
    } catch (error) {
      if (signal?.aborted === true) await cancelSoon(this.#transport, id);
      throw error;
    }
  }

  /** Has it accepted; it goes on by itself. */
  async submit(request: RunRequest, options: SubmitOptions = {}): Promise<ExecutionHandle> {
    return this.execution((await submit(this.#transport, request, options)).id);
  }

  /** Has up to 1,000 accepted by one request, all or none. */
  async batch(requests: readonly RunRequest[], options: SubmitOptions = {}): Promise<readonly ExecutionHandle[]> {
    return (await submitAll(this.#transport, requests, options)).map((id) => this.execution(id));
  }

  /** What was accepted before, by whomever of this tenant. Asks nothing. */
  execution(id: string): ExecutionHandle {
    return new ExecutionHandle(this.#transport, this.#sockets, id);
  }

  /** The tenant's executions, newest first. */
  list(options: ListOptions = {}): AsyncGenerator<Execution, void, undefined> {
    return walk<Execution>(this.#transport, '/v1/executions', options);
  }

  /** What the tenant uses and may, and what it used in the last days (1 to 400, default 30). */
  usage({ days, signal }: CallOptions & { readonly days?: number } = {}): Promise<Usage> {
    return this.#transport.ask<Usage>({ method: 'GET', path: '/v1/usage', query: { days }, signal });
  }

  /** The signed list of agents' keys that receipts are checked with. */
  agentKeys({ signal }: CallOptions = {}): Promise<Envelope> {
    return this.#transport.ask<Envelope>({ method: 'GET', path: '/v1/agents/keys', signal });
  }
}

/** The whole address of a server, without a slash at its end. */
function toServer(url: string): string {
  const page = (globalThis as { location?: { readonly href: string } }).location?.href;
  const { protocol, origin, pathname } = new URL(url, page);
  if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`'${url}' is no http or https address`);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}
