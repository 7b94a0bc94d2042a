/**
 * Owns getting one layer: found in the cache, or built by the builder and published by the verifier, once however many ask (single flight).
 * Never runs anything itself and never writes the cache.
 * Invariants: one build at a time per scope and key; a build goes on while anybody waits for it and is ended when nobody does; a layer is
 * handed out only as the verifier's signed manifest.
 */
import { LRUCache } from 'lru-cache';
import { type Clock, passed, type Random, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { createId } from '../../shared/ids.ts';
import { manifestKey, tenantScope } from '../../shared/layers/layer-manifest.ts';
import { checkSpec, SHAREABLE_PREFIX } from '../../shared/layers/layer-spec.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import type { BuildQuota } from '../tenants/build-quota.ts';
import { toBuildOrder } from './build-order.ts';
import type { Builder, BuildNews, FinishedBuild } from './builder-client.ts';
import { withoutSecrets } from './environment-key.ts';
import { FailureMemory } from './failure-memory.ts';
import type {
  EndedBuild,
  LayerBuildsListener,
  LayerDemand,
  LayerFailure,
  LayerNews,
  LayerOutcome,
  LayerVisit,
  Looked,
  ObtainOptions,
} from './layer-demand.ts';
import { placesOf } from './layer-places.ts';
import type { LayerUrls } from './layer-urls.ts';
import { type Layer, readLayer, toLayer } from './manifest.ts';
import type { TrustService } from './trust-service.ts';
import type { Verifier } from './verifier-client.ts';

interface Flight {
  readonly log: EventLog;
  readonly abort: AbortController;
  readonly outcome: Promise<LayerOutcome>;
  followers: number;
}

/** What building needs. */
export interface LayerBuildsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: ObjectStore;
  readonly builder: Builder;
  readonly verifier: Verifier;
  readonly trust: TrustService;
  readonly urls: LayerUrls;
  readonly quota: Pick<BuildQuota, 'begin'>;
  readonly weightOf: (tenantId: string) => number;
  /** Resolves when another coordinator has built this base, if it is that one's to build; at once if it is ours. */
  readonly buildBaseElsewhere?: (base: string) => Promise<void>;
  /** Hears of every layer that was found in the store or published. */
  readonly found?: (layer: Layer) => void;
  readonly looked?: Looked;
}

/** Times of the negative cache and between repetitions; milliseconds. */
export interface LayerBuildsOptions {
  readonly failureTtlMs: number;
  readonly unreachableTtlMs: number;
  readonly retryDelayMs: number;
}

const LOG_BYTES_MAX = 4 * 1024 * 1024;
const ATTEMPTS_MAX = 3;

/** Finds or builds layers. */
export class LayerBuilds {
  readonly #deps: LayerBuildsDeps;
  readonly #options: LayerBuildsOptions;
  readonly #found = new LRUCache<string, Layer>({ max: 4096 });
  readonly #flights = new Map<string, Flight>();
  readonly #failures: FailureMemory<LayerFailure>;
  #listener: LayerBuildsListener | null = null;
  #busyVisits = 0;

  constructor(deps: LayerBuildsDeps, options: LayerBuildsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#failures = new FailureMemory(deps.clock);
  }

  /** From now on this one listens. */
  listen(listener: LayerBuildsListener): void {
    this.#listener = listener;
  }

  /** Builds and visits that are under way. */
  get running(): number {
    return this.#flights.size + this.#busyVisits;
  }

  /** The published layer under this object key, or null. */
  async read(objectKey: string): Promise<Layer | null> {
    const known = this.#found.get(objectKey);
    if (known !== undefined) return known;
    const { store, trust } = this.#deps;
    await trust.envelope();
    const layer = await readLayer(store, objectKey, trust);
    if (layer !== null) this.#remember(layer);
    return layer;
  }

  /** The layer as everybody's where it has become that since, with the same content; otherwise as it is. */
  async asShared(layer: Layer): Promise<Layer> {
    const { scope, key, tar } = layer.manifest;
    if (scope === 'shared' || !key.startsWith(SHAREABLE_PREFIX)) return layer;
    const shared = await this.read(manifestKey('shared', key)).catch((error: unknown) => {
      // The tenant's own is judged by itself.
      if (error instanceof SystemError && error.code === 'layer-revoked') return null;
      throw error;
    });
    return shared !== null && shared.manifest.tar.digest === tar.digest ? shared : layer;
  }

  #remember(layer: Layer): Layer {
    this.#found.set(layer.objectKey, layer);
    this.#deps.found?.(layer);
    return layer;
  }

  /** Throws SystemError `layer-revoked` when the layer is not to be used any more. */
  checkRevoked({ envelope }: Layer): void {
    this.#deps.trust.open(envelope);
  }

  /** Forgets what was read, all of it or these objects: the next use reads the store again, under the trust of that moment. */
  forget(objectKeys?: readonly string[]): void {
    if (objectKeys === undefined) this.#found.clear();
    else for (const objectKey of objectKeys) this.#found.delete(objectKey);
  }

  /** Begins an environment's way through its layers; its caller ends it. */
  visit(): LayerVisit {
    let isBusy = false;
    const join = () => {
      if (!isBusy) this.#busyVisits += 1;
      isBusy = true;
    };
    return {
      obtain: async (demand, options) => {
        const outcome = await this.#obtain(demand, options, join);
        if (outcome.layer !== null && !options.isFresh) this.#listener?.obtained(demand, outcome.layer);
        return outcome;
      },
      end: () => {
        if (!isBusy) return;
        isBusy = false;
        this.#busyVisits -= 1;
        this.#leave();
      },
    };
  }

  async #obtain(demand: LayerDemand, options: ObtainOptions, join: () => void): Promise<LayerOutcome> {
    const { kind } = demand.plan;
    const stored = await this.#lookUp(demand);
    if (stored !== null) {
      this.#deps.looked?.(kind, 'hit');
      return { layer: stored, origin: 'stored', report: null, verify: null };
    }
    const key = this.#flightKey(demand);
    const failure = options.isFresh ? null : this.#failures.get(key);
    if (failure !== null) return failure;
    options.signal.throwIfAborted();
    const begun = this.#flights.get(key);
    // A build may have been published and over between two answers of the store.
    const published = begun === undefined ? this.#recall(demand) : null;
    if (published !== null) return { layer: published, origin: 'stored', report: null, verify: null };
    join();
    const flight = begun ?? this.#start(key, demand);
    return await this.#follow(key, flight, options.signal, options.news);
  }

  #scope(demand: LayerDemand): string {
    return demand.plan.kind === 'base' ? 'shared' : tenantScope(demand.tenantId);
  }

  #flightKey(demand: LayerDemand): string {
    return `${this.#scope(demand)}/${demand.description.isPrivate ? demand.keys.private : demand.keys.shareable}`;
  }

  /** What stands there already, built for this very specification. SystemError `layer-revoked` when a place of this key holds what is not to be used any more: then the key has a successor. */
  async #lookUp(demand: LayerDemand): Promise<Layer | null> {
    const { keys } = demand;
    for (const key of [keys.shareable, keys.private]) {
      if (this.#deps.trust.isKeyRevoked(key)) throw new SystemError('layer-revoked', `key ${key} was revoked`);
    }
    for (const place of placesOf(demand)) {
      const layer = await this.read(place);
      if (layer === null) continue;
      checkSpec(layer.manifest, keys.spec);
      return layer;
    }
    return null;
  }

  /** The same, as far as memory knows. */
  #recall(demand: LayerDemand): Layer | null {
    for (const place of placesOf(demand)) {
      const layer = this.#found.get(place);
      if (layer === undefined) continue;
      checkSpec(layer.manifest, demand.keys.spec);
      return layer;
    }
    return null;
  }

  #start(key: string, demand: LayerDemand): Flight {
    const log = new EventLog(LOG_BYTES_MAX);
    const abort = new AbortController();
    const flight: Flight = { log, abort, followers: 0, outcome: this.#run(key, demand, log, abort.signal) };
    this.#flights.set(key, flight);
    this.#listener?.began();
    const end = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      this.#leave();
    };
    flight.outcome.then(end, end);
    return flight;
  }

  #leave(): void {
    if (this.running === 0) this.#listener?.idle();
  }

  #follow(key: string, flight: Flight, signal: AbortSignal, news: (news: LayerNews) => void): Promise<LayerOutcome> {
    flight.followers += 1;
    const unfollow = flight.log.follow(0, (event) => news(event.data as LayerNews));
    return new Promise((resolve, reject) => {
      const leave = () => {
        unfollow();
        reject(signal.reason);
        flight.followers -= 1;
        if (flight.followers > 0) return;
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.abort.abort(new SystemError('conflict', 'nobody waits for this build any more'));
      };
      signal.addEventListener('abort', leave, { once: true });
      const settle = () => {
        signal.removeEventListener('abort', leave);
        unfollow();
      };
      flight.outcome.then(resolve, reject);
      flight.outcome.then(settle, settle);
    });
  }

  async #run(key: string, demand: LayerDemand, log: EventLog, signal: AbortSignal): Promise<LayerOutcome> {
    const { kind } = demand.plan;
    const startedAtMs = this.#deps.clock.monotonicMs();
    const looked = (
      outcome: 'built' | 'failed' | 'broken',
      { report }: Pick<EndedBuild, 'report'> = { report: null },
    ) => this.#deps.looked?.(kind, outcome, { durationMs: this.#deps.clock.monotonicMs() - startedAtMs, report });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const stored = kind === 'base' ? await this.#fromElsewhere(demand) : null;
        if (stored !== null) return { layer: stored, origin: 'stored', report: null, verify: null };
        log.append('news', { type: 'building' } satisfies LayerNews);
        const outcome = await this.#build(key, demand, log, signal);
        looked(outcome.layer === null ? 'failed' : 'built', outcome);
        return outcome;
      } catch (error) {
        const isWorthRepeating =
          error instanceof SystemError &&
          error.isRetryable &&
          error.code !== 'quota-exceeded' &&
          attempt < ATTEMPTS_MAX;
        if (!isWorthRepeating || signal.aborted) {
          looked('broken');
          throw error;
        }
        const { executionId } = demand;
        const why = { code: error.code, reason: error.message };
        this.#deps.log.warn({ kind, executionId, attempt, ...why }, 'build broke, trying again');
        await passed(this.#deps.clock, this.#options.retryDelayMs * 2 ** attempt);
      }
    }
  }

  async #build(key: string, demand: LayerDemand, log: EventLog, signal: AbortSignal): Promise<LayerOutcome> {
    const { clock, random, builder, log: logger } = this.#deps;
    const { kind } = demand.plan;
    const grant = await this.#deps.quota.begin(demand.tenantId, kind, signal);
    const buildId = createId('build', random);
    const startedAtMs = clock.monotonicMs();
    const { executionId, tenantId } = demand;
    logger.info({ buildId, kind, environmentId: demand.description.id, tenantId, executionId }, 'build started');
    const news = (event: BuildNews) => {
      if (event.type === 'phase') grant.begun();
      if (event.type === 'fetched') grant.fetched(event);
      else log.append('news', event, event.type === 'log' ? event.text.length + 64 : 64);
    };
    const build = async () => {
      const { urls, trust, weightOf } = this.#deps;
      const weight = weightOf(demand.tenantId);
      const order = toBuildOrder(buildId, demand, { urls, weight, egress: grant.rules, trust: await trust.envelope() });
      return await builder.build(order, news, signal);
    };
    const finished = await build().finally(() => grant.settle());
    try {
      const durationMs = Math.round(clock.monotonicMs() - startedAtMs);
      if (finished.endedIn !== null || finished.layer === null) {
        logger.info({ buildId, kind, executionId, endedIn: finished.endedIn, durationMs }, 'build ended by its script');
        return this.#fail(key, demand, finished);
      }
      log.append('news', { type: 'captured' } satisfies LayerNews);
      const { blob } = finished.layer;
      const publishing = (bytes: number) =>
        news({ type: 'progress', phase: 'publishing', bytes, fraction: bytes / Math.max(1, blob.bytes) });
      news({ type: 'phase', phase: 'publishing' });
      publishing(0);
      const layer = await this.#publish(demand, finished, finished.layer).catch((cause: unknown) => {
        throw revokedAgain(cause);
      });
      publishing(blob.bytes);
      this.#failures.forget(key);
      logger.info({ buildId, kind, executionId, digest: layer.manifest.tar.digest, durationMs }, 'build published');
      return { layer, origin: 'built', report: finished.report, verify: finished.verify };
    } finally {
      // The builder removes it by itself after a while.
      builder.forget(buildId).catch(() => undefined);
    }
  }

  /** Bases are everybody's: one coordinator of all builds them. */
  async #fromElsewhere(demand: LayerDemand): Promise<Layer | null> {
    if (this.#deps.buildBaseElsewhere === undefined) return null;
    await this.#deps.buildBaseElsewhere(demand.description.base);
    return await this.#lookUp(demand);
  }

  #fail(key: string, demand: LayerDemand, finished: FinishedBuild): LayerFailure {
    const { endedIn, report, verify, isNetworkUnreachable } = finished;
    if (endedIn === null || endedIn === 'base') {
      const said = report.stderr.slice(-2000).trim();
      throw new SystemError('build-failed', `the base ${demand.description.base} could not be built: ${said}`);
    }
    const failure: LayerFailure = { layer: null, endedIn, report, verify };
    const ttlMs = isNetworkUnreachable ? this.#options.unreachableTtlMs : this.#options.failureTtlMs;
    this.#failures.remember(key, failure, ttlMs, !isNetworkUnreachable);
    return failure;
  }

  async #publish(
    demand: LayerDemand,
    finished: FinishedBuild,
    staged: NonNullable<FinishedBuild['layer']>,
  ): Promise<Layer> {
    const { description, plan, parents, keys } = demand;
    const scope = this.#scope(demand);
    const isPrivate = plan.kind !== 'base' && (description.isPrivate || finished.isPrivate);
    const key = isPrivate ? keys.private : keys.shareable;
    const { envelope } = await this.#deps.verifier.publish({
      staged,
      key,
      spec: keys.spec,
      scope,
      parents: parents.map(({ manifest }) => manifest.tar.digest),
      externalParameters: {
        kind: plan.kind,
        environment: plan.kind === 'base' ? { base: description.base } : withoutSecrets(description.request),
      },
      materials: finished.materials,
      builtAt: toTimestamp(this.#deps.clock.nowMs()),
    });
    return this.#remember(toLayer(manifestKey(scope, key), envelope, this.#deps.trust));
  }

  /** Signs a tenant's layer again as a shared one; SystemError `conflict` when it is private. */
  async promote(layer: Layer): Promise<Layer> {
    const { key, scope } = layer.manifest;
    if (scope === 'shared') return layer;
    if (!key.startsWith(SHAREABLE_PREFIX)) {
      throw new SystemError(
        'conflict',
        `the ${layer.manifest.kind} layer is private; build it without secrets to share it`,
      );
    }
    const { envelope } = await this.#deps.verifier.promote({ envelope: layer.envelope, key });
    return this.#remember(toLayer(manifestKey('shared', key), envelope, this.#deps.trust));
  }
}

/** A build that gives the very bytes that were revoked has no successor: repeating it would give them again. */
function revokedAgain(error: unknown): unknown {
  if (!(error instanceof SystemError) || error.code !== 'layer-revoked') return error;
  const detail = `built again, this gives what was revoked: ${error.message}; change the script, or what it fetches`;
  return new SystemError('publication-refused', detail, { cause: error });
}
