/**
 * Owns the wiring of what a coordinator serves over HTTP: which routes there are, who may ask, what takes upgrades. Never listens.
 */
import { SystemError } from '../shared/errors.ts';
import { readAuthority } from '../shared/http/authority.ts';
import { RELEASE } from '../shared/protocol/version.ts';
import { noTracer } from '../shared/tracing/tracer.ts';
import { addRooms } from './compatibility/room-wiring.ts';
import { type CoordinatorConfig, toLimitMaxima } from './config.ts';
import type { KeyedDeps, Services } from './coordinator.ts';
import { addAgentKeyRoutes } from './http/agent-key-routes.ts';
import { auditActions } from './http/auditing.ts';
import { type Authenticate, createAuthentication } from './http/authentication.ts';
import { addCacheRoutes } from './http/cache-routes.ts';
import { addCollectedRoutes, nameCollectors } from './http/collected-routes.ts';
import { addConsoleRoutes } from './http/console-routes.ts';
import { addEnvironmentRoutes } from './http/environment-routes.ts';
import { addExecutionRoutes } from './http/execution-routes.ts';
import { addFileRoutes } from './http/file-routes.ts';
import { Forwarding } from './http/forwarding.ts';
import { addInstanceRoutes } from './http/instance-routes.ts';
import { addLayerRoutes } from './http/layer-routes.ts';
import { Leaving } from './http/leaving.ts';
import { ApiDescription } from './http/openapi.ts';
import { addOperatorRoutes } from './http/operator-routes.ts';
import { addPoolRoutes } from './http/pool-routes.ts';
import { addProvenanceRoutes } from './http/provenance-routes.ts';
import { addRecipeRoutes } from './http/recipe-routes.ts';
import { createServer, type HttpServer } from './http/server.ts';
import { addTerminalRoutes } from './http/terminal-routes.ts';
import { addWebhookRoutes, refuseDeliveries } from './http/webhook-routes.ts';
import type { Metrics } from './metrics/metrics.ts';
import { isConsoleServed } from './pages/page-settings.ts';
import { addTenancyRoutes } from './tenant-wiring.ts';
import { localTenant } from './tenants/keys.ts';
import { TerminalGateway } from './terminals/terminal-gateway.ts';
import { TerminalTickets } from './terminals/tickets.ts';

/** Everything that is served over HTTP, and whoever takes its upgrades; nothing listens. */
export function createApi(deps: KeyedDeps, config: CoordinatorConfig, services: Services, metrics: Metrics) {
  const { clock, log, random, state, store, keys, instanceKey, tls } = deps;
  const { urls, environments, fleet, trust, cache, prefetches, executions, enrolment, cluster, pools } = services;
  const isEmbedded = keys === null;
  const answered: Metrics['answered'] = (...answer) => metrics.answered(...answer);
  const authenticate = createAuthentication(keys);
  const server = createServer({ log, random, authenticate, isEmbedded, answered, tls: tls ?? undefined }, config);
  const description = new ApiDescription({ release: RELEASE, isKeyed: !isEmbedded, url: config.publicUrl });
  server.addHook('onRoute', (route) => description.add(route));
  const forwarding = new Forwarding(
    cluster,
    log,
    instanceKey.derive('forwarding'),
    readAuthority(config.clusterCaFile),
  );
  const leaving = new Leaving(clock);
  leaving.watch(server);
  refuseDeliveries(server);
  const collecting = { collections: services.collections, tenants: services.tenancy.tenants };
  nameCollectors(server, collecting);
  forwarding.serve(server);
  auditActions(server, { clock, log, audit: state.audit });
  addExecutionRoutes(
    server,
    {
      ...{ clock, executions, deletion: services.deletion, tracer: deps.tracer ?? noTracer },
      passOn: (request, reply) => forwarding.passOn(request, reply),
      passAnew: (request, reply) => forwarding.passAnew(request, reply),
      webhooks: services.receivers,
    },
    { waitSecondsMax: config.waitSecondsMax, limitMaxima: toLimitMaxima(config) },
  );
  addWebhookRoutes(server, services.webhooks);
  const terminals = addTerminals(server, deps, config, { authenticate, forwarding, views: executions.views });
  addEnvironmentRoutes(server, { clock, environments, storage: services.tenancy.storage });
  addRecipeRoutes(server, deps.recipes ?? []);
  addRooms(server, deps, config, { authenticate, services });
  addTenancyRoutes(server, deps, services.tenancy, {
    waiting: (id) => services.admission.waitingOf(id),
    begunInMinute: (id) => services.admission.begunInMinute(id),
  });
  addFileRoutes(server, { files: services.files, urls: services.fileUrls, objects: deps.fileObjects });
  addCollectedRoutes(server, collecting);
  addLayerRoutes(server, { store, urls });
  addCacheRoutes(server, { clock, agents: state.agents, fleet, environments, cache, trust, prefetches });
  addPoolRoutes(server, { pools, isTenant: (id) => keys?.has(id) ?? id === localTenant.id });
  addAgentKeyRoutes(server, { agentKeys: services.agentKeys, elsewhere: cluster });
  addInstanceRoutes(server, {
    ...{ clock, admission: services.admission, scheduler: services.scheduler, fleet, environments },
    ...{ executions: executions.views, queueDepthMax: config.queueDepthMax },
    runningOf: (id) => services.tenancy.concurrency.countOf(id),
    tenants: () => keys?.all() ?? [localTenant],
  });
  addProvenanceRoutes(server, { store });
  if (isConsoleServed(config)) addConsoleRoutes(server, { isKeyed: !isEmbedded });
  const requirements = toRequirements(deps, services, leaving);
  addOperatorRoutes(server, {
    ...{ agents: state.agents, fleet, elsewhere: cluster, enrolment, pools, description },
    requirements,
    metrics: () => metrics.read(),
  });
  return { server, leaving, terminals, description, requirements };
}

/** Terminals of interactive executions: their tickets, and who takes their upgrades. */
function addTerminals(
  server: HttpServer,
  { clock, log, random, keys, instanceKey }: KeyedDeps,
  config: CoordinatorConfig,
  {
    authenticate,
    forwarding,
    views,
  }: {
    readonly authenticate: Authenticate;
    readonly forwarding: Forwarding;
    readonly views: Services['executions']['views'];
  },
): TerminalGateway {
  const key = instanceKey.derive('terminal-tickets');
  const tickets = new TerminalTickets({ clock, random, key }, config.terminalTicketTtlMs);
  addTerminalRoutes(server, { views, tickets });
  return new TerminalGateway(
    {
      ...{ clock, random, log, authenticate, isEmbedded: keys === null, tickets, executions: views },
      passOn: (request, socket, head, tenantId) => forwarding.passUpgrade({ request, socket, head }, tenantId),
    },
    config,
  );
}

/** What must be there for whoever asks /readyz. */
function toRequirements(
  { state, builder }: KeyedDeps,
  { fleet, cluster, trust }: Services,
  leaving: Pick<Leaving, 'isLeaving'>,
) {
  return {
    state: () => state.check(),
    verifier: () => trust.envelope(),
    builder: () => builder.check(),
    agents: async () => {
      if (fleet.slots().total === 0 && cluster.slotsElsewhere === 0)
        throw new SystemError('no-agent', 'no agent is connected');
    },
    staying: async () => {
      if (leaving.isLeaving) throw new SystemError('draining', 'this instance is stopping; others go on');
    },
  };
}
