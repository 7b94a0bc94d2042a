/**
 * Owns the local API's routes: executions as the coordinator serves them, by the same schemas, for the keys of this agent's owner. Never moves a stage.
 * Invariant: nothing is started before the whole request has been checked.
 */
import type { Clock } from '../../shared/clock.ts';
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
import { bearerOf, requireLoopback } from '../../shared/http/loopback.ts';
import { checkExecution } from '../../shared/http/request-checks.ts';
import { createStrictServer, type HttpServer, type ServerDeps } from '../../shared/http/server.ts';
import { untilDone } from '../../shared/http/waiting.ts';
import { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { EdgeKey, EdgeKeyRing } from './edge-keys.ts';
import type { SiteExecutions } from './site-executions.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks an agent's local API. */
    edgeKey: EdgeKey;
  }
}

/** What the local API works with. */
export interface EdgeServerDeps extends Pick<ServerDeps, 'log' | 'random'> {
  readonly clock: Clock;
  readonly keys: EdgeKeyRing;
  readonly executions: Pick<SiteExecutions, 'submit' | 'get' | 'list' | 'cancel' | 'log'>;
}

/** As the coordinator's by default. */
const BODY_BYTES_MAX = 33_554_432;
const WAIT_SECONDS_MAX = 300;

/** The local API's server; it does not listen yet. */
export function createEdgeServer({ keys, executions, clock, log, random }: EdgeServerDeps): HttpServer {
  const admit: ServerDeps['admit'] = (request) => {
    requireLoopback(request.headers, (host) => `only a loopback host is served here, not '${host}'`);
    const text = bearerOf(request.headers);
    const key = text === null ? null : keys.find(text);
    if (key === null)
      throw new SystemError('unauthenticated', "send Authorization: Bearer with a key of this agent's owner");
    request.edgeKey = key;
  };
  const server = createStrictServer(
    { log, random, admit, who: 'agent', description: 'docs/edge.md: an edge serves /v1/executions alone' },
    { bodyBytesMax: BODY_BYTES_MAX, trustProxy: [] },
  );
  server.decorateRequest('edgeKey');
  addSubmission(server, executions, clock);
  addViews(server, executions, clock);
  return server;
}

function addSubmission(server: HttpServer, executions: EdgeServerDeps['executions'], clock: Clock): void {
  server.post(
    '/v1/executions',
    {
      schema: {
        summary: 'Run code in an environment that this agent holds',
        body: ExecutionRequest,
        querystring: SubmitQuery,
        headers: SubmitHeaders,
        response: { 200: Execution, 202: Execution, ...problems },
      },
    },
    async (request, reply) => {
      const waitMs = toWaitMs(request.query.wait, WAIT_SECONDS_MAX);
      const { edgeKey: key, body } = request;
      checkExecution(body, key.maxima);
      if (body.interactive === true) throw toUnserved('/interactive', 'an edge has no terminals');
      if (body.webhook !== undefined) throw toUnserved('/webhook', 'an edge delivers nothing');
      const idempotencyKey = request.headers['idempotency-key'] ?? null;
      const submitted = await executions.submit(body, { key, isWaited: waitMs !== null, idempotencyKey });
      let answer = 'done' in submitted ? null : submitted;
      if (waitMs !== null && 'done' in submitted) {
        // What has no key of its own nobody else can find.
        const left = () => {
          if (idempotencyKey === null) executions.cancel(key.tenantId, submitted.id).catch(() => undefined);
        };
        answer = await untilDone({ done: submitted.done, waitMs, left }, reply, clock);
      }
      if (answer !== null && waitMs !== null) {
        const { failure } = answer;
        // "Not now" is an error of this request; everything else is the execution's own story.
        if (answer.stage === 'failed' && failure?.code === 'no-agent')
          throw new SystemError('no-agent', failure.detail);
        return answer;
      }
      const now = 'done' in submitted ? submitted.toAnswer() : submitted;
      return reply.code(202).header('location', `/v1/executions/${now.id}`).send(now);
    },
  );
}

/** What an agent that serves its own site does not do. */
function toUnserved(pointer: string, reason: string): SystemError {
  const detail = `is served by coordinators only: ${reason}`;
  return new SystemError('request-invalid', `${pointer} ${detail}`, { errors: [{ pointer, detail }] });
}

function addViews(server: HttpServer, executions: EdgeServerDeps['executions'], clock: Clock): void {
  server.get(
    '/v1/executions',
    {
      schema: {
        summary: "The tenant's executions at this agent, newest first",
        querystring: PageQuery,
        response: { 200: PageOf(Execution), ...problems },
      },
    },
    async ({ query, edgeKey }) => {
      const { cursor, limit } = toPageRequest(query);
      return toPageAnswer(await executions.list(edgeKey.tenantId, cursor, limit));
    },
  );
  server.get(
    '/v1/executions/:id',
    { schema: { summary: 'One execution', params: IdParams, response: { 200: Execution, ...problems } } },
    ({ edgeKey, params }) => executions.get(edgeKey.tenantId, params.id),
  );
  server.delete(
    '/v1/executions/:id',
    { schema: { summary: 'Cancel an execution', params: IdParams, response: { 200: Execution, ...problems } } },
    ({ edgeKey, params }) => executions.cancel(edgeKey.tenantId, params.id),
  );
  server.get(
    '/v1/executions/:id/events',
    { schema: { summary: 'Follow an execution (server-sent events)', params: IdParams, headers: StreamHeaders } },
    async ({ edgeKey, params, headers }, reply) => {
      const log = await executions.log(edgeKey.tenantId, params.id);
      return streamEvents(reply, log, headers['last-event-id'], clock);
    },
  );
}
