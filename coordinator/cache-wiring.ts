/**
 * Owns the wiring of what environments, their layers and the cache need: who of them knows whom. Never starts anything.
 */
import type { Clock } from '../shared/clock.ts';
import { canonicalJson, digestOf } from '../shared/digest.ts';
import type { AgentId } from '../shared/ids.ts';
import { machineArchitecture } from '../shared/layers/layer-manifest.ts';
import type { Fleet } from './agents/fleet.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { CoordinatorConfig } from './config.ts';
import type { CoordinatorDeps } from './coordinator-deps.ts';
import { CacheService, type CacheServiceOptions } from './environments/cache-service.ts';
import type { ReadyEnvironment } from './environments/environment-build.ts';
import type { KeySettings } from './environments/environment-key.ts';
import { EnvironmentService } from './environments/environment-service.ts';
import { LayerBuilds } from './environments/layer-builds.ts';
import type { LayerBuildsListener } from './environments/layer-demand.ts';
import { LayerUrls } from './environments/layer-urls.ts';
import { Pins } from './environments/pins.ts';
import { Prefetches } from './environments/prefetches.ts';
import { Reproductions } from './environments/reproduction.ts';
import { TrustService } from './environments/trust-service.ts';
import { createTenantKeys } from './instance-key.ts';
import type { Metrics } from './metrics/metrics.ts';
import { isHad } from './pools/pool-access.ts';
import type { Pools } from './pools/pools.ts';
import { PreWarming } from './scheduler/pre-warming.ts';
import type { Tenancy } from './tenant-wiring.ts';
import { BuildQuota } from './tenants/build-quota.ts';
import { type KeyRing, tenantsOf } from './tenants/keys.ts';

const BUILD_RETRY_MS = 500;
const REPRODUCTION_RETRY_MS = 30_000;

/** Agents, and the other coordinators. */
export interface Scheduling {
  readonly fleet: Fleet;
  readonly cluster: Cluster;
  readonly pools: Pools;
}

/** What environments, their layers and the cache need. */
export function createCacheServices(
  deps: Omit<CoordinatorDeps, 'keys'> & { readonly keys: Pick<KeyRing, 'get'> | null; readonly tenancy: Tenancy },
  config: CoordinatorConfig,
  metrics: Metrics,
  { fleet, cluster, pools }: Scheduling,
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
  const quota = new BuildQuota(
    { clock, store: state.buildUsage, boundsOf: deps.tenancy.boundsOf },
    deps.egress,
    config,
  );
  const trust = new TrustService({ clock, log, verifier, store: state.cache }, { renewMs: config.trustRenewMs });
  const looked: Metrics['looked'] = (...lookup) => metrics.looked(...lookup);
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
      mayHold: (tenantId, environment, pool) =>
        isHad(pools.accessOfLayers(tenantsOf(deps.keys)(tenantId), environment).standingOf(pool)),
      isSweeper: () => cluster.isOnDuty,
    },
    toCacheOptions(config),
  );
  return { urls, layers, reproductions, environments, trust, cache, prefetches };
}

/** Layers that are much asked for are fetched by more agents before those have to wait for them. */
export function createPreWarming(
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

function toCacheOptions(config: CoordinatorConfig): CacheServiceOptions {
  return {
    ageMsMax: config.cacheAgeMsMax,
    bytesMax: config.cacheBytesMax,
    sweepIntervalMs: config.cacheSweepIntervalMs,
    graceMs: config.cacheGraceMs,
  };
}
