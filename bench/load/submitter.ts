/**
 * Owns how scenarios submit executions to an instance and wait for their ends: as many connections as there are requests under way, so that nothing
 * waits in the client.
 * Never judges a verdict or retries: a refusal is an answer that the scenario counts.
 */
import { Pool } from 'undici';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import { parseMetrics, type Sample } from '../gauges/prometheus-text.ts';

/** What an instance answered. */
export interface Answered {
  readonly status: number;
  /** Null when it was refused. */
  readonly execution: Execution | null;
}

/** What a submission may say beside its request. */
export interface SubmissionOptions {
  readonly signal?: AbortSignal;
  /** Makes the execution durable. */
  readonly idempotencyKey?: string;
}

/** One client with its key. */
export class Submitter {
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, key: string | null = null) {
    this.#pool = new Pool(url, { connections: null, pipelining: 1 });
    this.#headers = {
      'content-type': 'application/json',
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    };
  }

  /** Resolves when the execution is over, or was refused; rejects when the signal is given, which cancels it. */
  async submit(request: ExecutionRequest, { signal, idempotencyKey }: SubmissionOptions = {}): Promise<Answered> {
    const { statusCode, body } = await this.#pool.request({
      ...{ method: 'POST', path: '/v1/executions?wait=true', body: JSON.stringify(request) },
      headers: { ...this.#headers, ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }) },
      signal: signal ?? null,
    });
    const answer = await body.json();
    return { status: statusCode, execution: statusCode === 200 ? (answer as Execution) : null };
  }

  /** Any other request of the API; throws unless its answer is a success. */
  async ask<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, content?: unknown): Promise<Answer> {
    const { statusCode, body } = await this.#pool.request({
      ...{ method, path, headers: content === undefined ? {} : this.#headers },
      body: content === undefined ? null : JSON.stringify(content),
    });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 1000)}`);
    return JSON.parse(text) as Answer;
  }

  /** A gauge or counter of the instance's metrics that has no labels; NaN when there is none. */
  async metric(name: string): Promise<number> {
    const { body } = await this.#pool.request({ method: 'GET', path: '/metrics', headers: this.#headers });
    const isIt = (sample: Sample) => sample.name === name && Object.keys(sample.labels).length === 0;
    return parseMetrics(await body.text()).find(isIt)?.value ?? Number.NaN;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
