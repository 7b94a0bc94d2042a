/**
 * Owns environments: from what a request says to layers that can be mounted, as fast as memory allows and built when nobody has before.
 * Never schedules. Invariants: an id stands for one request of one tenant; rows are durable before an id is given out; a ready environment
 * in memory is one whose manifests have been read.
 */
import { LRUCache } from 'lru-cache';
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { checkSpec } from '../../shared/layers/layer-spec.ts';
import { buildLifecycle } from '../../shared/lifecycle/build.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Environment, EnvironmentRequest } from '../../shared/model/environment.ts';
import {
  describeEnvironment,
  type EnvironmentDescription,
  isPrivateRequest,
} from '../../shared/model/environment-description.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import type { Page } from '../executions/page.ts';
import type { EnvironmentRow, EnvironmentStore } from '../executions/state-store.ts';
import { toReference } from './build-order.ts';
import { EnvironmentBuild, type ReadyEnvironment, toAnswerLayers, toReady } from './environment-build.ts';
import {
  type KeySettings,
  layerKeys,
  planLayers,
  settingsFingerprint,
  type TenantKey,
  toLayerSpec,
  withoutSecrets,
} from './environment-key.ts';
import type { LayerBuilds } from './layer-builds.ts';
import type { LayerDemand } from './layer-demand.ts';
import type { LayerUrls } from './layer-urls.ts';
import type { Layer, SpecifiedLayer } from './manifest.ts';

/** What the service talks to. */
export interface EnvironmentServiceDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: EnvironmentStore;
  readonly layers: LayerBuilds;
  readonly urls: LayerUrls;
  readonly settings: KeySettings;
  /** The tenant's own secret, derived from the instance key. */
  readonly tenantKey: (tenantId: string) => TenantKey;
  /** Hears of layers that could become everybody's; absent: nobody looks after that. */
  readonly offer?: (demand: LayerDemand, layer: Layer) => void;
}

/** An environment by id or by description. */
export type EnvironmentInput = string | EnvironmentRequest;

/** Either it can be used now, or it is being built. */
export type OpenedEnvironment = { readonly ready: ReadyEnvironment } | { readonly build: EnvironmentBuild };

const READY_MAX = 4096;
const ENDED_MAX = 256;

/** See the head of this file. */
export class EnvironmentService {
  readonly #deps: EnvironmentServiceDeps;
  readonly #fingerprint: string;
  readonly #ready = new LRUCache<string, ReadyEnvironment>({ max: READY_MAX });
  #isStopped = false;
  readonly #builds = new Map<string, EnvironmentBuild>();
  /** Builds that have ended, for listeners that come late. */
  readonly #ended = new LRUCache<string, EnvironmentBuild>({ max: ENDED_MAX });

  constructor(deps: EnvironmentServiceDeps) {
    this.#deps = deps;
    this.#fingerprint = settingsFingerprint(deps.settings);
  }

  /** The id that this input has for a tenant. */
  #identify(tenantId: string, input: EnvironmentInput): { id: string; description: EnvironmentDescription | null } {
    if (typeof input === 'string') return { id: input, description: null };
    const description = describeEnvironment(input, this.#deps.tenantKey(tenantId));
    return { id: description.id, description };
  }

  /** What memory knows at once: the hot path. `executionId`: for which, for logs. Throws SystemError `environment-not-found` only from `open`. */
  async open(tenantId: string, input: EnvironmentInput, executionId?: string): Promise<OpenedEnvironment> {
    const { id, description } = this.#identify(tenantId, input);
    const place = `${tenantId} ${id}`;
    const isFresh = typeof input !== 'string' && input.fresh === true;
    const known = isFresh ? undefined : this.#ready.get(place);
    if (known !== undefined) return { ready: known };
    const running = this.#builds.get(place);
    if (running !== undefined) return { build: running };
    const row = await this.#deps.store.get(tenantId, id);
    if (!isFresh && row !== null) {
      const ready = await this.#fromRow(row);
      if (ready !== null) return { ready };
    }
    const wanted = description ?? this.#fromStoredRequest(tenantId, id, row);
    // Somebody else may have begun while we read.
    const begun = this.#builds.get(place);
    return { build: begun ?? this.#start(tenantId, wanted, row, isFresh, executionId) };
  }

  async #fromRow(row: EnvironmentRow): Promise<ReadyEnvironment | null> {
    if (row.manifests.length === 0 || row.fingerprint !== this.#fingerprint) return null;
    const layers: SpecifiedLayer[] = [];
    for (const [index, objectKey] of row.manifests.entries()) {
      const layer = await this.#read(objectKey);
      // A row of an earlier release does not say what its layers are to be.
      const spec = row.specs[index];
      if (layer === null || spec === undefined) return null;
      checkSpec(layer.manifest, spec);
      layers.push({ ...(await this.#deps.layers.asShared(layer)), spec });
    }
    const ready = toReady(row.id, layers, {
      variables: row.request.variables ?? {},
      isPrivate: isPrivateRequest(row.request),
    });
    if (ready.scope === 'shared' && row.answer.scope !== 'shared') await this.#adopt(row, ready);
    this.#ready.set(`${row.tenantId} ${row.id}`, ready);
    this.#offerToShare(row, ready);
    return ready;
  }

  /** Says again which layers are a tenant's own: a restart forgets which of them were to be reproduced. */
  #offerToShare(row: EnvironmentRow, ready: ReadyEnvironment): void {
    const { offer, settings, tenantKey } = this.#deps;
    if (offer === undefined || ready.scope === 'shared') return;
    const tenant = tenantKey(row.tenantId);
    const description = describeEnvironment(row.request, tenant);
    if (description.isPrivate) return;
    for (const [index, plan] of planLayers(description).entries()) {
      const layer = ready.layers[index];
      const parents = ready.layers.slice(0, index);
      const digests = parents.map(({ manifest }) => manifest.tar.digest);
      const keys = layerKeys(toLayerSpec(description, plan, '', settings), digests, tenant);
      if (layer !== undefined) offer({ tenantId: row.tenantId, description, plan, parents, keys }, layer);
    }
  }

  /** Records that an environment's layers are these now. */
  async #adopt(row: EnvironmentRow, ready: ReadyEnvironment): Promise<Environment> {
    const answer: Environment = { ...row.answer, scope: ready.scope, layers: toAnswerLayers(ready.layers) };
    await this.#deps.store.save({ ...row, answer, ...toRowLayers(ready.layers) });
    return answer;
  }

  /** A tenant's layer has become everybody's: environments in memory that stand on it take the shared one. */
  async adoptShared(own: Layer): Promise<void> {
    const { layers, store } = this.#deps;
    for (const [place, ready] of [...this.#ready.entries()]) {
      if (!ready.layers.some(({ objectKey }) => objectKey === own.objectKey)) continue;
      const adopted = toReady(
        ready.id,
        await Promise.all(ready.layers.map(async (one) => ({ ...(await layers.asShared(one)), spec: one.spec }))),
        ready,
      );
      if (this.#ready.peek(place) === ready) this.#ready.set(place, adopted);
      const tenantId = place.slice(0, place.indexOf(' '));
      const row = await store.get(tenantId, ready.id);
      if (row !== null && row.answer.state === 'ready') await this.#adopt(row, adopted);
    }
  }

  /** Null: it is gone, or not to be used any more. */
  async #read(objectKey: string): Promise<Layer | null> {
    try {
      return await this.#deps.layers.read(objectKey);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'layer-revoked') return null;
      throw error;
    }
  }

  #fromStoredRequest(tenantId: string, id: string, row: EnvironmentRow | null): EnvironmentDescription {
    if (row === null) {
      throw new SystemError(
        'environment-not-found',
        `there is no environment ${id}; describe it inline to have it built`,
        {
          errors: [{ pointer: '/environment', detail: 'no such environment' }],
        },
      );
    }
    if (row.request.secrets !== undefined) {
      const detail = `environment ${id} has to be built again and its secrets are not stored; describe it again`;
      throw new SystemError('conflict', detail);
    }
    return { ...describeEnvironment(row.request, this.#deps.tenantKey(tenantId)), id: row.id };
  }

  #start(
    tenantId: string,
    description: EnvironmentDescription,
    row: EnvironmentRow | null,
    isFresh: boolean,
    executionId: string | undefined,
  ): EnvironmentBuild {
    const { clock, layers, settings, tenantKey, log } = this.#deps;
    const place = `${tenantId} ${description.id}`;
    const nowMs = clock.nowMs();
    const build = new EnvironmentBuild(
      { clock, layers, settings },
      {
        description,
        tenant: tenantKey(tenantId),
        generation: isFresh ? String(nowMs) : '',
        createdAt: row?.answer.createdAt ?? toTimestamp(nowMs),
        executionId,
      },
    );
    this.#builds.set(place, build);
    this.#ended.delete(place);
    log.info({ environmentId: description.id, tenantId, executionId, isFresh }, 'environment wanted');
    const end = () => {
      this.#builds.delete(place);
      this.#ended.set(place, build);
    };
    build.result
      .then(
        async (result) => {
          if (result.environment !== null) this.#ready.set(place, result.environment);
          end();
          const { state } = build.answer;
          log.info({ environmentId: description.id, tenantId, executionId, state }, 'environment build ended');
          // A fresh build that failed does not take away the build that there is.
          const built = result.environment?.layers ?? null;
          if (built !== null || !isFresh || row?.answer.state !== 'ready') await this.#save(build, built ?? []);
        },
        async (error: SystemError) => {
          end();
          log.warn(
            { environmentId: description.id, tenantId, executionId, code: error.code, reason: error.message },
            'environment build broke',
          );
          if (row?.answer.state !== 'ready') await this.#save(build, []);
        },
      )
      .catch((error: unknown) => log.error({ err: error, environmentId: description.id }, 'environment not recorded'));
    return build;
  }

  async #save(build: EnvironmentBuild, layers: readonly SpecifiedLayer[]): Promise<void> {
    // What a stop cut off stays unfinished in the store and is taken up by the next start.
    if (this.#isStopped) return;
    const { id, request } = build.description;
    await this.#deps.store.save({
      tenantId: build.tenantId,
      id,
      request: withoutSecrets({ ...request, ...(request.fresh === undefined ? {} : { fresh: false }) }),
      answer: build.answer,
      ...toRowLayers(layers),
      fingerprint: this.#fingerprint,
    });
  }

  /** Asks for an environment on its own: durable before the answer, built whoever stays. */
  async declare(tenantId: string, request: EnvironmentRequest): Promise<Environment> {
    const opened = await this.open(tenantId, request);
    if ('ready' in opened) return await this.#answerOf(tenantId, opened.ready, request);
    opened.build.want();
    if (!buildLifecycle.isFinal(opened.build.answer.state) && opened.build.answer.finishedAt === null) {
      await this.#save(opened.build, []);
    }
    return opened.build.answer;
  }

  async #answerOf(tenantId: string, ready: ReadyEnvironment, request: EnvironmentRequest): Promise<Environment> {
    const row = await this.#deps.store.get(tenantId, ready.id);
    if (row !== null && row.answer.state === 'ready') return { ...row.answer, scope: ready.scope };
    const nowText = toTimestamp(this.#deps.clock.nowMs());
    const answer: Environment = {
      id: ready.id,
      state: 'ready',
      scope: ready.scope,
      base: request.base ?? 'debian-13',
      layers: toAnswerLayers(ready.layers),
      endedIn: null,
      setup: null,
      dependencies: null,
      verify: null,
      failure: null,
      createdAt: nowText,
      finishedAt: nowText,
    };
    return answer;
  }

  /** What a client sees of an environment; SystemError `environment-not-found`. */
  async get(tenantId: string, id: string): Promise<Environment> {
    const running = this.#builds.get(`${tenantId} ${id}`);
    if (running !== undefined) return running.answer;
    const row = await this.#deps.store.get(tenantId, id);
    if (row === null) throw new SystemError('environment-not-found', `there is no environment ${id}`);
    return row.answer;
  }

  /** The build whose events can be followed, running or just ended, or null. */
  buildOf(tenantId: string, id: string): EnvironmentBuild | null {
    const place = `${tenantId} ${id}`;
    return this.#builds.get(place) ?? this.#ended.get(place) ?? null;
  }

  /** Of all tenants: what is being built here, and what was lately. */
  newest(limit: number): EnvironmentBuild[] {
    const builds = [...new Set([...this.#builds.values(), ...this.#ended.values()])];
    const byAge = (one: EnvironmentBuild, other: EnvironmentBuild) =>
      other.answer.createdAt < one.answer.createdAt ? -1 : 1;
    return builds.sort(byAge).slice(0, limit);
  }

  list(tenantId: string, cursor: number | null, limit: number): Promise<Page<Environment>> {
    return this.#deps.store.list(tenantId, cursor, limit);
  }

  /** Builds that are under way. */
  get building(): number {
    return this.#builds.size;
  }

  /** How an agent gets the layers. */
  references(environment: ReadyEnvironment, built: ReadonlySet<string>): LayerReference[] {
    return environment.layers.map((layer) =>
      toReference(layer, this.#deps.urls, built.has(layer.manifest.tar.digest) ? 'built' : 'stored'),
    );
  }

  /** Shares a tenant's environment with everybody; SystemError `environment-not-found` or `conflict`. */
  async promote(tenantId: string, id: string): Promise<Environment> {
    const opened = await this.open(tenantId, id);
    const row = await this.#deps.store.get(tenantId, id);
    if ('build' in opened || row === null) throw new SystemError('conflict', `environment ${id} is not ready yet`);
    const layers: SpecifiedLayer[] = [];
    for (const layer of opened.ready.layers) {
      layers.push({ ...(await this.#deps.layers.promote(layer)), spec: layer.spec });
    }
    const ready = toReady(id, layers, opened.ready);
    const answer = await this.#adopt(row, ready);
    this.#ready.set(`${tenantId} ${id}`, ready);
    return answer;
  }

  /** Forgets what memory knows, so that the next use reads the cache again. */
  invalidate(tenantId: string, id: string): void {
    this.#ready.delete(`${tenantId} ${id}`);
  }

  /** Forgets every environment that memory knows: what layers are good has changed. */
  invalidateAll(): void {
    this.#ready.clear();
  }

  /** Tenants for whom something is being built. */
  tenantsBuilding(): Set<string> {
    return new Set([...this.#builds.values()].map(({ tenantId }) => tenantId));
  }

  /** Builds a base, or finds it; resolves when that has ended, however. */
  async provideBase(tenantId: string, base: NonNullable<EnvironmentRequest['base']>): Promise<void> {
    const opened = await this.open(tenantId, { base });
    if (!('build' in opened)) return;
    const release = opened.build.want();
    await opened.build.result.finally(release).catch(() => undefined);
  }

  /** Goes on with builds that were asked for by tenants of these shards, before a restart or of another coordinator. */
  async resume(shards: readonly number[]): Promise<void> {
    for (const row of await this.#deps.store.unfinished(shards)) {
      if (this.#isStopped) return;
      try {
        const opened = await this.open(row.tenantId, row.id);
        if ('build' in opened) opened.build.want();
      } catch (error) {
        const failure = { code: 'build-failed', detail: error instanceof Error ? error.message : String(error) };
        await this.#deps.store.save({ ...row, answer: { ...row.answer, state: 'failed', failure } });
      }
    }
  }

  /** Cuts off what is being built; `resume` of the next start takes it up. */
  stop(): void {
    this.#isStopped = true;
    for (const build of this.#builds.values()) build.cancel();
  }

  /** Builds a base for the tenant of the embedded mode, so that the first client does not wait for it. */
  async warm(tenantId: string, base: NonNullable<EnvironmentRequest['base']>): Promise<void> {
    const opened = await this.open(tenantId, { base });
    if ('build' in opened) opened.build.want();
  }
}

/** Layers as a row keeps them: where each stands, and what it is to be. */
function toRowLayers(layers: readonly SpecifiedLayer[]): Pick<EnvironmentRow, 'manifests' | 'specs'> {
  return { manifests: layers.map(({ objectKey }) => objectKey), specs: layers.map(({ spec }) => spec) };
}
