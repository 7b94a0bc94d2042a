/**
 * Owns the wiring of a coordinator: who knows whom, the order of starting and its reverse. Never reads the environment, handles a signal or
 * ends the process, so that several can live in one process; never knows a concrete adapter.
 */
import type { AddressInfo } from 'node:net';
import type { Clock, Random } from '../shared/clock.ts';
import { SystemError } from '../shared/errors.ts';
import type { AgentId } from '../shared/ids.ts';
import type { Logger } from '../shared/logger.ts';
import type { EgressRules } from '../shared/model/egress.ts';
import type { baseNames } from '../shared/model/environment.ts';
import { RELEASE } from '../shared/protocol/version.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import { AGENTS_PATH, AgentGateway } from './agents/agent-gateway.ts';
import { AgentKeys } from './agents/agent-keys.ts';
import { Enrolment } from './agents/enrolment.ts';
import { Fleet } from './agents/fleet.ts';
import { createReceiptCheck } from './agents/receipt-check.ts';
import { createCacheServices, createPreWarming } from './cache-wiring.ts';
import { Cluster } from './cluster/cluster.ts';
import { PEERS_PATH } from './cluster/peer-gateway.ts';
import { type CoordinatorConfig, toLimitMaxima } from './config.ts';
import type { Builder } from './environments/builder-client.ts';
import type { Verifier } from './environments/verifier-client.ts';
import { Admission } from './executions/admission.ts';
import { toConstraints } from './executions/demand.ts';
import { ExecutionService } from './executions/execution-service.ts';
import { SiteRecording } from './executions/site-records.ts';
import type { StateStore } from './executions/state-store.ts';
import { addAgentKeyRoutes } from './http/agent-key-routes.ts';
import { checkUpgrade, createAuthentication } from './http/authentication.ts';
import { addCacheRoutes } from './http/cache-routes.ts';
import { addEnvironmentRoutes } from './http/environment-routes.ts';
import { addExecutionRoutes } from './http/execution-routes.ts';
import { Forwarding } from './http/forwarding.ts';
import { addLayerRoutes } from './http/layer-routes.ts';
import { Leaving } from './http/leaving.ts';
import { ApiDescription } from './http/openapi.ts';
import { addOperatorRoutes } from './http/operator-routes.ts';
import { addPoolRoutes } from './http/pool-routes.ts';
import { createServer } from './http/server.ts';
import { attachUpgrades } from './http/upgrades.ts';
import type { InstanceKey } from './instance-key.ts';
import { leaveToOthers } from './leaving-to-others.ts';
import { type Gauges, Metrics } from './metrics.ts';
import { Pools } from './pools/pools.ts';
import { FairScheduler } from './scheduler/fair-scheduler.ts';
import { type KeyRing, localTenant, tenantsOf } from './tenants/keys.ts';

/** The adapters that a coordinator runs on; `stop` closes none of them. */
export interface CoordinatorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly state: StateStore;
  readonly store: ObjectStore;
  readonly builder: Builder;
  readonly verifier: Verifier;
  readonly instanceKey: InstanceKey;
  /** Keys of tenants, or null for the embedded mode. */
  readonly keys: KeyRing | null;
  /** The operator's rules of the build network. */
  readonly egress: EgressRules;
}

/** A coordinator. */
export interface Coordinator {
  /** Listens and takes up what was left; resolves with the URL. SystemError, or the listening error as it is. */
  start(): Promise<{ readonly url: string }>;
  /** Accepts nothing more, lets running executions end for at most drainMsMax, closes everything. Idempotent. */
  stop(): Promise<void>;
  /** For issuing tokens without HTTP. */
  readonly enrolment: Enrolment;
  /** What it serves: OpenAPI 3.1 as JSON, also before it starts. */
  describe(): string;
}

/** Where demands wait and for whom this coordinator answers. */
function createScheduling({ clock, random, log, state, instanceKey }: CoordinatorDeps, config: CoordinatorConfig) {
  const fleet = new Fleet();
  const tell = () => cluster.tell({ type: 'changed', what: 'pools' });
  const pools = new Pools({ clock, log, store: state.pools, tell });
  const local = new FairScheduler({ clock, random, fleet, pools, check: createReceiptCheck(fleet, log) }, config);
  pools.listen(() => local.poolsChanged());
  const key = instanceKey.derive('peers');
  const cluster = new Cluster({ clock, random, log, store: state.shards, key, fleet, local, pools }, config);
  return { fleet, local, cluster, pools };
}

type Scheduling = ReturnType<typeof createScheduling>;

function createServices(deps: CoordinatorDeps, config: CoordinatorConfig, metrics: Metrics) {
  const { clock, random, log, state } = deps;
  const scheduling = createScheduling(deps, config);
  const { fleet, local, cluster, pools } = scheduling;
  const known = { ...scheduling, ...createCacheServices(deps, config, metrics, scheduling) };
  const { layers, environments, trust, cache } = known;
  const { scheduler } = cluster;
  const isEmbedded = deps.keys === null;
  const admission = new Admission(
    { clock, scheduler, refused: (reason) => metrics.refused(reason) },
    { ...config, isEmbedded },
  );
  const tenants = tenantsOf(deps.keys);
  const warming = createPreWarming(known, clock, config);
  const executions = new ExecutionService(
    {
      ...{ clock, random, log, store: state.executions, environments, scheduler, admission, tenants },
      ...{ pools, shards: cluster.keeper },
      isRevoked: (manifest) => trust.isRevoked(manifest),
      placed: (environment, { tenantId, request }) => {
        const access = pools.accessOfLayers(tenants(tenantId), environment);
        warming.placed(environment, toConstraints(request, environment.architecture), access);
      },
      ended: (answer) => {
        metrics.ended(answer);
        const { environment, timing } = answer;
        if (environment !== null) warming.took(environment.id, timing.prepareMs + timing.executeMs + timing.collectMs);
      },
    },
    { ...config, limitMaxima: toLimitMaxima(config) },
  );
  const retired = (agentId: string) => fleet.get(agentId as AgentId)?.superseded();
  const agentKeys = new AgentKeys({ clock, log, agents: state.agents, verifier: deps.verifier, retired });
  const enrolment = new Enrolment(
    { clock, random, agents: state.agents, keys: agentKeys },
    { tokenTtlMs: config.enrolmentTokenTtlMs, tokenFile: config.enrolmentTokenFile },
  );
  const joined = (agentId: AgentId) => cluster.tell({ type: 'agent.joined', agentId });
  const site = new SiteRecording({
    ...{ log, store: state.executions, shards: cluster.keeper, tenants },
    recordElsewhere: (agent, execution) => cluster.recordElsewhere(agent, execution),
    isLive: (tenantId, id) => executions.views.find(tenantId, id) !== null,
  });
  const gateway = new AgentGateway({ clock, log, enrolment, fleet, leases: local, trust, cache, site, joined }, config);
  trust.listen({
    signed: (envelope, isOurs) => {
      fleet.tell({ type: 'trust.state', trust: envelope });
      void agentKeys.renew();
      if (isOurs) cluster.signed(envelope);
    },
    changed: () => {
      layers.forget();
      environments.invalidateAll();
      executions.layersRevoked();
    },
  });
  serveCluster(deps, { ...known, executions, agentKeys, site });
  return { ...known, scheduler, admission, executions, enrolment, agentKeys, gateway };
}

/** What other coordinators and shards that come and go ask of this one. */
function serveCluster(
  { log }: CoordinatorDeps,
  { cluster, fleet, environments, executions, site, trust, cache, layers, agentKeys, pools }: ClusterServices,
): void {
  const warn = (error: unknown) => log.warn({ err: error }, 'not read again');
  cluster.serve({
    tenants: () => new Set([...executions.tenants(), ...environments.tenantsBuilding()]),
    takeUp: async (shards) => {
      // Somebody else may have built or revoked meanwhile.
      environments.invalidateAll();
      await environments.resume(shards);
      await executions.resume(shards);
    },
    letGo: (shards) => executions.abandon(shards),
    readAgain: (what) => {
      if (what === 'revocations') trust.readAgain().catch(warn);
      else if (what === 'pins') cache.readPins().catch(warn);
      else if (what === 'pools') pools.readAgain().catch(warn);
      else {
        layers.forget();
        environments.invalidateAll();
      }
    },
    trusted: (envelope) => trust.takeOver(envelope),
    agentJoined: (agentId) => {
      const agent = fleet.get(agentId as AgentId);
      // It may be new, or retired.
      if (agent !== undefined || !agentKeys.has(agentId)) void agentKeys.renew();
      agent?.superseded();
    },
    recordSite: (agent, execution) => site.recordHere(agent, execution),
    buildBase: (base) => environments.provideBase(localTenant.id, base as (typeof baseNames)[number]),
  });
}

type ClusterServices = Pick<Scheduling, 'cluster' | 'fleet' | 'pools'> &
  Pick<ReturnType<typeof createCacheServices>, 'environments' | 'trust' | 'cache' | 'layers'> & {
    readonly executions: ExecutionService;
    readonly agentKeys: AgentKeys;
    readonly site: SiteRecording;
  };

type Services = ReturnType<typeof createServices>;

function createApi(deps: CoordinatorDeps, config: CoordinatorConfig, services: Services, metrics: Metrics) {
  const { clock, log, random, state, store, keys, builder, instanceKey } = deps;
  const { urls, environments, fleet, trust, cache, prefetches, executions, enrolment, cluster, pools } = services;
  const isEmbedded = keys === null;
  const answered: Metrics['answered'] = (...answer) => metrics.answered(...answer);
  const server = createServer({ log, random, authenticate: createAuthentication(keys), isEmbedded, answered }, config);
  const description = new ApiDescription({ release: RELEASE, isKeyed: !isEmbedded, url: config.publicUrl });
  server.addHook('onRoute', (route) => description.add(route));
  const forwarding = new Forwarding(cluster, log, instanceKey.derive('forwarding'));
  const leaving = new Leaving(clock);
  leaving.watch(server);
  forwarding.serve(server);
  addExecutionRoutes(
    server,
    {
      ...{ clock, executions },
      passOn: (request, reply) => forwarding.passOn(request, reply),
      passAnew: (request, reply) => forwarding.passAnew(request, reply),
    },
    { waitSecondsMax: config.waitSecondsMax, limitMaxima: toLimitMaxima(config) },
  );
  addEnvironmentRoutes(server, { clock, environments });
  addLayerRoutes(server, { store, urls });
  addCacheRoutes(server, { clock, agents: state.agents, fleet, environments, cache, trust, prefetches });
  addPoolRoutes(server, { pools, isTenant: (id) => keys?.has(id) ?? id === localTenant.id });
  const agents = async () => {
    if (fleet.slots().total === 0 && cluster.slotsElsewhere === 0)
      throw new SystemError('no-agent', 'no agent is connected');
  };
  const requirements = {
    state: () => state.check(),
    verifier: () => trust.envelope(),
    builder: () => builder.check(),
    agents,
    staying: async () => {
      if (leaving.isLeaving) throw new SystemError('draining', 'this instance is stopping; others go on');
    },
  };
  addAgentKeyRoutes(server, { agentKeys: services.agentKeys, elsewhere: cluster });
  addOperatorRoutes(server, {
    ...{ agents: state.agents, fleet, elsewhere: cluster, enrolment, pools, description, requirements },
    metrics: () => metrics.read(),
  });
  return { server, leaving, description };
}

function toGauges(services: ReturnType<typeof createServices>): Gauges {
  const { admission, scheduler, environments, reproductions, fleet, trust } = services;
  return {
    queueDepth: () => admission.waiting,
    leases: () => scheduler.running,
    builds: () => environments.building,
    reproductions: () => reproductions.waiting,
    agents: () => fleet.size,
    slots: () => fleet.slots(),
    sandboxes: () => fleet.sandboxes(),
    trustAgeSeconds: () => trust.ageSeconds,
  };
}

/** Puts a coordinator together; nothing listens or runs before `start`. */
export function wireCoordinator(deps: CoordinatorDeps, config: CoordinatorConfig): Coordinator {
  const { log } = deps;
  const metrics = new Metrics();
  const services = createServices(deps, config, metrics);
  const { urls, reproductions, environments, trust, cache, local, executions, enrolment, gateway, cluster, pools } =
    services;
  const { server, leaving, description } = createApi(deps, config, services, metrics);
  metrics.watch(toGauges(services));
  attachUpgrades(server.server, checkUpgrade(deps.keys === null), {
    [AGENTS_PATH]: gateway,
    ...(cluster.gateway === null ? {} : { [PEERS_PATH]: cluster.gateway }),
  });
  let stopping: Promise<void> | null = null;

  async function stop(): Promise<void> {
    if (cluster.hasSuccessor) await leaveToOthers({ clock: deps.clock, leaving, executions, gateway, cluster }, config);
    else await Promise.all([executions.drain(config.drainMsMax), cluster.drain(config.drainMsMax)]);
    executions.stop();
    environments.stop();
    reproductions.stop();
    await gateway.stop();
    enrolment.stop();
    await cluster.stop();
    local.stop();
    trust.stop();
    services.agentKeys.stop();
    await cache.stop();
    await server.close();
    log.info({}, 'coordinator stopped');
  }

  return {
    enrolment,
    describe: () => description.text(),
    async start() {
      await deps.state.check();
      await pools.readAgain();
      await trust.start();
      await cache.start();
      await server.listen({ host: config.listenHost, port: config.listenPort });
      const { port } = server.server.address() as AddressInfo;
      const host = config.listenHost.includes(':') ? `[${config.listenHost}]` : config.listenHost;
      const url = `http://${host}:${port}`;
      urls.serveFrom(config.publicUrl === '' ? url : config.publicUrl);
      await enrolment.writeTokenFile();
      local.start();
      await cluster.start(config.clusterUrl === '' ? url : config.clusterUrl);
      for (const base of config.warmBases) {
        const name = base as (typeof baseNames)[number];
        environments
          .warm(localTenant.id, name)
          .catch((error: unknown) => log.warn({ err: error, base }, 'base not warmed'));
      }
      log.info({ url }, 'coordinator ready');
      return { url };
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}
