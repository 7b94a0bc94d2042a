/**
 * Owns what a tenant sees of its webhooks: the secret that receivers check with, deliveries, sending one again. Never receives one: a receiver does, by verifyWebhook.
 */
import type { CallOptions } from './execution-handle.ts';
import { type ListOptions, walk } from './pages.ts';
import { type Transport, toJson } from './transport.ts';

/** What receivers check signatures with. */
export interface WebhookSecret {
  readonly secret: string;
  readonly generation: number;
  readonly rotatedAt: string | null;
  /** Until then the secret before this one signs as well. */
  readonly previousUntil: string | null;
}

/** A delivery; its id is the `webhook-id` of every attempt. */
export interface Delivery {
  readonly id: string;
  readonly execution: string;
  readonly event: 'execution.finished';
  readonly url: string;
  readonly state: string;
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly lastAttemptAt: string | null;
  readonly nextAttemptAt: string | null;
  readonly createdAt: string;
}

/** The webhooks of a tenant. */
export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  secret({ signal }: CallOptions = {}): Promise<WebhookSecret> {
    return this.#transport.ask<WebhookSecret>({ method: 'GET', path: '/v1/webhooks/secret', signal });
  }

  /** Another secret. Never tried again: twice would end the one before at once. */
  rotateSecret({ signal }: CallOptions = {}): Promise<WebhookSecret> {
    const body = toJson({});
    return this.#transport.ask<WebhookSecret>({ method: 'POST', path: '/v1/webhooks/secret/rotate', body, signal });
  }

  /** Newest first, of all or of one execution. */
  deliveries(options: ListOptions & { readonly execution?: string } = {}): AsyncGenerator<Delivery, void, undefined> {
    const { execution } = options;
    return walk<Delivery>(this.#transport, '/v1/webhooks/deliveries', options, { execution });
  }

  delivery(id: string, { signal }: CallOptions = {}): Promise<Delivery> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(id)}`;
    return this.#transport.ask<Delivery>({ method: 'GET', path, signal });
  }

  /** Sends one again, with a schedule of a new day. */
  replay(id: string, { signal }: CallOptions = {}): Promise<Delivery> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(id)}/replay`;
    return this.#transport.ask<Delivery>({ method: 'POST', path, body: toJson({}), signal });
  }
}
