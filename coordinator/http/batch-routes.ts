/**
 * Owns the route of batches: many executions by one request, all or none. Never waits for one of them.
 * Invariant: nothing is started before every request of the batch has been checked.
 */
import { SystemError } from '../../shared/errors.ts';
import { problems } from '../../shared/http/answers.ts';
import { SubmitHeaders } from '../../shared/http/execution-terms.ts';
import { checkBatch } from '../../shared/http/request-checks.ts';
import { BatchAnswer, BatchRequest } from '../../shared/model/execution.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import type { ExecutionService } from '../executions/execution-service.ts';
import type { ExecutionRoutesDeps } from './execution-routes.ts';
import { type RequestTracing, traceRequest } from './request-trace.ts';
import type { HttpServer } from './server.ts';
import { submissionErrors } from './submission-errors.ts';
import { checkWebhook, type WebhookRules } from './webhook-checks.ts';

/** What the route talks to. */
export interface BatchRoutesDeps extends Pick<ExecutionRoutesDeps, 'passAnew'>, RequestTracing {
  readonly executions: Pick<ExecutionService, 'submitAll'>;
  readonly webhooks: WebhookRules;
}

/** Adds the route. */
export function addBatchRoutes(
  server: HttpServer,
  { executions, webhooks, passAnew, ...tracing }: BatchRoutesDeps,
  { limitMaxima }: { readonly limitMaxima: AllLimits },
): void {
  server.post(
    '/v1/executions/batch',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'createExecutions',
        errors: submissionErrors,
        summary: 'Run many requests: all are accepted, or none is',
        body: BatchRequest,
        headers: SubmitHeaders,
        response: { 202: BatchAnswer, ...problems },
      },
    },
    async (request, reply) => {
      const requests = request.body.executions;
      checkBatch(requests, limitMaxima);
      for (const [index, { webhook }] of requests.entries()) {
        checkWebhook(webhook, webhooks, `/executions/${index}/webhook`);
      }
      const key = request.headers['idempotency-key'] ?? null;
      const terms = { tenantId: request.tenant.id, key, trace: traceRequest(tracing, request, reply) };
      const submit = () => executions.submitAll(requests, terms);
      const ids = await submit().catch(async (error: unknown) => {
        // The tenant has become another coordinator's while we looked at the request.
        if (!(error instanceof SystemError && error.code === 'shard-moved')) throw error;
        return (await passAnew(request, reply)) ? null : await submit();
      });
      if (ids === null) return reply;
      return reply.code(202).send({ executions: ids.map((id) => ({ id })) });
    },
  );
}
