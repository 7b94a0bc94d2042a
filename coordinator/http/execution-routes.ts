/**
 * Owns the routes of executions: submit, get, list, cancel, follow. Never moves a stage: the execution service does.
 * Invariant: nothing is started before the whole request has been checked.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SystemError } from '../../shared/errors.ts';
import {
  IdParams,
  PageOf,
  PageQuery,
  problems,
  StreamHeaders,
  toPageAnswer,
  toPageRequest,
} from '../../shared/http/answers.ts';
import { streamEvents } from '../../shared/http/event-stream.ts';
import { SubmitHeaders, SubmitQuery, toWaitMs } from '../../shared/http/execution-terms.ts';
import { checkExecution } from '../../shared/http/request-checks.ts';
import { untilDone } from '../../shared/http/waiting.ts';
import { Closed, OneOf } from '../../shared/model/closed.ts';
import { executionEvents } from '../../shared/model/events.ts';
import { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { AllLimits } from '../../shared/model/limits.ts';
import { PlacementAnswer } from '../../shared/model/placement.ts';
import type { Deletion } from '../deliveries/deletion.ts';
import type { ExecutionService } from '../executions/execution-service.ts';
import { secondsToNextDay } from '../tenants/build-quota.ts';
import { addBatchRoutes } from './batch-routes.ts';
import { type RequestTracing, traceRequest } from './request-trace.ts';
import type { HttpServer } from './server.ts';
import { submissionErrors } from './submission-errors.ts';
import { checkWebhook, type WebhookRules } from './webhook-checks.ts';

/** What the routes talk to. */
export interface ExecutionRoutesDeps extends RequestTracing {
  readonly executions: ExecutionService;
  readonly deletion: Pick<Deletion, 'delete'>;
  /** Has another coordinator answer a request whose execution it goes on with. */
  readonly passOn: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** The same for a request that nobody has taken up yet; false: it is ours after all, or nobody's. */
  readonly passAnew: (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>;
  /** Which receivers webhooks may have. */
  readonly webhooks: WebhookRules;
}

/** Bounds of the routes. */
export interface ExecutionRoutesOptions {
  readonly waitSecondsMax: number;
  readonly limitMaxima: AllLimits;
}

/** A failure that means "not now" is an error of this request; everything else is the execution's own story. */
function checkAnswered(answer: Static<typeof Execution>, nowMs: number): void {
  if (answer.stage !== 'failed' || answer.failure === null) return;
  const { code, detail } = answer.failure;
  if (code === 'no-agent') throw new SystemError(code, detail);
  if (code === 'quota-exceeded') throw new SystemError(code, detail, { retryAfterSeconds: secondsToNextDay(nowMs) });
}

/** Who waits for an answer does not know its id, and can't attach. */
function toUnwaited(): SystemError {
  const detail = "can't be used with interactive: post it, then attach to its terminal";
  return new SystemError('request-invalid', `?wait ${detail}`, { errors: [{ pointer: '?wait', detail }] });
}

/** Adds the routes. */
export function addExecutionRoutes(
  server: HttpServer,
  deps: ExecutionRoutesDeps,
  options: ExecutionRoutesOptions,
): void {
  addSubmitRoute(server, deps, options);
  addBatchRoutes(server, deps, options);
  addRecordRoutes(server, deps);
  addViews(server, deps);
}

function addSubmitRoute(server: HttpServer, deps: ExecutionRoutesDeps, options: ExecutionRoutesOptions): void {
  const { executions, clock } = deps;
  server.post(
    '/v1/executions',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'createExecution',
        summary: 'Run code in an environment that the request describes',
        description: [
          'Without `wait` the execution is durable before the answer, and goes on by itself.',
          'With it the answer is the finished execution (200), or what it is when the time is over (202);',
          'closing the connection cancels it, unless an Idempotency-Key was given.',
        ].join(' '),
        errors: [...submissionErrors],
        location: [202],
        body: ExecutionRequest,
        querystring: SubmitQuery,
        headers: SubmitHeaders,
        response: { 200: Execution, 202: Execution, ...problems },
      },
    },
    async (request, reply) => {
      const waitMs = toWaitMs(request.query.wait, options.waitSecondsMax);
      checkExecution(request.body, options.limitMaxima);
      if (waitMs !== null && request.body.interactive === true) throw toUnwaited();
      checkWebhook(request.body.webhook, deps.webhooks, '/webhook');
      const key = request.headers['idempotency-key'] ?? null;
      const tenantId = request.tenant.id;
      const trace = traceRequest(deps, request, reply);
      const submit = () => executions.submit(request.body, { tenantId, isWaited: waitMs !== null, key, trace });
      const submitted = await submit().catch(async (error: unknown) => {
        // The tenant has become another coordinator's while we looked at the request.
        if (!(error instanceof SystemError && error.code === 'shard-moved')) throw error;
        return (await deps.passAnew(request, reply)) ? null : await submit();
      });
      if (submitted === null) return reply;
      let answer: Static<typeof Execution> | null = null;
      if (!('done' in submitted)) answer = submitted.answer;
      else if (waitMs !== null) {
        // What has neither key nor webhook nobody else hears of.
        const left = () => {
          if (key === null && request.body.webhook === undefined)
            executions.cancel(tenantId, submitted.id).catch(() => undefined);
        };
        answer = await untilDone({ done: submitted.done, waitMs, left }, reply, clock);
        // Another coordinator goes on with it: asked with the same key, it answers.
        if (submitted.isAbandoned) {
          await deps.passOn(request, reply);
          return reply;
        }
      }
      if (answer !== null && answer.finishedAt !== null && waitMs !== null) {
        checkAnswered(answer, clock.nowMs());
        return answer;
      }
      const now = 'done' in submitted ? submitted.toAnswer() : submitted.answer;
      return reply.code(202).header('location', `/v1/executions/${now.id}`).send(now);
    },
  );
}

/** What else a deletion says. */
const DeleteQuery = Closed({
  purge: Type.Optional(
    OneOf(['true', 'false'], {
      description: 'Remove its record, its output and the files that it left; 204, and 404 from then on.',
    }),
  ),
});

function addRecordRoutes(
  server: HttpServer,
  { executions, deletion }: Pick<ExecutionRoutesDeps, 'executions' | 'deletion'>,
): void {
  server.get(
    '/v1/executions',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'listExecutions',
        summary: "The tenant's executions, newest first",
        errors: [],
        querystring: PageQuery,
        response: { 200: PageOf(Execution), ...problems },
      },
    },
    async (request) => {
      const { cursor, limit } = toPageRequest(request.query);
      return toPageAnswer(await executions.views.list(request.tenant.id, cursor, limit));
    },
  );

  server.get(
    '/v1/executions/:id',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'getExecution',
        summary: 'One execution',
        params: IdParams,
        errors: ['execution-not-found'],
        response: { 200: Execution, ...problems },
      },
    },
    (request) => executions.views.get(request.tenant.id, request.params.id),
  );

  server.delete(
    '/v1/executions/:id',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'cancelExecution',
        summary: 'Cancel an execution, or delete all that is kept of it',
        description: 'One that is over already stays as it is, unless `purge` is `true`: then nothing of it is kept.',
        params: IdParams,
        querystring: DeleteQuery,
        errors: ['execution-not-found', 'conflict'],
        response: { 200: Execution, 204: Type.Null(), ...problems },
      },
    },
    async (request, reply) => {
      const { tenant, params, query } = request;
      if (query.purge !== 'true') return await executions.cancel(tenant.id, params.id);
      await deletion.delete(tenant.id, params.id);
      return reply.code(204).send(null);
    },
  );
}

/** What is to be seen of an execution besides its answer. */
function addViews(server: HttpServer, { executions, clock }: ExecutionRoutesDeps): void {
  server.get(
    '/v1/executions/:id/placement',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'getExecutionPlacement',
        summary: 'Why an execution runs where it does, or still waits',
        errors: ['execution-not-found'],
        params: IdParams,
        response: { 200: PlacementAnswer, ...problems },
      },
    },
    (request) => executions.views.explain(request.tenant.id, request.params.id),
  );

  server.get(
    '/v1/executions/:id/events',
    {
      config: { scope: 'execute' },
      schema: {
        operationId: 'followExecution',
        summary: 'Follow an execution (server-sent events)',
        params: IdParams,
        headers: StreamHeaders,
        errors: ['execution-not-found'],
        events: executionEvents,
      },
    },
    async (request, reply) => {
      const log = await executions.views.follow(request.tenant.id, request.params.id);
      return streamEvents(reply, log, request.headers['last-event-id'], clock);
    },
  );
}
