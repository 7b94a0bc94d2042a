/**
 * Owns the routes of environments: declare, get, list, follow, bases. Never builds: the environment service does.
 */
import { Type } from '@sinclair/typebox';
import type { Clock } from '../../shared/clock.ts';
import {
  IdParams,
  PageOf,
  PageQuery,
  problems,
  StreamHeaders,
  toPageAnswer,
  toPageRequest,
} from '../../shared/http/answers.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { streamEvents } from '../../shared/http/event-stream.ts';
import { checkEnvironment } from '../../shared/http/request-checks.ts';
import { Closed } from '../../shared/model/closed.ts';
import { baseNames, Environment, EnvironmentRequest } from '../../shared/model/environment.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface EnvironmentRoutesDeps {
  readonly clock: Clock;
  readonly environments: EnvironmentService;
  /** Refuses what is to be kept for a tenant that has too much stored. */
  readonly storage: { check(tenantId: string): Promise<void> };
}

const Bases = Closed({ items: Type.Array(Closed({ name: Type.String(), isDefault: Type.Boolean() })) });

/** Adds the routes. */
export function addEnvironmentRoutes(server: HttpServer, deps: EnvironmentRoutesDeps): void {
  addDeclaration(server, deps);
  addRecords(server, deps);
}

function addDeclaration(server: HttpServer, { environments, storage }: EnvironmentRoutesDeps): void {
  server.post(
    '/v1/environments',
    {
      config: { scope: 'environments' },
      schema: {
        summary: 'Have an environment built before it is needed',
        body: EnvironmentRequest,
        response: { 200: Environment, 202: Environment, ...problems },
      },
    },
    async (request, reply) => {
      checkEnvironment(request.body);
      await storage.check(request.tenant.id);
      const answer = await environments.declare(request.tenant.id, request.body);
      const isReady = answer.state === 'ready';
      return reply
        .code(isReady ? 200 : 202)
        .header('location', `/v1/environments/${answer.id}`)
        .send(answer);
    },
  );
}

/** What is known of environments, and what to build them on. */
function addRecords(server: HttpServer, { clock, environments }: EnvironmentRoutesDeps): void {
  server.get(
    '/v1/environments',
    {
      config: { scope: 'environments' },
      schema: {
        summary: "The tenant's environments, newest first",
        querystring: PageQuery,
        response: { 200: PageOf(Environment), ...problems },
      },
    },
    async (request) => {
      const { cursor, limit } = toPageRequest(request.query);
      return toPageAnswer(await environments.list(request.tenant.id, cursor, limit));
    },
  );

  server.get(
    '/v1/environments/:id',
    {
      config: { scope: 'environments' },
      schema: { summary: 'One environment', params: IdParams, response: { 200: Environment, ...problems } },
    },
    (request) => environments.get(request.tenant.id, request.params.id),
  );

  server.get(
    '/v1/environments/:id/events',
    {
      config: { scope: 'environments' },
      schema: { summary: 'Follow a build (server-sent events)', params: IdParams, headers: StreamHeaders },
    },
    async (request, reply) => {
      const { id } = request.params;
      let log = environments.buildOf(request.tenant.id, id)?.log;
      if (log === undefined) {
        const answer = await environments.get(request.tenant.id, id);
        log = new EventLog(0);
        log.close('finished', answer);
      }
      return streamEvents(reply, log, request.headers['last-event-id'], clock);
    },
  );

  server.get(
    '/v1/bases',
    { config: { scope: 'any' }, schema: { summary: 'Bases to build on', response: { 200: Bases, ...problems } } },
    () => ({
      items: baseNames.map((name, index) => ({ name, isDefault: index === 0 })),
    }),
  );
}
