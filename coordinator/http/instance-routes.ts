/**
 * Owns the operator's routes over all tenants: queues, executions, environments and their builds. Never changes anything, and never shows what a
 * program wrote. Invariant: every route needs an operator's key; what is listed without a tenant is what this coordinator has in memory.
 */
import { Type } from '@sinclair/typebox';
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { PageOf, PageQuery, problems, StreamHeaders, toPageAnswer, toPageRequest } from '../../shared/http/answers.ts';
import { streamEvents } from '../../shared/http/event-stream.ts';
import { Closed } from '../../shared/model/closed.ts';
import { environmentEvents } from '../../shared/model/events.ts';
import type { Execution } from '../../shared/model/execution.ts';
import {
  InstanceEnvironment,
  InstanceExecution,
  InstanceExecutionDetail,
  InstanceQueues,
  type TenantQueue,
  withoutOutput,
} from '../../shared/model/instance-view.ts';
import { TenantId } from '../../shared/model/tenant.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { Admission } from '../executions/admission.ts';
import type { ExecutionViews } from '../executions/execution-views.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { Tenant } from '../tenants/keys.ts';
import { requireOperator } from './authentication.ts';
import { logOfBuild } from './environment-routes.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface InstanceRoutesDeps {
  readonly clock: Clock;
  readonly admission: Pick<Admission, 'waiting' | 'waitingOf' | 'begunInMinute' | 'refusalsOf'>;
  readonly scheduler: Pick<Scheduler, 'forecast' | 'running'>;
  /** How many of a tenant run. */
  readonly runningOf: (tenantId: string) => number;
  readonly tenants: () => readonly Tenant[];
  readonly fleet: Pick<Fleet, 'slots'>;
  readonly executions: Pick<ExecutionViews, 'newest' | 'list' | 'get' | 'explain' | 'tenantOf'>;
  readonly environments: Pick<EnvironmentService, 'newest' | 'list' | 'get' | 'buildOf' | 'building'>;
  readonly queueDepthMax: number;
}

const QUEUES_MAX = 1000;

const ListQuery = Closed({
  tenant: Type.Optional(TenantId),
  ...PageQuery.properties,
});
const ExecutionParams = Closed({ id: Type.String({ description: 'As an answer gave it.' }) });
const EnvironmentParams = Closed({ tenant: TenantId, id: Type.String({ description: 'As an answer gave it.' }) });

/** Adds the routes. */
export function addInstanceRoutes(server: HttpServer, deps: InstanceRoutesDeps): void {
  addQueues(server, deps);
  addExecutions(server, deps);
  addEnvironments(server, deps);
  addBuild(server, deps);
}

function addQueues(server: HttpServer, deps: InstanceRoutesDeps): void {
  server.get(
    '/v1/instance/queues',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getQueues',
        summary: 'What waits and runs, by tenant',
        errors: [],
        response: { 200: InstanceQueues, ...problems },
      },
    },
    (request) => {
      requireOperator(request.tenant);
      const { admission, scheduler, fleet, environments, queueDepthMax } = deps;
      const all = deps.tenants().map((tenant) => toQueue(tenant, deps));
      const items = all.sort((one, other) => other.waiting + other.running - one.waiting - one.running);
      return {
        ...{ waiting: admission.waiting, waitingMax: queueDepthMax, running: scheduler.running, slots: fleet.slots() },
        builds: environments.building,
        items: items.slice(0, QUEUES_MAX),
        itemsNotShown: Math.max(0, items.length - QUEUES_MAX),
      };
    },
  );
}

function toQueue({ id, weight }: Tenant, { admission, scheduler, runningOf }: InstanceRoutesDeps): TenantQueue {
  const running = runningOf(id);
  return {
    ...{ tenant: id, weight, waiting: admission.waitingOf(id), running },
    share: scheduler.running === 0 ? 0 : Math.min(1, running / scheduler.running),
    begunInMinute: admission.begunInMinute(id),
    forecastMs: Math.max(0, scheduler.forecast(id, weight).waitMs),
    refused: { ...admission.refusalsOf(id) },
  };
}

function toRow(tenant: string, answer: Execution) {
  const { id, stage, verdict, agent, timing, certificate, createdAt, finishedAt } = answer;
  return { id, tenant, stage, verdict, agent, timing, clean: certificate?.clean ?? null, createdAt, finishedAt };
}

function addExecutions(server: HttpServer, { executions }: InstanceRoutesDeps): void {
  server.get(
    '/v1/instance/executions',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listInstanceExecutions',
        summary: 'Executions, newest first: those of a tenant, or what this coordinator remembers of all',
        errors: [],
        querystring: ListQuery,
        response: { 200: PageOf(InstanceExecution), ...problems },
      },
    },
    async ({ tenant: asker, query }) => {
      requireOperator(asker);
      const { cursor, limit } = toPageRequest(query);
      const { tenant } = query;
      if (tenant === undefined) {
        const known = executions.newest(limit);
        return { items: known.map(({ tenantId, answer }) => toRow(tenantId, answer)), next: null };
      }
      const { items, next } = await executions.list(tenant, cursor, limit);
      return toPageAnswer({ items: items.map((answer) => toRow(tenant, answer)), next });
    },
  );

  server.get(
    '/v1/instance/executions/:id',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getInstanceExecution',
        summary: 'An execution of any tenant: where its time went, and why it is where it is',
        errors: ['execution-not-found'],
        params: ExecutionParams,
        response: { 200: InstanceExecutionDetail, ...problems },
      },
    },
    async ({ tenant: asker, params: { id } }) => {
      requireOperator(asker);
      const tenant = await executions.tenantOf(id);
      const execution = withoutOutput(await executions.get(tenant, id));
      return { tenant, execution, placement: explain(executions, tenant, id) };
    },
  );
}

function explain(executions: InstanceRoutesDeps['executions'], tenant: string, id: string) {
  try {
    return executions.explain(tenant, id);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

function addEnvironments(server: HttpServer, { environments }: InstanceRoutesDeps): void {
  server.get(
    '/v1/instance/environments',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listInstanceEnvironments',
        summary: 'Environments, newest first: those of a tenant, or what is being built here or was lately',
        errors: [],
        querystring: ListQuery,
        response: { 200: PageOf(InstanceEnvironment), ...problems },
      },
    },
    async ({ tenant: asker, query }) => {
      requireOperator(asker);
      const { cursor, limit } = toPageRequest(query);
      const { tenant } = query;
      if (tenant === undefined) {
        const known = environments.newest(limit);
        return { items: known.map(({ tenantId, answer }) => ({ tenant: tenantId, environment: answer })), next: null };
      }
      const { items, next } = await environments.list(tenant, cursor, limit);
      return toPageAnswer({ items: items.map((environment) => ({ tenant, environment })), next });
    },
  );

  server.get(
    '/v1/instance/environments/:tenant/:id',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getInstanceEnvironment',
        summary: "One tenant's environment",
        errors: ['environment-not-found'],
        params: EnvironmentParams,
        response: { 200: InstanceEnvironment, ...problems },
      },
    },
    async ({ tenant: asker, params: { tenant, id } }) => {
      requireOperator(asker);
      return { tenant, environment: await environments.get(tenant, id) };
    },
  );
}

function addBuild(server: HttpServer, { clock, environments }: InstanceRoutesDeps): void {
  server.get(
    '/v1/instance/environments/:tenant/:id/events',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'followInstanceEnvironment',
        summary: "Follow one tenant's build (server-sent events)",
        errors: ['environment-not-found'],
        params: EnvironmentParams,
        headers: StreamHeaders,
        events: environmentEvents,
      },
    },
    async (request, reply) => {
      requireOperator(request.tenant);
      const { tenant, id } = request.params;
      const log = await logOfBuild(environments, tenant, id);
      return streamEvents(reply, log, request.headers['last-event-id'], clock);
    },
  );
}
