/**
 * Owns the wiring of a coordinator: who knows whom, the order of starting and its reverse. Never reads the environment, handles a signal or
 * ends the process, so that several can live in one process; never knows a concrete adapter.
 */
import type { AddressInfo } from 'node:net';
import type { Clock, Random } from '../shared/clock.ts';
import { canonicalJson, digestOf } from '../shared/digest.ts';
import { SystemError } from '../shared/errors.ts';
import type { AgentId } from '../shared/ids.ts';
import { machineArchitecture } from '../shared/layers/layer-manifest.ts';
import type { Logger } from '../shared/logger.ts';
import type { EgressRules } from '../shared/model/egress.ts';
import type { baseNames } from '../shared/model/environment.ts';
import { RELEASE } from '../shared/protocol/version.ts';
import type { ObjectStore } from '../shared/storage/object-store.ts';
import { AGENTS_PATH, AgentGateway } from './agents/agent-gateway.ts';
import { Enrolment } from './agents/enrolment.ts';
import { Fleet } from './agents/fleet.ts';
import { Cluster } from './cluster/cluster.ts';
import { PEERS_PATH } from './cluster/peer-gateway.ts';
import { type CoordinatorConfig, toLimitMaxima } from './config.ts';
import type { Builder } from './environments/builder-client.ts';
import { CacheService, type CacheServiceOptions } from './environments/cache-service.ts';
import type { ReadyEnvironment } from './environments/environment-build.ts';
import type { KeySettings, TenantKey } from './environments/environment-key.ts';
import { EnvironmentService } from './environments/environment-service.ts';
import { LayerBuilds } from './environments/layer-builds.ts';
import type { LayerBuildsListener } from './environments/layer-demand.ts';
import { LayerUrls } from './environments/layer-urls.ts';
import { Pins } from './environments/pins.ts';
import { Prefetches } from './environments/prefetches.ts';
import { Reproductions } from './environments/reproduction.ts';
import { TrustService } from './environments/trust-service.ts';
import type { Verifier } from './environments/verifier-client.ts';
import { Admission } from './executions/admission.ts';
import { toConstraints } from './executions/demand.ts';
import { ExecutionService } from './executions/execution-service.ts';
import { SiteRecording } from './executions/site-records.ts';
import type { StateStore } from './executions/state-store.ts';
import { checkUpgrade, createAuthentication } from './http/authentication.ts';
import { addCacheRoutes } from './http/cache-routes.ts';
import { addEnvironmentRoutes } from './http/environment-routes.ts';
import { addExecutionRoutes } from './http/execution-routes.ts';
import { addForwarding } from './http/forwarding.ts';
import { addLayerRoutes } from './http/layer-routes.ts';
import { ApiDescription } from './http/openapi.ts';
import { addOperatorRoutes } from './http/operator-routes.ts';
import { createServer } from './http/server.ts';
import { attachUpgrades } from './http/upgrades.ts';
import type { InstanceKey } from './instance-key.ts';
import { type Gauges, Metrics } from './metrics.ts';
import { FairScheduler } from './scheduler/fair-scheduler.ts';
import { PreWarming } from './scheduler/pre-warming.ts';
import { BuildQuota } from './tenants/build-quota.ts';
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
}

const BUILD_RETRY_MS = 500;
const REPRODUCTION_RETRY_MS = 30_000;

/** Where demands wait and for whom this coordinator answers. */
function createScheduling({ clock, random, log, state, instanceKey }: CoordinatorDeps, config: CoordinatorConfig) {
  const fleet = new Fleet();
  const local = new FairScheduler({ clock, random, fleet }, config);
  const key = instanceKey.derive('peers');
  const cluster = new Cluster({ clock, random, log, store: state.shards, key, fleet, local }, config);
  return { fleet, local, cluster };
}

type Scheduling = ReturnType<typeof createScheduling>;

/** What environments, their layers and the cache need. */
function createCacheServices(
  deps: CoordinatorDeps,
  config: CoordinatorConfig,
  metrics: Metrics,
  { fleet, cluster }: Scheduling,
) {
  const { clock, random, log, state, store, builder, verifier, instanceKey } = deps;
  const settings: KeySettings = {
    architecture: machineArchitecture,
    // All of the rules: whatever an operator changes may change what a build sees.
    egressPolicyId: digestOf(canonicalJson(deps.egress)),
    epoch: config.cacheEpoch,
    salt: config.cacheSalt,
  };
  const urls = new LayerUrls(
    { clock, store, key: instanceKey.derive('layer-urls') },
    { ttlSeconds: config.layerUrlTtlSeconds },
  );
  const quota = new BuildQuota({ clock, store: state.buildUsage }, deps.egress, config);
  const trust = new TrustService({ clock, log, verifier, store: state.cache }, { renewMs: config.trustRenewMs });
  const looked: Metrics['looked'] = (kind, outcome) => metrics.looked(kind, outcome);
  const layers = new LayerBuilds(
    {
      ...{ clock, random, log, store, builder, verifier, trust, urls, quota, looked },
      weightOf: (tenantId) => tenantsOf(deps.keys)(tenantId).weight,
      buildBaseElsewhere: (base) => cluster.buildBaseElsewhere(base),
      found: (layer) => cache.found(layer),
    },
    { failureTtlMs: config.failureTtlMs, unreachableTtlMs: config.unreachableTtlMs, retryDelayMs: BUILD_RETRY_MS },
  );
  const reproductions = new Reproductions(
    {
      ...{ clock, random, log, builder, verifier, trust, layers, urls, egress: deps.egress },
      shared: (own) => environments.adoptShared(own),
      ended: (outcome) => metrics.reproduced(outcome),
    },
    {
      idleMs: config.reproductionIdleMs,
      retryDelayMs: REPRODUCTION_RETRY_MS,
      signedPlainHttpUrls: config.signedPlainHttpUrls,
    },
  );
  const isReproducing = config.reproduceBuilds === 'on' || (config.reproduceBuilds === 'auto' && deps.keys !== null);
  const offer: LayerBuildsListener['obtained'] = (...layer) => reproductions.obtained(...layer);
  const tenantKey = createTenantKeys(instanceKey);
  const environments = new EnvironmentService({
    ...{ clock, log, store: state.environments, layers, urls, settings, tenantKey },
    ...(isReproducing ? { offer } : {}),
  });
  if (isReproducing) layers.listen(reproductions);
  const prefetches = new Prefetches({ clock, random, fleet });
  const cache = new CacheService(
    {
      ...{ clock, log, store: state.cache, trust, verifier, layers, environments, fleet, prefetches },
      pins: new Pins(state.cache),
      damaged: () => metrics.damaged(),
      changed: (what) => cluster.tell({ type: 'changed', what }),
      isSweeper: () => cluster.isOnDuty,
    },
    toCacheOptions(config),
  );
  return { urls, layers, reproductions, environments, trust, cache, prefetches };
}

function createServices(deps: CoordinatorDeps, config: CoordinatorConfig, metrics: Metrics) {
  const { clock, random, log, state } = deps;
  const scheduling = createScheduling(deps, config);
  const { fleet, local, cluster } = scheduling;
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
      shards: cluster.keeper,
      isRevoked: (manifest) => trust.isRevoked(manifest),
      placed: (environment, request) => warming.placed(environment, toConstraints(request, environment.architecture)),
      ended: (answer) => {
        metrics.ended(answer);
        const { environment, timing } = answer;
        if (environment !== null) warming.took(environment.id, timing.prepareMs + timing.executeMs + timing.collectMs);
      },
    },
    { ...config, limitMaxima: toLimitMaxima(config) },
  );
  const enrolment = new Enrolment(
    { clock, random, agents: state.agents },
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
      if (isOurs) cluster.signed(envelope);
    },
    changed: () => {
      layers.forget();
      environments.invalidateAll();
      executions.layersRevoked();
    },
  });
  serveCluster(deps, { ...known, executions, site });
  return { ...known, scheduler, admission, executions, enrolment, gateway };
}

/** What other coordinators and shards that come and go ask of this one. */
function serveCluster(
  { log }: CoordinatorDeps,
  { cluster, environments, executions, site, trust, cache, layers }: ClusterServices,
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
      else {
        layers.forget();
        environments.invalidateAll();
      }
    },
    trusted: (envelope) => trust.takeOver(envelope),
    recordSite: (agent, execution) => site.recordHere(agent, execution),
    buildBase: (base) => environments.provideBase(localTenant.id, base as (typeof baseNames)[number]),
  });
}

type ClusterServices = Pick<Scheduling, 'cluster'> &
  Pick<ReturnType<typeof createCacheServices>, 'environments' | 'trust' | 'cache' | 'layers'> & {
    readonly executions: ExecutionService;
    readonly site: SiteRecording;
  };

/** Layers that are much asked for are fetched by more agents before those have to wait for them. */
function createPreWarming(
  { fleet, environments, prefetches }: Pick<Scheduling, 'fleet'> & ReturnType<typeof createCacheServices>,
  clock: Clock,
  { preWarmCopiesAtOnceMax }: CoordinatorConfig,
): PreWarming<ReadyEnvironment> {
  const prefetch = (environment: ReadyEnvironment, agentIds: readonly AgentId[]) => {
    const bytes = environment.layers.reduce((sum, { manifest }) => sum + manifest.blob.bytes, 0);
    prefetches.begin(environment.id, environments.references(environment, new Set()), agentIds, bytes);
  };
  return new PreWarming({ clock, index: fleet.index, prefetch }, { copiesAtOnceMax: preWarmCopiesAtOnceMax });
}

function createTenantKeys(instanceKey: InstanceKey): (tenantId: string) => TenantKey {
  const known = new Map<string, TenantKey>();
  return (tenantId) => {
    const key = known.get(tenantId) ?? { tenantId, key: instanceKey.derive(`tenant/${tenantId}`) };
    known.set(tenantId, key);
    return key;
  };
}

function toCacheOptions(config: CoordinatorConfig): CacheServiceOptions {
  return {
    ageMsMax: config.cacheAgeMsMax,
    bytesMax: config.cacheBytesMax,
    sweepIntervalMs: config.cacheSweepIntervalMs,
    graceMs: config.cacheGraceMs,
  };
}

type Services = ReturnType<typeof createServices>;

function createApi(deps: CoordinatorDeps, config: CoordinatorConfig, services: Services, metrics: Metrics) {
  const { clock, log, random, state, store, keys, builder } = deps;
  const { urls, environments, fleet, trust, cache, prefetches, executions, enrolment, cluster } = services;
  const isEmbedded = keys === null;
  const answered: Metrics['answered'] = (...answer) => metrics.answered(...answer);
  const server = createServer({ log, random, authenticate: createAuthentication(keys), isEmbedded, answered }, config);
  const description = new ApiDescription(RELEASE);
  server.addHook('onRoute', (route) => description.add(route));
  addForwarding(server, cluster, log);
  addExecutionRoutes(
    server,
    { clock, executions },
    { waitSecondsMax: config.waitSecondsMax, limitMaxima: toLimitMaxima(config) },
  );
  addEnvironmentRoutes(server, { clock, environments });
  addLayerRoutes(server, { store, urls });
  addCacheRoutes(server, { clock, agents: state.agents, fleet, environments, cache, trust, prefetches });
  const agents = async () => {
    if (fleet.slots().total === 0 && cluster.slotsElsewhere === 0)
      throw new SystemError('no-agent', 'no agent is connected');
  };
  const requirements = {
    state: () => state.check(),
    verifier: () => trust.envelope(),
    builder: () => builder.check(),
    agents,
  };
  addOperatorRoutes(server, {
    agents: state.agents,
    fleet,
    elsewhere: cluster,
    enrolment,
    description,
    metrics: () => metrics.read(),
    requirements,
  });
  return server;
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
  const { urls, reproductions, environments, trust, cache, local, executions, enrolment, gateway, cluster } = services;
  const server = createApi(deps, config, services, metrics);
  metrics.watch(toGauges(services));
  attachUpgrades(server.server, checkUpgrade(deps.keys === null), {
    [AGENTS_PATH]: gateway,
    ...(cluster.gateway === null ? {} : { [PEERS_PATH]: cluster.gateway }),
  });
  let stopping: Promise<void> | null = null;

  async function stop(): Promise<void> {
    await Promise.all([executions.drain(config.drainMsMax), cluster.drain(config.drainMsMax)]);
    executions.stop();
    environments.stop();
    reproductions.stop();
    await gateway.stop();
    enrolment.stop();
    await cluster.stop();
    local.stop();
    trust.stop();
    await cache.stop();
    await server.close();
    log.info({}, 'coordinator stopped');
  }

  return {
    enrolment,
    async start() {
      await deps.state.check();
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
