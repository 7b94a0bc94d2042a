/**
 * Owns the operator's routes: health, readiness, metrics, the API's own description, agents, enrolment.
 * Never decides placement or trust. Agents' routes need an operator's key, but that a pool's owner sees its agents and lets them in; the cache's
 * routes are in cache-routes.
 */
import { Type } from '@sinclair/typebox';
import { toTimestamp } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { IdParams, problems } from '../../shared/http/answers.ts';
import { Agent, AgentList } from '../../shared/model/agent-record.ts';
import { Closed, OneOf, Timestamp } from '../../shared/model/closed.ts';
import { NAMED_POOL } from '../../shared/model/tenant.ts';
import type { Enrolment } from '../agents/enrolment.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import { describeAgent, type RemoteAgent } from '../cluster/remote-agent.ts';
import type { AgentStore, EnrolledAgent } from '../executions/state-store.ts';
import type { Pools } from '../pools/pools.ts';
import { requireOperator } from './authentication.ts';
import type { ApiDescription } from './openapi.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface OperatorRoutesDeps {
  readonly agents: AgentStore;
  readonly fleet: Fleet;
  /** Other coordinators and their agents. */
  readonly elsewhere: Elsewhere;
  readonly enrolment: Enrolment;
  readonly pools: Pick<Pools, 'ownedBy' | 'checkEnrolment'>;
  readonly description: ApiDescription;
  /** Text of the metrics and its content type. */
  readonly metrics: () => Promise<{ text: string; type: string }>;
  /** Each is a thing that must answer before work can be done; its name is shown when it does not. */
  readonly requirements: Readonly<Record<string, () => Promise<unknown>>>;
}

/** Other coordinators, as the routes need them. */
export interface Elsewhere {
  agents(): Promise<readonly RemoteAgent[]>;
  tell(message: { type: 'agent.drain'; agentId: string; isDraining: boolean }): void;
}

/** After which asking again whether work can be done may make sense. */
const READY_AGAIN_SECONDS = 2;

const text = (description: string) => Type.String({ description });

const Missing = Closed(
  { requirement: text('What does not answer.'), detail: text('What it says instead.') },
  { title: 'MissingRequirement', description: 'Why no work can be done.' },
);

const Readiness = Closed(
  {
    state: OneOf(['ready', 'not-ready'], { description: 'Can work be done?' }),
    problems: Type.Array(Missing, { description: 'Empty when it can.' }),
  },
  { title: 'Readiness', description: 'Whether the instance can do work.' },
);

/** Adds the routes. */
export function addOperatorRoutes(server: HttpServer, deps: OperatorRoutesDeps): void {
  addHealthRoutes(server, deps);
  addAgentRoutes(server, deps);
}

function addHealthRoutes(server: HttpServer, { metrics, requirements, description }: OperatorRoutesDeps): void {
  const config = { isOpen: true };
  const State = Closed({ state: text('`alive`') }, { title: 'Liveness', description: 'That it answers at all.' });

  server.get(
    '/healthz',
    { config, schema: { operationId: 'getHealth', errors: [], summary: 'Is it alive?', response: { 200: State } } },
    () => ({
      state: 'alive',
    }),
  );

  server.get(
    '/readyz',
    {
      config,
      schema: {
        operationId: 'getReadiness',
        errors: [],
        summary: 'Can it do work?',
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const found: { requirement: string; detail: string }[] = [];
      for (const [requirement, check] of Object.entries(requirements)) {
        await check().catch((error: unknown) => found.push({ requirement, detail: toSystemError(error).message }));
      }
      const isReady = found.length === 0;
      if (!isReady) reply.header('retry-after', String(READY_AGAIN_SECONDS));
      return reply.code(isReady ? 200 : 503).send({ state: isReady ? 'ready' : 'not-ready', problems: found });
    },
  );

  server.get(
    '/metrics',
    {
      config,
      schema: {
        operationId: 'getMetrics',
        errors: [],
        mediaType: 'text/plain',
        summary: 'Metrics in the Prometheus text format',
      },
    },
    async (_request, reply) => {
      const { text, type } = await metrics();
      return reply.header('content-type', type).send(text);
    },
  );

  server.get(
    '/openapi.json',
    {
      config,
      schema: { operationId: 'getDescription', errors: [], mediaType: 'application/json', summary: 'This description' },
    },
    async (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(description.text()),
  );
}

/** An enrolled agent, and what is known of it where it is connected. */
function toAgentAnswer(known: EnrolledAgent, agent: RemoteAgent | undefined, here?: FleetAgent): Agent {
  const { architecture, release, kernel, cores, memoryBytes, labels } = agent?.facts ?? {};
  return {
    id: known.id,
    name: agent?.facts.name ?? known.name,
    pool: known.pool,
    state:
      agent === undefined ? ('disconnected' as const) : known.isDraining ? ('draining' as const) : ('ready' as const),
    slots: { total: agent?.slots ?? 0, free: agent?.freeSlots ?? 0 },
    layers: agent?.layers ?? 0,
    architecture: architecture ?? null,
    release: release ?? null,
    kernel: kernel ?? null,
    cores: cores ?? null,
    memoryBytes: memoryBytes ?? null,
    labels: { ...labels },
    enrolledAt: toTimestamp(known.enrolledAtMs),
    connectedAt: agent === undefined ? null : toTimestamp(agent.connectedAtMs),
    heardAt: here === undefined ? null : toTimestamp(here.heardAtMs),
    receiptKey: here?.key?.keyid ?? null,
  };
}

function addAgentRoutes(server: HttpServer, deps: OperatorRoutesDeps): void {
  const { agents, fleet, elsewhere, pools } = deps;
  const connected = async (): Promise<Map<string, RemoteAgent>> => {
    const found = new Map((await elsewhere.agents()).map((agent) => [agent.facts.id, agent]));
    for (const agent of fleet.all()) found.set(agent.id, describeAgent(agent));
    return found;
  };

  server.get(
    '/v1/agents',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listAgents',
        summary: 'All enrolled agents; for a tenant those of its own pools',
        errors: [],
        response: { 200: AgentList, ...problems },
      },
    },
    async ({ tenant }) => {
      const own = pools.ownedBy(tenant.id);
      if (own.length === 0) requireOperator(tenant);
      const seen = (await agents.list()).filter(({ pool }) => tenant.isOperator || own.includes(pool));
      const found = await connected();
      return { items: seen.map((known) => toAgentAnswer(known, found.get(known.id), fleet.get(known.id))) };
    },
  );

  addEnrolments(server, deps);

  for (const verb of ['drain', 'resume'] as const) {
    const summary = verb === 'drain' ? 'Give an agent no more work' : 'Give an agent work again';
    server.post(
      `/v1/agents/:id/${verb}`,
      {
        config: { scope: 'operate' },
        schema: {
          operationId: `${verb}Agent`,
          summary,
          params: IdParams,
          errors: ['agent-not-found'],
          response: { 200: Agent, ...problems },
        },
      },
      async (request) => {
        requireOperator(request.tenant);
        const { id } = request.params;
        await agents.setDraining(id, verb === 'drain');
        const known = await agents.get(id);
        if (known === null) throw new SystemError('agent-not-found', `there is no agent ${id}`);
        const isDraining = verb === 'drain';
        const agent = fleet.get(known.id);
        if (agent === undefined) elsewhere.tell({ type: 'agent.drain', agentId: id, isDraining });
        else agent.drain(isDraining);
        return toAgentAnswer(known, (await connected()).get(known.id), agent);
      },
    );
  }
}

const EnrolmentRequest = Closed(
  {
    pool: Type.Optional(
      Type.String({
        pattern: NAMED_POOL,
        description: "Where the agent will be, whatever it says; absent: where it says, unless that is a tenant's.",
      }),
    ),
  },
  { title: 'EnrolmentRequest', description: 'Which agent is to be let in.' },
);

const EnrolmentAnswer = Closed(
  { token: text('Lets one agent in, once.'), expiresAt: Timestamp },
  { title: 'Enrolment', description: 'A one-time token.' },
);

function addEnrolments(server: HttpServer, { enrolment, pools }: OperatorRoutesDeps): void {
  server.post(
    '/v1/agents/enrolments',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'createEnrolment',
        summary: 'A one-time token that lets one agent in',
        isBodyOptional: true,
        errors: ['not-found', 'quota-exceeded'],
        body: EnrolmentRequest,
        response: { 201: EnrolmentAnswer, ...problems },
      },
    },
    async ({ tenant, body }, reply) => {
      const { pool = null } = body;
      pools.checkEnrolment(tenant, pool);
      return reply.code(201).send(await enrolment.issue(pool));
    },
  );
}
