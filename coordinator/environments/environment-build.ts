/**
 * Owns one environment's way from request to layers: layer upon layer, with a live log. The only mover of a build's state.
 * Never builds a layer itself (layer-builds). It ends early when nobody is interested any more.
 */
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import type { Digest } from '../../shared/digest.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import { EventLog, numberFrom } from '../../shared/http/event-log.ts';
import { PRIVATE_PREFIX } from '../../shared/layers/layer-spec.ts';
import { type BuildCause, buildLifecycle } from '../../shared/lifecycle/build.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { EnvironmentDescription } from '../../shared/model/environment-description.ts';
import type { LayerSpec } from '../../shared/model/manifest.ts';
import type { Report, Verdict } from '../../shared/model/verdict.ts';
import {
  generationAfter,
  type KeySettings,
  type LayerPlan,
  layerKeys,
  planLayers,
  type TenantKey,
  toLayerSpec,
} from './environment-key.ts';
import type { LayerBuilds } from './layer-builds.ts';
import type { LayerNews, LayerOutcome, LayerVisit } from './layer-demand.ts';
import type { Layer, SpecifiedLayer } from './manifest.ts';

/** Reports of the scripts that ran. */
export interface BuildReports {
  readonly setup: Report | null;
  readonly dependencies: Report | null;
  readonly verify: Report | null;
}

/** An environment that can be used now. */
export interface ReadyEnvironment {
  readonly id: string;
  readonly scope: 'tenant' | 'shared';
  /** Lowest first. */
  readonly layers: readonly SpecifiedLayer[];
  /** Tar digests, lowest first. */
  readonly digests: readonly string[];
  readonly architecture: string;
  /** Is it its tenant's alone, by its request or by what a build of it used? */
  readonly isPrivate: boolean;
  /** The request's variables: scripts 3 and 4 see them too. */
  readonly variables: Readonly<Record<string, string>>;
}

/** How a build ended; our own failures reject instead. */
export type BuildResult = BuildReports &
  (
    | { readonly environment: ReadyEnvironment; readonly built: ReadonlySet<string> }
    | { readonly environment: null; readonly verdict: Verdict; readonly endedIn: 'setup' | 'dependencies' | 'verify' }
  );

/** A ready environment of these layers. */
export function toReady(
  id: string,
  layers: readonly SpecifiedLayer[],
  { variables, isPrivate }: Pick<ReadyEnvironment, 'variables' | 'isPrivate'>,
): ReadyEnvironment {
  return {
    id,
    scope: layers.every(({ manifest }) => manifest.scope === 'shared') ? 'shared' : 'tenant',
    layers,
    digests: layers.map(({ manifest }) => manifest.tar.digest as Digest),
    architecture: layers[0]?.manifest.architecture ?? '',
    isPrivate: isPrivate || layers.some(({ manifest }) => manifest.key.startsWith(PRIVATE_PREFIX)),
    variables,
  };
}

/** Layers as an environment's answer lists them. */
export function toAnswerLayers(layers: readonly Layer[]): Environment['layers'] {
  return layers.map(({ manifest }) => ({
    kind: manifest.kind,
    digest: manifest.tar.digest,
    bytes: manifest.blob.bytes,
    tarBytes: manifest.tar.bytes,
    builtAt: manifest.builtAt,
    provenance: manifest.provenance ?? '',
  }));
}

const LOG_BYTES_MAX = 4 * 1024 * 1024;
/** A key is revoked now and then; a longer chain means that something else is wrong. */
const SUCCESSORS_MAX = 64;

/** A build that is under way or has just ended. */
export class EnvironmentBuild {
  readonly description: EnvironmentDescription;
  readonly tenantId: string;
  readonly log: EventLog;
  readonly result: Promise<BuildResult>;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** Of who wanted it first, for logs. */
  readonly #executionId: string | undefined;
  #answer: Environment;
  #interests = 0;

  constructor(
    deps: { clock: Clock; layers: LayerBuilds; settings: KeySettings },
    order: {
      description: EnvironmentDescription;
      tenant: TenantKey;
      generation: string;
      createdAt: string;
      executionId?: string | undefined;
    },
  ) {
    this.#clock = deps.clock;
    this.log = new EventLog(LOG_BYTES_MAX, numberFrom(deps.clock));
    this.description = order.description;
    this.tenantId = order.tenant.tenantId;
    this.#executionId = order.executionId;
    this.#answer = {
      id: order.description.id,
      state: 'queued',
      scope: 'tenant',
      base: order.description.base,
      layers: [],
      endedIn: null,
      setup: null,
      dependencies: null,
      verify: null,
      failure: null,
      createdAt: order.createdAt,
      finishedAt: null,
    };
    this.result = this.#run(deps, order.tenant, order.generation);
    this.result.catch(() => undefined);
  }

  /** What a client sees now. */
  get answer(): Environment {
    return this.#answer;
  }

  /** Keeps the build going until the returned function is called (or for ever). */
  want(): () => void {
    this.#interests += 1;
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      this.#interests -= 1;
      if (this.#interests > 0) return;
      this.#abort.abort(new SystemError('conflict', 'nobody waited for this build any more'));
    };
  }

  /** Ends the build whoever waits. */
  cancel(): void {
    this.#abort.abort(new SystemError('draining', 'the coordinator is stopping'));
  }

  #move(cause: BuildCause): void {
    const state = buildLifecycle.next(this.#answer.state, cause);
    this.#answer = { ...this.#answer, state };
    this.log.append('state', { state, cause });
  }

  #hear(layer: string, news: LayerNews): void {
    if (news.type === 'building') {
      if (this.#answer.state === 'queued') this.#move('started');
      else if (this.#answer.state === 'verifying') this.#move('next-layer');
    } else if (news.type === 'captured') {
      this.#move('captured');
    } else if (news.type === 'log') {
      const { stream, text } = news;
      this.log.append('build.log', { layer, stream, text }, text.length + 64);
    } else {
      const { type, ...rest } = news;
      this.log.append(`build.${type}`, { layer, ...rest });
    }
  }

  async #run(
    deps: { layers: LayerBuilds; settings: KeySettings },
    tenant: TenantKey,
    generation: string,
  ): Promise<BuildResult> {
    const { description } = this;
    const layers: SpecifiedLayer[] = [];
    const built = new Set<string>();
    const reports = {
      setup: null as Report | null,
      dependencies: null as Report | null,
      verify: null as Report | null,
    };
    const visit = deps.layers.visit();
    try {
      for (const plan of planLayers(description)) {
        const { outcome, spec } = await this.#obtain(visit, deps.settings, tenant, plan, generation, [...layers]);
        if (plan.kind !== 'base') {
          reports[plan.kind] = outcome.report;
          reports.verify = outcome.verify ?? reports.verify;
        }
        if (outcome.layer === null) return this.#endByScript(outcome.endedIn, reports);
        layers.push({ ...outcome.layer, spec });
        if (outcome.origin === 'built') built.add(outcome.layer.manifest.tar.digest);
      }
      // A revocation may have come while the layers above were being built.
      for (const layer of layers) deps.layers.checkRevoked(layer);
    } catch (error) {
      throw this.#endBroken(toSystemError(error));
    } finally {
      visit.end();
    }
    this.#move('published');
    const environment = toReady(description.id, layers, description);
    this.#finish({ ...reports, scope: environment.scope, layers: toAnswerLayers(layers) });
    return { ...reports, environment, built };
  }

  /** The layer under the first key of its succession that was not revoked. */
  async #obtain(
    visit: LayerVisit,
    settings: KeySettings,
    tenant: TenantKey,
    plan: LayerPlan,
    asked: string,
    parents: readonly SpecifiedLayer[],
  ): Promise<{ readonly outcome: LayerOutcome; readonly spec: LayerSpec }> {
    const digests = parents.map(({ manifest }) => manifest.tar.digest);
    // A base is nobody's own: whoever wants it fresh gets the one that all have.
    let generation = plan.kind === 'base' ? '' : asked;
    for (let number = 0; ; number += 1) {
      const spec = toLayerSpec(this.description, plan, generation, settings);
      const keys = layerKeys(spec, digests, tenant);
      try {
        const outcome = await visit.obtain(
          {
            tenantId: this.tenantId,
            description: this.description,
            plan,
            parents,
            keys,
            executionId: this.#executionId,
          },
          { isFresh: asked !== '', signal: this.#abort.signal, news: (news) => this.#hear(plan.kind, news) },
        );
        return { outcome, spec };
      } catch (error) {
        if (!(error instanceof SystemError) || error.code !== 'layer-revoked' || number >= SUCCESSORS_MAX) throw error;
        generation = generationAfter(keys);
      }
    }
  }

  #endByScript(endedIn: 'setup' | 'dependencies' | 'verify', reports: BuildReports): BuildResult {
    // A remembered failure comes without a build.
    if (this.#answer.state === 'queued') this.#move('started');
    if (this.#answer.state === 'verifying') this.#move('next-layer');
    this.#move('script-failed');
    this.#finish({ ...reports, endedIn });
    return { ...reports, environment: null, endedIn, verdict: reports[endedIn]?.verdict ?? 'nonzero-exit' };
  }

  #endBroken(error: SystemError): SystemError {
    this.#move('broken');
    this.#finish({ failure: { code: error.code, detail: error.message } });
    return error;
  }

  #finish(ending: Partial<Environment>): void {
    this.#answer = { ...this.#answer, ...ending, finishedAt: toTimestamp(this.#clock.nowMs()) };
    this.log.close('finished', this.#answer);
  }
}
