/**
 * Owns the routes of webhooks: deliveries and the secret of whoever asks; and refusing a delivery that comes back as a request. Never sends.
 */
import { Type } from '@sinclair/typebox';
import { SystemError } from '../../shared/errors.ts';
import { IdParams, PageOf, PageQuery, problems, toPageAnswer, toPageRequest } from '../../shared/http/answers.ts';
import { Closed } from '../../shared/model/closed.ts';
import { DeliveryAnswer, WebhookSecretAnswer } from '../../shared/model/webhook.ts';
import { DELIVERY_HEADER } from '../deliveries/deliveries.ts';
import type { Webhooks } from '../deliveries/webhooks.ts';
import type { HttpServer } from './server.ts';

const DeliveriesQuery = Closed({
  ...PageQuery.properties,
  execution: Type.Optional(Type.String({ maxLength: 80, description: 'Of this execution alone.' })),
});

/** Refuses what carries the mark of a delivery, before the routes are added: however it came here, nothing of it may cause another. */
export function refuseDeliveries(server: HttpServer): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.headers[DELIVERY_HEADER] !== undefined) {
      throw new SystemError('forbidden', `a webhook's delivery (${DELIVERY_HEADER}) is no request of this API`);
    }
    done();
  });
}

// Who has the secret can sign as us: a key that only executes does not.
function addSecretRoutes(server: HttpServer, webhooks: Webhooks): void {
  server.get(
    '/v1/webhooks/secret',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getWebhookSecret',
        errors: [],
        summary: "What receivers check the tenant's signatures with",
        response: { 200: WebhookSecretAnswer, ...problems },
      },
    },
    ({ tenant }) => webhooks.secret(tenant.id),
  );

  server.post(
    '/v1/webhooks/secret/rotate',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'rotateWebhookSecret',
        errors: [],
        summary: 'Another secret; the one before signs as well for a while',
        response: { 200: WebhookSecretAnswer, ...problems },
      },
    },
    ({ tenant }) => webhooks.rotate(tenant.id),
  );
}

/** Adds the routes. */
export function addWebhookRoutes(server: HttpServer, webhooks: Webhooks): void {
  server.get(
    '/v1/webhooks/deliveries',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'listDeliveries',
        errors: [],
        summary: "Deliveries of the tenant's webhooks, newest first",
        querystring: DeliveriesQuery,
        response: { 200: PageOf(DeliveryAnswer), ...problems },
      },
    },
    async ({ query, tenant }) => {
      const { cursor, limit } = toPageRequest(query);
      return toPageAnswer(await webhooks.list(tenant.id, query.execution ?? null, cursor, limit));
    },
  );

  server.get(
    '/v1/webhooks/deliveries/:id',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'getDelivery',
        errors: ['not-found'],
        summary: 'One delivery',
        params: IdParams,
        response: { 200: DeliveryAnswer, ...problems },
      },
    },
    ({ tenant, params }) => webhooks.get(tenant.id, params.id),
  );

  server.post(
    '/v1/webhooks/deliveries/:id/replay',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'replayDelivery',
        errors: ['not-found', 'conflict'],
        summary: 'Send it again',
        params: IdParams,
        response: { 202: DeliveryAnswer, ...problems },
      },
    },
    async ({ tenant, params }, reply) => reply.code(202).send(await webhooks.replay(tenant.id, params.id)),
  );

  addSecretRoutes(server, webhooks);
}
