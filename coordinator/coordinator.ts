/**
 * Owns the wiring of a coordinator: who knows whom, the order of starting and its reverse. Never reads the environment, handles a signal or
 * ends the process, so that several can live in one process; never knows a concrete adapter.
 */

import type { AddressInfo } from 'node:net';
import { readAuthority } from '../shared/http/authority.ts';
import { TlsIdentity } from '../shared/http/tls.ts';
import type { AgentId } from '../shared/ids.ts';
import type { baseNames } from '../shared/model/environment.ts';
import { AGENTS_PATH, AgentGateway } from './agents/agent-gateway.ts';
import { AgentKeys } from './agents/agent-keys.ts';
import type { SessionDeps } from './agents/agent-session.ts';
import { Enrolment } from './agents/enrolment.ts';
import { Fleet } from './agents/fleet.ts';
import { createReceiptCheck } from './agents/receipt-check.ts';
import { createApi } from './api-wiring.ts';
import { createCacheServices, createPreWarming } from './cache-wiring.ts';
import { Cluster } from './cluster/cluster.ts';
import { PEERS_PATH } from './cluster/peer-gateway.ts';
import { CONNECT_PATH } from './compatibility/piston/connect-gateway.ts';
import { type CoordinatorConfig, toLimitMaxima } from './config.ts';
import type { CoordinatorDeps } from './coordinator-deps.ts';
import { createDeliveries } from './deliveries/delivery-wiring.ts';
import type { Retention } from './deliveries/retention.ts';
import { Admission } from './executions/admission.ts';
import { toConstraints } from './executions/demand.ts';
import { ExecutionService } from './executions/execution-service.ts';
import { RequestMemory } from './executions/request-memory.ts';
import { SiteRecording } from './executions/site-records.ts';
import { createFileServices } from './files/file-wiring.ts';
import { checkUpgrade } from './http/authentication.ts';
import { attachUpgrades } from './http/upgrades.ts';
import { leaveToOthers } from './leaving-to-others.ts';
import { Metrics } from './metrics/metrics.ts';
import { createReaders } from './metrics/readings.ts';
import { Pools } from './pools/pools.ts';
import type { Concurrency } from './scheduler/concurrency.ts';
import { FairScheduler } from './scheduler/fair-scheduler.ts';
import { createTenancy, type Tenancy } from './tenant-wiring.ts';
import { localTenant } from './tenants/keys.ts';
import type { TenantDirectory } from './tenants/tenant-directory.ts';
import { TERMINALS_PATH } from './terminals/terminal-gateway.ts';
import { createWebhookServices } from './webhook-wiring.ts';

const EMBEDDED_NAMES_MAX = 32;

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
function createScheduling(
  { clock, random, log, state, instanceKey }: CoordinatorDeps,
  config: CoordinatorConfig,
  concurrency: Concurrency,
) {
  const fleet = new Fleet();
  const tell = () => cluster.tell({ type: 'changed', what: 'pools' });
  const pools = new Pools({ clock, log, store: state.pools, tell });
  const check = createReceiptCheck(fleet, log);
  const local = new FairScheduler({ clock, random, fleet, pools, check, concurrency }, config);
  pools.listen(() => local.poolsChanged());
  const key = instanceKey.derive('peers');
  const cluster = new Cluster(
    { clock, random, log, store: state.shards, key, fleet, local, pools, concurrency },
    { ...config, ca: readAuthority(config.clusterCaFile) },
  );
  return { fleet, local, cluster, pools };
}

type Scheduling = ReturnType<typeof createScheduling>;

function createServices(deps: KeyedDeps, config: CoordinatorConfig, metrics: Metrics) {
  const { tenancy } = deps;
  const { tenants, storage, boundsOf, concurrency } = tenancy;
  const { clock, random, log, state } = deps;
  const scheduling = createScheduling(deps, config, concurrency);
  const { fleet, local, cluster, pools } = scheduling;
  const known = { ...scheduling, ...createCacheServices(deps, config, metrics, scheduling) };
  const { layers, environments, trust, cache } = known;
  const { scheduler } = cluster;
  const filing = createFileServices(deps, config, cluster.keeper);
  const isEmbedded = deps.keys === null;
  const admission = new Admission(
    { clock, scheduler, quotasOf: ({ id }) => boundsOf(id), refused: (...refusal) => metrics.refused(...refusal) },
    { ...config, isEmbedded },
  );
  const hooks = createWebhookServices(deps, config, metrics, cluster);
  const warming = createPreWarming(known, clock, config);
  const executions = new ExecutionService(
    {
      ...{ clock, random, log, store: state.executions, environments, scheduler, admission, tenants },
      memory: new RequestMemory({ ...config, isEmbedded }, (tenantId) => metrics.refused('queue', tenantId)),
      ...{ pools, shards: cluster.keeper, storage, files: filing.requestFiles },
      isRevoked: (manifest) => trust.isRevoked(manifest),
      placed: (environment, { tenantId, request }) => {
        const access = pools.accessOfLayers(tenants(tenantId), environment);
        warming.placed(environment, toConstraints(request, environment.architecture), access);
      },
      requeued: (code) => metrics.requeued(code),
      ended: (answer, { tenantId, request }) => {
        metrics.ended(answer, tenantId);
        tenancy.ledger.ended(tenantId, answer);
        if (request.webhook !== undefined) hooks.deliveries.wake();
        const { environment, timing } = answer;
        if (environment !== null) warming.took(environment.id, timing.prepareMs + timing.executeMs + timing.collectMs);
      },
    },
    { ...config, limitMaxima: toLimitMaxima(config) },
  );
  const { deletion, retention } = createDeliveries(deps, config, { executions, shards: cluster.keeper, ...filing });
  const { agentKeys, enrolment } = createEnrolment(deps, config, fleet);
  const site = new SiteRecording({
    ...{ log, store: state.executions, shards: cluster.keeper, tenants },
    recordElsewhere: (agent, execution) => cluster.recordElsewhere(agent, execution),
    isLive: (tenantId, id) => executions.views.find(tenantId, id) !== null,
  });
  const heard = hearAgents(cluster, metrics);
  const gateway = new AgentGateway(
    { clock, log, enrolment, fleet, leases: local, trust, cache, site, ...heard },
    config,
  );
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
  serveCluster(deps, { ...known, ...hooks, executions, agentKeys, site, retention });
  const ours = { ...filing, ...hooks, deletion, retention, tenancy };
  return { ...known, ...ours, scheduler, admission, executions, enrolment, agentKeys, gateway };
}

/** Who lets agents in, and by which keys they are known. */
function createEnrolment({ clock, random, log, state, verifier }: KeyedDeps, config: CoordinatorConfig, fleet: Fleet) {
  const retired = (agentId: string) => fleet.get(agentId as AgentId)?.superseded();
  const agentKeys = new AgentKeys({ clock, log, agents: state.agents, verifier, retired });
  const enrolment = new Enrolment(
    { clock, random, agents: state.agents, keys: agentKeys },
    {
      ...{ tokenTtlMs: config.enrolmentTokenTtlMs, tokenFile: config.enrolmentTokenFile },
      ...{ tokensMax: config.enrolmentTokensMax, agents: config },
    },
  );
  return { agentKeys, enrolment };
}

/** Who hears of agents that come, go and count. */
function hearAgents(cluster: Cluster, metrics: Metrics): Pick<SessionDeps, 'joined' | 'left' | 'grew'> {
  return {
    joined: (agentId) => cluster.tell({ type: 'agent.joined', agentId }),
    left: (cause) => metrics.agentLeft(cause),
    grew: (...growth) => metrics.agentGrew(...growth),
  };
}

/** What other coordinators and shards that come and go ask of this one. */
function serveCluster(
  { log }: CoordinatorDeps,
  {
    cluster,
    fleet,
    environments,
    executions,
    deliveries,
    site,
    trust,
    cache,
    layers,
    agentKeys,
    pools,
    retention,
  }: ClusterServices,
): void {
  const warn = (error: unknown) => log.warn({ err: error }, 'not read again');
  cluster.serve({
    tenants: () => new Set([...executions.tenants(), ...environments.tenantsBuilding(), ...deliveries.tenants()]),
    takeUp: async (shards) => {
      // Somebody else may have built or revoked meanwhile.
      environments.invalidateAll();
      await environments.resume(shards);
      await executions.resume(shards);
      retention.took(shards);
      deliveries.wake();
    },
    letGo: (shards) => {
      retention.letGo(shards);
      executions.abandon(shards);
      deliveries.letGo(shards);
    },
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
  Pick<ReturnType<typeof createWebhookServices>, 'deliveries'> &
  Pick<ReturnType<typeof createCacheServices>, 'environments' | 'trust' | 'cache' | 'layers'> & {
    readonly executions: ExecutionService;
    readonly agentKeys: AgentKeys;
    readonly site: SiteRecording;
    readonly retention: Retention;
  };

/** Everything that a coordinator does, put together. */
export type Services = ReturnType<typeof createServices>;

/** What everything here is put together from: adapters, and who the tenants are. */
export type KeyedDeps = Omit<CoordinatorDeps, 'keys'> & {
  readonly keys: TenantDirectory | null;
  readonly tenancy: Tenancy;
  readonly tls: TlsIdentity | null;
};

function openTls({ clock, log }: CoordinatorDeps, config: CoordinatorConfig): TlsIdentity | null {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsReloadMs: reloadMs } = config;
  return certFile === '' ? null : new TlsIdentity({ certFile, keyFile }, { clock, log }, { reloadMs });
}

/** Where there are no keys, there is one tenant, whose machines these are. */
function toNamesMax(isEmbedded: boolean, { metricsNamesMax }: CoordinatorConfig): number {
  return isEmbedded ? Math.max(EMBEDDED_NAMES_MAX, metricsNamesMax) : metricsNamesMax;
}

/** Puts a coordinator together; nothing listens or runs before `start`. SystemError `configuration-invalid` for a certificate that can't serve. */
export function wireCoordinator(adapters: CoordinatorDeps, config: CoordinatorConfig): Coordinator {
  const tenancy = createTenancy(adapters, config);
  const tls = openTls(adapters, config);
  const deps: KeyedDeps = { ...adapters, tenancy, keys: tenancy.directory, tls };
  const { log } = deps;
  const metrics = new Metrics(toNamesMax(deps.keys === null, config));
  const services = createServices(deps, config, metrics);
  const { urls, environments, trust, cache, local, enrolment, gateway, cluster, pools } = services;
  const { server, leaving, terminals, piston, description, requirements } = createApi(deps, config, services, metrics);
  metrics.watch(createReaders({ ...services, clock: deps.clock, requirements }, metrics));
  attachUpgrades(server.server, checkUpgrade(deps.keys === null), {
    [AGENTS_PATH]: gateway,
    [TERMINALS_PATH]: terminals,
    ...(piston === null ? {} : { [CONNECT_PATH]: piston }),
    ...(cluster.gateway === null ? {} : { [PEERS_PATH]: cluster.gateway }),
  });
  let stopping: Promise<void> | null = null;

  return {
    enrolment,
    describe: () => description.text(),
    async start() {
      await deps.state.check();
      await tenancy.start(() => cluster.isOnDuty);
      await pools.readAgain();
      await trust.start();
      await cache.start();
      await server.listen({ host: config.listenHost, port: config.listenPort });
      const { port } = server.server.address() as AddressInfo;
      const host = config.listenHost.includes(':') ? `[${config.listenHost}]` : config.listenHost;
      const url = `${tls === null ? 'http' : 'https'}://${host}:${port}`;
      const publicUrl = config.publicUrl === '' ? url : config.publicUrl;
      urls.serveFrom(publicUrl);
      services.fileUrls.serveFrom(publicUrl);
      await enrolment.writeTokenFile();
      local.start();
      services.deliveries.start();
      services.retention.start();
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
      stopping ??= stopAll(deps, services, { server, leaving, terminals, piston }, config);
      return stopping;
    },
  };
}

/** In the reverse order of the start, and of several coordinators as one that others go on without. */
async function stopAll(
  { clock, log, tls, tenancy }: KeyedDeps,
  services: Services,
  {
    server,
    leaving,
    terminals,
    piston,
  }: Pick<ReturnType<typeof createApi>, 'server' | 'leaving' | 'terminals' | 'piston'>,
  config: CoordinatorConfig,
): Promise<void> {
  const { reproductions, environments, trust, cache, local, executions, enrolment, gateway, cluster } = services;
  const leave = async () => {
    // Whoever has the tenants next sends what is to be sent.
    await services.deliveries.stop();
    await cluster.leave();
  };
  const leavers = { clock, leaving, executions, gateway };
  const drain = (timeMsMax: number) => cluster.drain(timeMsMax);
  if (cluster.hasSuccessor) await leaveToOthers({ ...leavers, cluster: { drain, leave } }, config);
  else await Promise.all([executions.drain(config.drainMsMax), cluster.drain(config.drainMsMax)]);
  await services.retention.stop();
  executions.stop();
  await services.deliveries.stop();
  environments.stop();
  reproductions.stop();
  await Promise.all([gateway.stop(), terminals.stop(), piston?.stop()]);
  enrolment.stop();
  await cluster.stop();
  local.stop();
  trust.stop();
  services.agentKeys.stop();
  await cache.stop();
  await server.close();
  tls?.stop();
  await tenancy.stop();
  log.info({}, 'coordinator stopped');
}
