/**
 * Owns the words between whoever wants a layer and whoever gets it: the demand, what came of it, and what is heard meanwhile. Types only.
 */
import type { EnvironmentDescription } from '../../shared/model/environment-description.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { BuildNews } from './builder-client.ts';
import type { LayerKeys, LayerPlan } from './environment-key.ts';
import type { Layer, SpecifiedLayer } from './manifest.ts';

/** One layer that is wanted. */
export interface LayerDemand {
  readonly tenantId: string;
  readonly description: EnvironmentDescription;
  readonly plan: LayerPlan;
  readonly parents: readonly SpecifiedLayer[];
  readonly keys: LayerKeys;
  /** The execution for which it is wanted first, for logs; absent: none. */
  readonly executionId?: string | undefined;
}

/** A script of the client's that failed. */
export interface LayerFailure {
  readonly layer: null;
  readonly endedIn: 'setup' | 'dependencies' | 'verify';
  readonly report: Report;
  readonly verify: Report | null;
}

/** What came of a demand. */
export type LayerOutcome =
  | {
      readonly layer: Layer;
      readonly origin: 'stored' | 'built';
      readonly report: Report | null;
      readonly verify: Report | null;
    }
  | LayerFailure;

/** What a waiting client hears of a build. */
export type LayerNews = BuildNews | { readonly type: 'building' } | { readonly type: 'captured' };

/** A build that is over, for counters: with what was tried again and publication; its script's report when there is one. */
export interface EndedBuild {
  readonly durationMs: number;
  readonly report: Report | null;
}

/** What happened to a lookup, for counters. */
export type LookupOutcome = 'hit' | 'built' | 'failed' | 'broken';

/** Hears of every lookup, and of the build that it took. */
export type Looked = (kind: string, outcome: LookupOutcome, build?: EndedBuild) => void;

/** Who wants to know when clients' builds begin and end, and which layers were handed out to whom. */
export interface LayerBuildsListener {
  /** A client's build is under way; there may be others. */
  began(): void;
  /** The last one that was under way is over, and every environment that it was for is complete. */
  idle(): void;
  /** A layer that is no fresh one was found or built for this demand. */
  obtained(demand: LayerDemand, layer: Layer): void;
}

/** One environment's way through its layers: from the first that has to be built on it counts as a build, also between two layers. */
export interface LayerVisit {
  /** Gets a layer; the caller stops waiting by its signal. SystemError when neither cache nor builder could serve. */
  obtain(demand: LayerDemand, options: ObtainOptions): Promise<LayerOutcome>;
  /** No further layer is wanted. */
  end(): void;
}

/** How a layer is waited for. */
export interface ObtainOptions {
  readonly isFresh: boolean;
  readonly signal: AbortSignal;
  readonly news: (news: LayerNews) => void;
}
