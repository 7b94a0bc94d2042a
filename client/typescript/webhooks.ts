/**
 * Owns what a tenant sees of its webhooks: the secret that receivers check with, deliveries, sending one again. Never receives one: a receiver does, by verifyWebhook.
 */
import type { DeliveryAnswer, WebhookSecretAnswer } from '../../shared/model/webhook.ts';
import type { CallOptions } from './execution-handle.ts';
import { type ListOptions, walk } from './pages.ts';
import { type Transport, toJson } from './transport.ts';

/** The webhooks of a tenant. */
export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  secret({ signal }: CallOptions = {}): Promise<WebhookSecretAnswer> {
    return this.#transport.ask<WebhookSecretAnswer>({ method: 'GET', path: '/v1/webhooks/secret', signal });
  }

  /** Another secret. Never tried again: twice would end the one before at once. */
  rotateSecret({ signal }: CallOptions = {}): Promise<WebhookSecretAnswer> {
    const body = toJson({});
    return this.#transport.ask<WebhookSecretAnswer>({
      method: 'POST',
      path: '/v1/webhooks/secret/rotate',
      body,
      signal,
    });
  }

  /** Newest first, of all or of one execution. */
  deliveries(
    options: ListOptions & { readonly execution?: string } = {},
  ): AsyncGenerator<DeliveryAnswer, void, undefined> {
    const { execution } = options;
    return walk<DeliveryAnswer>(this.#transport, '/v1/webhooks/deliveries', options, { execution });
  }

  delivery(id: string, { signal }: CallOptions = {}): Promise<DeliveryAnswer> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(id)}`;
    return this.#transport.ask<DeliveryAnswer>({ method: 'GET', path, signal });
  }

  /** Sends one again, with a schedule of a new day. */
  replay(id: string, { signal }: CallOptions = {}): Promise<DeliveryAnswer> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(id)}/replay`;
    return this.#transport.ask<DeliveryAnswer>({ method: 'POST', path, body: toJson({}), signal });
  }
}
