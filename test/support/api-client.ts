/**
 * Owns how tests talk to a running coordinator: fetch over HTTP, held against the API's description, nothing of the product's own client.
 * Never retries: what a test sees is what the server said.
 */
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { checkedFetch } from './checked-fetch.ts';
import { metricOf, namesIn } from './scraped-names.ts';

/** An answer with its body already read. */
export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** RFC 9457 body, as the coordinator sends it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly requestId: string;
}

/** A coordinator at `baseUrl`, spoken to as one tenant. */
export class ApiClient {
  readonly baseUrl: string;
  readonly #headers: Record<string, string>;

  constructor(baseUrl: string, key: string | null = null) {
    this.baseUrl = baseUrl;
    this.#headers = key === null ? {} : { authorization: `Bearer ${key}` };
  }

  async get<Body = unknown>(path: string): Promise<Answer<Body>> {
    return this.#read(await checkedFetch(this.baseUrl + path, { headers: this.#headers }));
  }

  async post<Body = unknown>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    const response = await checkedFetch(this.baseUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.#headers, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return this.#read(response);
  }

  async put<Body = unknown>(path: string, body: unknown): Promise<Answer<Body>> {
    const headers = { 'content-type': 'application/json', ...this.#headers };
    return this.#read(await checkedFetch(this.baseUrl + path, { method: 'PUT', headers, body: JSON.stringify(body) }));
  }

  async delete<Body = unknown>(path: string): Promise<Answer<Body>> {
    return this.#read(await checkedFetch(this.baseUrl + path, { method: 'DELETE', headers: this.#headers }));
  }

  /** Posts and waits for the end, however long the environment's build takes. */
  async execute(request: object, headers: Record<string, string> = {}): Promise<Execution> {
    const first = await this.post<Execution>('/v1/executions?wait=true', request, headers);
    let execution = first.body;
    if (first.status !== 200 && first.status !== 202)
      throw new Error(`POST /v1/executions: ${first.status} ${JSON.stringify(first.body)}`);
    while (execution.finishedAt === null) {
      await this.#untilFinished(execution.id);
      execution = (await this.get<Execution>(`/v1/executions/${execution.id}`)).body;
    }
    return execution;
  }

  /** The value of one series, labels as written in the exposition; 0 while nothing has happened. Rejects for what no metric is called. */
  async metric(line: string): Promise<number> {
    const text = (await this.get<string>('/metrics')).body;
    const name = line.replace(/\{.*$/, '');
    const metrics = namesIn(text);
    if (!metrics.has(metricOf(name, (known) => metrics.has(known)))) throw new Error(`there is no metric ${name}`);
    const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
    return found === undefined ? 0 : Number(found.slice(line.length + 1));
  }

  async environment(id: string): Promise<Environment> {
    return (await this.get<Environment>(`/v1/environments/${id}`)).body;
  }

  /** Reads server-sent events until one of the given names came; returns all of them. */
  async events(path: string, last: string): Promise<{ event: string; data: string }[]> {
    const response = await checkedFetch(this.baseUrl + path, {
      headers: { ...this.#headers, accept: 'text/event-stream' },
    });
    const seen: { event: string; data: string }[] = [];
    if (response.body === null) return seen;
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message';
        seen.push({ event, data: [...block.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1]).join('\n') });
        if (event === last) return seen;
      }
    }
    return seen;
  }

  async #untilFinished(id: string): Promise<void> {
    await this.events(`/v1/executions/${id}/events`, 'finished');
  }

  async #read<Body>(response: Response): Promise<Answer<Body>> {
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson && text !== '' ? JSON.parse(text) : text) as Body,
    };
  }
}
