/**
 * Owns turning tenants' layers into everybody's without an operator: each is built a second time, on nobody's account and from the network
 * alone, and the verifier signs it as shared when both builds agree. At most one at a time, and only while no client's build is under way.
 * Never decides whether builds agree (the verifier does), and never touches a private layer.
 * Invariants: a client's build never waits for one of these (it is ended and tried later); what was refused once is not tried again by this
 * process; what a restart forgets is offered again when its environment is next used.
 */
import { LRUCache } from 'lru-cache';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { createId } from '../../shared/ids.ts';
import { manifestKey } from '../../shared/layers/layer-manifest.ts';
import type { Logger } from '../../shared/logger.ts';
import type { BuildOrder, ReproductionCandidate } from '../../shared/model/build.ts';
import type { EgressRules } from '../../shared/model/egress.ts';
import { toBuildOrder } from './build-order.ts';
import type { Builder, FinishedBuild } from './builder-client.ts';
import type { LayerBuilds } from './layer-builds.ts';
import type { LayerBuildsListener, LayerDemand } from './layer-demand.ts';
import type { LayerUrls } from './layer-urls.ts';
import type { Layer, SpecifiedLayer } from './manifest.ts';
import type { TrustService } from './trust-service.ts';
import type { Verifier } from './verifier-client.ts';

/** How an attempt ended: `refused` for good, the others but `shared` may be tried again. */
export type ReproductionOutcome = 'shared' | 'refused' | 'failed' | 'interrupted' | 'given-up';

/** What reproducing needs. */
export interface ReproductionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly builder: Pick<Builder, 'build' | 'forget'>;
  readonly verifier: Pick<Verifier, 'reproduce' | 'checkCandidate'>;
  readonly trust: Pick<TrustService, 'envelope'>;
  readonly layers: Pick<LayerBuilds, 'read' | 'running'>;
  readonly urls: LayerUrls;
  readonly egress: EgressRules;
  /** Hears of a tenant's layer that everybody may use from now on. */
  readonly shared: (own: Layer) => Promise<void>;
  /** For counters. */
  readonly ended?: (outcome: ReproductionOutcome) => void;
}

/** Times in milliseconds, and what may come without TLS (see ReproductionOrder). */
export interface ReproductionOptions {
  /** How long no client's build must have been under way. */
  readonly idleMs: number;
  /** Before the second attempt; doubles with each further one. */
  readonly retryDelayMs: number;
  readonly signedPlainHttpUrls: readonly string[];
}

/** No tenant's id begins like this, so that no layer belongs to it but shared ones. */
const PLATFORM = '-platform';
const ATTEMPTS_MAX = 5;
const QUEUE_MAX = 256;
const SETTLED_MAX = 10_000;

interface Candidate {
  readonly demand: LayerDemand;
  readonly layer: Layer;
  attempts: number;
  notBeforeMs: number;
}

/** See the head of this file. */
export class Reproductions implements LayerBuildsListener {
  readonly #deps: ReproductionDeps;
  readonly #options: ReproductionOptions;
  readonly #queue = new Map<string, Candidate>();
  /** Layers that are not tried any more, by their object key. */
  readonly #settled = new LRUCache<string, true>({ max: SETTLED_MAX });
  #running: AbortController | null = null;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(deps: ReproductionDeps, options: ReproductionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Layers that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  obtained(demand: LayerDemand, layer: Layer): void {
    const { objectKey, manifest } = layer;
    // A private layer has another key, a fresh one a key that nobody else's request has.
    const isCandidate = manifest.scope !== 'shared' && manifest.key === demand.keys.shareable;
    if (!isCandidate || demand.description.isPrivate || this.#settled.has(objectKey)) return;
    if (this.#queue.has(objectKey) || this.#queue.size >= QUEUE_MAX) return;
    this.#queue.set(objectKey, { demand, layer, attempts: 0, notBeforeMs: this.#deps.clock.monotonicMs() });
    this.#schedule();
  }

  began(): void {
    this.#running?.abort(new SystemError('conflict', "a client's build goes first"));
  }

  idle(): void {
    this.#schedule();
  }

  /** Ends what runs; nothing begins any more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#running?.abort(new SystemError('draining', 'the coordinator is stopping'));
  }

  /** Comes back when it has been quiet for long enough and a candidate's time has come. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#isStopped || this.#running !== null || this.#queue.size === 0) return;
    const { clock, layers } = this.#deps;
    if (layers.running > 0) return;
    const firstMs = Math.min(...this.#decidable().map(([, { notBeforeMs }]) => notBeforeMs));
    const delayMs = Math.max(this.#options.idleMs, firstMs - clock.monotonicMs());
    this.#timer = clock.after(delayMs, () => this.#next());
  }

  /** Those whose parents do not wait themselves, oldest first. */
  #decidable(): [string, Candidate][] {
    return [...this.#queue].filter(([, { demand }]) => !demand.parents.some((one) => this.#queue.has(one.objectKey)));
  }

  #next(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const found = this.#decidable().find(([, { notBeforeMs }]) => notBeforeMs <= nowMs);
    if (found === undefined || this.#running !== null || this.#deps.layers.running > 0) {
      this.#schedule();
      return;
    }
    const [objectKey, candidate] = found;
    const controller = new AbortController();
    this.#running = controller;
    this.#attempt(candidate, controller.signal)
      .then(
        (how) => this.#settle(objectKey, how, null),
        (error: unknown) => this.#failed(objectKey, candidate, controller.signal, toSystemError(error)),
      )
      .finally(() => {
        this.#running = null;
        this.#schedule();
      });
  }

  /** One attempt: is it worth it, the second build, the comparison. */
  async #attempt({ demand, layer }: Candidate, signal: AbortSignal): Promise<'shared'> {
    const { builder, layers, random, urls, egress, trust, verifier, log } = this.#deps;
    const { key } = layer.manifest;
    if ((await layers.read(manifestKey('shared', key))) === null) {
      const parents = await this.#sharedParents(demand);
      const candidate: ReproductionCandidate = {
        first: layer.envelope,
        parents: parents.map(({ envelope }) => envelope),
        signedPlainHttpUrls: [...this.#options.signedPlainHttpUrls],
      };
      await verifier.checkCandidate(candidate);
      signal.throwIfAborted();
      const buildId = createId('build', random);
      log.info({ buildId, key, kind: demand.plan.kind }, 'reproduction started');
      const setting = { urls, egress, weight: 1, trust: await trust.envelope() };
      const order = toBuildOrder(buildId, { ...demand, parents, executionId: undefined }, setting);
      try {
        const finished = await builder.build(asReproduction(order), () => undefined, signal);
        await this.#compare(candidate, finished);
      } finally {
        // The builder removes it by itself after a while.
        builder.forget(buildId).catch(() => undefined);
      }
    }
    await this.#deps.shared(layer);
    return 'shared';
  }

  async #compare(
    candidate: ReproductionCandidate,
    { layer: second, endedIn, report, materials, isPrivate }: FinishedBuild,
  ): Promise<void> {
    if (second === null) {
      throw new SystemError('build-failed', `the second build ended in ${endedIn ?? 'its script'}: ${report.verdict}`);
    }
    if (isPrivate) throw new SystemError('publication-refused', 'the second build used credentials');
    await this.#deps.verifier.reproduce({ ...candidate, second, materials });
  }

  /** The shared manifests of the layers below; SystemError `conflict` while one of them is still its tenant's. */
  async #sharedParents({ parents }: LayerDemand): Promise<SpecifiedLayer[]> {
    const found: SpecifiedLayer[] = [];
    for (const parent of parents) {
      const { scope, key, tar } = parent.manifest;
      const shared = scope === 'shared' ? parent : await this.#deps.layers.read(manifestKey('shared', key));
      if (shared === null || shared.manifest.tar.digest !== tar.digest) {
        throw new SystemError('conflict', `the ${parent.manifest.kind} layer below is its tenant's alone`);
      }
      found.push({ ...shared, spec: parent.spec });
    }
    return found;
  }

  #failed(objectKey: string, candidate: Candidate, signal: AbortSignal, error: SystemError): void {
    const { clock, ended } = this.#deps;
    if (signal.aborted) {
      candidate.notBeforeMs = clock.monotonicMs() + this.#options.retryDelayMs;
      ended?.('interrupted');
      return;
    }
    candidate.attempts += 1;
    if (error.code === 'publication-refused') {
      this.#settle(objectKey, 'refused', error);
    } else if (error.code === 'conflict') {
      // What is below is a tenant's alone now; an operator may share it yet, and then this is offered again.
      this.#queue.delete(objectKey);
      ended?.('refused');
    } else if (candidate.attempts >= ATTEMPTS_MAX) {
      this.#settle(objectKey, 'given-up', error);
    } else {
      candidate.notBeforeMs = clock.monotonicMs() + this.#options.retryDelayMs * 2 ** candidate.attempts;
      this.#deps.log.warn({ objectKey, code: error.code, reason: error.message }, 'reproduction failed, trying again');
      ended?.('failed');
    }
  }

  #settle(objectKey: string, how: ReproductionOutcome, error: SystemError | null): void {
    this.#queue.delete(objectKey);
    this.#settled.set(objectKey, true);
    if (error === null) this.#deps.log.info({ objectKey }, 'layer shared by reproduction');
    else this.#deps.log.warn({ objectKey, how, reason: error.message }, "layer stays its tenant's");
    this.#deps.ended?.(how);
  }
}

/** What makes a second build independent of the first: nobody's account, and nothing that was kept from an earlier download. */
function asReproduction(order: BuildOrder): BuildOrder {
  return { ...order, tenantId: PLATFORM, isStoreUsed: false };
}
