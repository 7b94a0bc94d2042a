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
import { environmentEvents } from '../../shared/model/events.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface EnvironmentRoutesDeps {
  readonly clock: Clock;
  readonly environments: EnvironmentService;
  /** Refuses what is to be kept for a tenant that has too much stored. */
  readonly storage: { check(tenantId: string): Promise<void> };
}

const Base = Closed(
  {
    name: Type.String({ description: 'As `base` of an environment names it.' }),
    isDefault: Type.Boolean({ description: 'Is it meant when none is named?' }),
  },
  { title: 'Base', description: 'What environments can be built on.' },
);
const Bases = Closed(
  { items: Type.Array(Base, { description: 'All of them.' }) },
  { title: 'BaseList', description: 'Bases.' },
);

/** Adds the routes. */
export function addEnvironmentRoutes(server: HttpServer, deps: EnvironmentRoutesDeps): void {
  addDeclaration(server, deps);
  addRecords(server, deps);
  addEvents(server, deps);
}

function addDeclaration(server: HttpServer, { environments, storage }: EnvironmentRoutesDeps): void {
  server.post(
    '/v1/environments',
    {
      config: { scope: 'environments' },
      schema: {
        operationId: 'createEnvironment',
        summary: 'Have an environment built before it is needed',
        errors: ['limit-above-maximum', 'quota-exceeded'],
        location: [200, 202],
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
function addRecords(server: HttpServer, { environments }: EnvironmentRoutesDeps): void {
  server.get(
    '/v1/environments',
    {
      config: { scope: 'environments' },
      schema: {
        operationId: 'listEnvironments',
        summary: "The tenant's environments, newest first",
        errors: [],
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
      schema: {
        operationId: 'getEnvironment',
        summary: 'One environment',
        params: IdParams,
        errors: ['environment-not-found'],
        response: { 200: Environment, ...problems },
      },
    },
    (request) => environments.get(request.tenant.id, request.params.id),
  );

  server.get(
    '/v1/bases',
    {
      config: { scope: 'any' },
      schema: {
        operationId: 'listBases',
        summary: 'Bases to build on',
        errors: [],
        response: { 200: Bases, ...problems },
      },
    },
    () => ({
      items: baseNames.map((name, index) => ({ name, isDefault: index === 0 })),
    }),
  );
}

/** What is told of a build: as it happens, or its end alone when that is all that is known; SystemError `environment-not-found`. */
export async function logOfBuild(
  environments: Pick<EnvironmentService, 'buildOf' | 'get'>,
  tenantId: string,
  id: string,
): Promise<EventLog> {
  const known = environments.buildOf(tenantId, id)?.log;
  if (known !== undefined) return known;
  const log = new EventLog(0);
  log.close('finished', await environments.get(tenantId, id));
  return log;
}

function addEvents(server: HttpServer, { clock, environments }: EnvironmentRoutesDeps): void {
  server.get(
    '/v1/environments/:id/events',
    {
      config: { scope: 'environments' },
      schema: {
        operationId: 'followEnvironment',
        summary: 'Follow a build (server-sent events)',
        params: IdParams,
        headers: StreamHeaders,
        errors: ['environment-not-found'],
        events: environmentEvents,
      },
    },
    async (request, reply) => {
      const log = await logOfBuild(environments, request.tenant.id, request.params.id);
      return streamEvents(reply, log, request.headers['last-event-id'], clock);
    },
  );
}
