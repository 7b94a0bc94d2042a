/**
 * Owns the operator's verbs on the cache: list, pin, prefetch, revoke, purge, collect; and what agents say about their layers.
 * Never deletes (the verifier does) and never signs. Every verb leaves a line in the log.
 * Invariants: what is pinned, or was used within the grace, is never collected; what was removed from the store is not remembered as there.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SweepResult } from '../../shared/model/sweep.ts';
import type { Revocation } from '../../shared/model/trust.ts';
import type { AgentCacheEvents, LayersProgress } from '../agents/agent-session.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import type { CacheStore, RecordedLayer } from '../executions/cache-store.ts';
import type { Page } from '../executions/page.ts';
import type { ReadyEnvironment } from './environment-build.ts';
import type { EnvironmentService } from './environment-service.ts';
import type { LayerBuilds } from './layer-builds.ts';
import type { Layer } from './manifest.ts';
import type { Pins } from './pins.ts';
import type { PrefetchAnswer, Prefetches } from './prefetches.ts';
import type { TrustService } from './trust-service.ts';
import type { Verifier } from './verifier-client.ts';

/** What the service talks to. */
export interface CacheServiceDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: CacheStore;
  readonly trust: TrustService;
  readonly verifier: Pick<Verifier, 'sweep'>;
  readonly layers: LayerBuilds;
  readonly environments: EnvironmentService;
  readonly fleet: Fleet;
  readonly pins: Pins;
  readonly prefetches: Prefetches;
  /** Hears of every layer that an agent found damaged. */
  readonly damaged?: () => void;
  /** Hears of what other coordinators have to read again. */
  readonly changed?: (what: 'pins' | 'environments') => void;
  /** May this environment of a tenant lie on agents of a pool? Absent: on all. */
  readonly mayHold?: (tenantId: string, environment: ReadyEnvironment, pool: string) => boolean;
  /** Is it ours to collect at intervals? Absent: it is. */
  readonly isSweeper?: () => boolean;
}

/** Bounds of collecting; 0: none. */
export interface CollectionBounds {
  readonly ageMsMax: number;
  readonly bytesMax: number;
}

/** Settings of the service. */
export interface CacheServiceOptions extends CollectionBounds {
  readonly sweepIntervalMs: number;
  readonly graceMs: number;
}

/** A layer as operators see it. */
export interface ListedLayer extends RecordedLayer {
  readonly agents: string[];
  readonly pinnedOn: string[];
  readonly isRevoked: boolean;
}

/** How often uses are written down. */
const USES_DELAY_MS = 5000;
/** Manifests that one collection looks at. */
const COLLECTED_MAX = 5000;

/** See the head of this file. */
export class CacheService implements AgentCacheEvents {
  readonly #deps: CacheServiceDeps;
  readonly #options: CacheServiceOptions;
  readonly #used = new Set<string>();
  #usesTimer: Timer | null = null;
  #sweepTimer: Timer | null = null;
  #isStopped = false;

  constructor(deps: CacheServiceDeps, options: CacheServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Reads pins and begins to collect at intervals. */
  async start(): Promise<void> {
    await this.#deps.pins.load();
    this.#scheduleSweep();
  }

  /** Writes down which layers were used. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#sweepTimer?.cancel();
    await this.#saveUses();
  }

  /** Records a layer that was found or published. */
  found({ objectKey, manifest }: Layer): void {
    this.#deps.store
      .record({ objectKey, manifest, lastUsedAtMs: this.#deps.clock.nowMs() })
      .catch((error: unknown) => this.#deps.log.error({ err: error, objectKey }, 'layer not recorded'));
  }

  /** A page of all layers, newest first. */
  async list(cursor: number | null, limit: number): Promise<Page<ListedLayer>> {
    await this.#saveUses();
    const page = await this.#deps.store.layers(cursor, limit);
    return { items: page.items.map((layer) => this.#toListed(layer)), next: page.next };
  }

  #toListed(layer: RecordedLayer): ListedLayer {
    const { fleet, pins, trust } = this.#deps;
    const { digest } = layer.manifest.tar;
    const agents = [...fleet.all()].filter((agent) => agent.layers.has(digest)).map(({ id }) => id);
    return { ...layer, agents, pinnedOn: pins.whereIs(digest), isRevoked: trust.isRevoked(layer.manifest) };
  }

  /** Keeps layers on agents (null: on all, and on those that come later), or lets them go again. */
  async pin(digests: readonly string[], agentIds: readonly string[] | null, isPinned: boolean): Promise<void> {
    const { pins, fleet, log } = this.#deps;
    if (isPinned) await pins.add(digests, agentIds);
    else await pins.remove(digests, agentIds);
    log.info({ digests, agents: agentIds ?? 'all', isPinned }, 'layers pinned or let go');
    for (const agent of fleet.all()) this.#tellPins(agent);
    this.#deps.changed?.('pins');
  }

  /** Another coordinator has changed the pins: reads them, and tells our agents. */
  async readPins(): Promise<void> {
    await this.#deps.pins.load();
    for (const agent of this.#deps.fleet.all()) this.#tellPins(agent);
  }

  #tellPins(agent: FleetAgent): void {
    agent.send({ type: 'layers.pinned', digests: this.#deps.pins.of(agent.id) });
  }

  /** Tar digests of an environment's layers; SystemError `environment-not-found`, or `conflict` while it is not ready. */
  async digestsOf(tenantId: string, environment: string): Promise<readonly string[]> {
    return (await this.#ready(tenantId, environment)).digests;
  }

  async #ready(tenantId: string, environment: string): Promise<ReadyEnvironment> {
    const opened = await this.#deps.environments.open(tenantId, environment);
    if ('ready' in opened) return opened.ready;
    opened.build.want();
    throw new SystemError(
      'conflict',
      `environment ${environment} is not ready; it is being built, so ask again when it is`,
    );
  }

  /** Has agents (null: all that are connected) get an environment's layers. */
  async prefetch(tenantId: string, environment: string, agentIds: readonly string[] | null): Promise<PrefetchAnswer> {
    const { environments, fleet, prefetches, log, mayHold = () => true } = this.#deps;
    const ready = await this.#ready(tenantId, environment);
    const wanted = (agentIds ?? [...fleet.all()].map(({ id }) => id)).filter((id) => {
      const pool = fleet.get(id as AgentId)?.pool;
      if (pool === undefined || mayHold(tenantId, ready, pool)) return true;
      if (agentIds === null) return false;
      throw new SystemError('forbidden', `agent ${id} is of a pool that tenant ${tenantId} may not use for this`);
    });
    if (wanted.length === 0) throw new SystemError('no-agent', 'no agent is connected that could prefetch');
    const bytes = ready.layers.reduce((sum, { manifest }) => sum + manifest.blob.bytes, 0);
    const answer = prefetches.begin(environment, environments.references(ready, new Set()), wanted, bytes);
    log.info({ prefetch: answer.id, environment, agents: wanted }, 'prefetch begun');
    return answer;
  }

  /** Revokes for ever; resolves with the version of the state that says so, or null when the verifier has not signed it yet. */
  async revoke(orders: readonly Omit<Revocation, 'revokedAt'>[]): Promise<number | null> {
    return await this.#deps.trust.revoke(orders);
  }

  /** Removes layers from the store, whoever used them when, but those on which others stand. */
  async purge(digests: readonly string[], isRehearsal: boolean): Promise<SweepResult> {
    const layers: RecordedLayer[] = [];
    for (const digest of digests) layers.push(...(await this.#deps.store.layersOf(digest)));
    if (layers.length === 0)
      throw new SystemError('not-found', `no layer of the cache has one of these digests: ${digests}`);
    return await this.#sweep(layers, isRehearsal, 'purge');
  }

  /** Removes what was not used for too long, then what was used longest ago until the rest fits; what is needed stays. */
  async collect(bounds: Partial<CollectionBounds>, isRehearsal: boolean): Promise<SweepResult> {
    await this.#saveUses();
    const { ageMsMax, bytesMax } = { ...this.#options, ...bounds };
    const nowMs = this.#deps.clock.nowMs();
    const candidates = (await this.#deps.store.unused(nowMs - this.#options.graceMs, COLLECTED_MAX)).filter(
      ({ manifest }) => !this.#deps.pins.has(manifest.tar.digest),
    );
    const isOld = ({ lastUsedAtMs }: RecordedLayer) => ageMsMax > 0 && lastUsedAtMs < nowMs - ageMsMax;
    const old = candidates.filter(isOld);
    const first = await this.#sweep(old, isRehearsal, 'collection');
    if (bytesMax === 0 || first.bytesLeft <= bytesMax) return first;
    const more = untilFits(
      candidates.filter((layer) => !isOld(layer)),
      first.bytesLeft - bytesMax,
    );
    if (more.length === 0) return first;
    return join(
      first,
      await this.#sweep(isRehearsal ? [...old, ...more] : more, isRehearsal, 'collection'),
      isRehearsal,
    );
  }

  async #sweep(layers: readonly RecordedLayer[], isRehearsal: boolean, why: string): Promise<SweepResult> {
    const { verifier, store, log } = this.#deps;
    const manifests = layers.map(({ objectKey }) => objectKey);
    if (!isRehearsal) this.#forget(manifests);
    const result = await verifier.sweep({ manifests, graceMs: this.#options.graceMs, isRehearsal });
    if (isRehearsal) return result;
    // Again: somebody may have read one of them just before it went.
    this.#forget(manifests);
    const kept = new Set(result.kept.map(({ manifest }) => manifest));
    await store.forget(manifests.filter((key) => !kept.has(key)));
    this.#deps.changed?.('environments');
    const { removed, blobs, provenances, bytes } = result;
    log.info({ why, removed, kept: result.kept, blobs, provenances, bytes }, 'cache swept');
    return result;
  }

  #forget(manifests: readonly string[]): void {
    if (manifests.length === 0) return;
    this.#deps.layers.forget(manifests);
    this.#deps.environments.invalidateAll();
  }

  #scheduleSweep(): void {
    const { sweepIntervalMs } = this.#options;
    if (sweepIntervalMs === 0 || this.#isStopped) return;
    this.#sweepTimer = this.#deps.clock.after(Math.min(sweepIntervalMs, 2 ** 30), () => {
      const isOurs = this.#deps.isSweeper?.() ?? true;
      (isOurs ? this.collect({}, false) : Promise.resolve())
        .catch((error: unknown) => this.#deps.log.warn({ reason: toSystemError(error).message }, 'cache not swept'))
        .finally(() => this.#scheduleSweep());
    });
  }

  joined(agent: FleetAgent): void {
    // An empty list too: what was unpinned while it was away is pinned there still.
    this.#tellPins(agent);
  }

  left(agent: FleetAgent): void {
    this.#deps.prefetches.left(agent);
  }

  used(digests: readonly string[]): void {
    for (const digest of digests) this.#used.add(digest);
    if (this.#used.size === 0) return;
    this.#usesTimer ??= this.#deps.clock.after(USES_DELAY_MS, () => {
      this.#saveUses().catch((error: unknown) => {
        this.#deps.log.warn({ reason: toSystemError(error).message }, 'uses of layers not written down');
      });
    });
  }

  async #saveUses(): Promise<void> {
    this.#usesTimer?.cancel();
    this.#usesTimer = null;
    if (this.#used.size === 0) return;
    const digests = [...this.#used];
    this.#used.clear();
    await this.#deps.store.used(digests, this.#deps.clock.nowMs());
  }

  damaged(agent: FleetAgent, digest: string, detail: string): void {
    this.#deps.log.error({ agentId: agent.id, layer: digest, detail }, 'layer damaged on an agent');
    this.#deps.damaged?.();
  }

  progressed(agentId: AgentId, progress: LayersProgress): void {
    this.#deps.prefetches.progressed(agentId, progress);
  }
}

/** Least recently used first, as many as it takes to free that many bytes. */
function untilFits(layers: readonly RecordedLayer[], bytes: number): RecordedLayer[] {
  let freed = 0;
  const chosen: RecordedLayer[] = [];
  for (const layer of layers) {
    if (freed >= bytes) break;
    chosen.push(layer);
    freed += layer.manifest.blob.bytes;
  }
  return chosen;
}

function join(first: SweepResult, second: SweepResult, isRehearsal: boolean): SweepResult {
  // A rehearsal removes nothing, so its second look includes the first.
  if (isRehearsal) return second;
  return {
    removed: [...first.removed, ...second.removed],
    kept: [...first.kept, ...second.kept],
    blobs: first.blobs + second.blobs,
    provenances: first.provenances + second.provenances,
    bytes: first.bytes + second.bytes,
    bytesLeft: second.bytesLeft,
  };
}
