/**
 * Owns what the planner tells its generator of load and what it hears of it, over the channel between the two processes.
 */
import type { Arrival } from '../arrivals.ts';

/** Stands in a template where an arrival's processor time goes, in microseconds. */
export const CPU_TOKEN = '@CPU_MICROSECONDS@';

/** What is to be offered, to whom. */
export interface GeneratorOrder {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bodies, by the mix's environments. */
  readonly templates: readonly string[];
  readonly arrivals: readonly Arrival[];
  /** Beyond so many under way nothing is sent. */
  readonly inFlightMax: number;
  /** For so long after the last one answers are waited for. */
  readonly graceMs: number;
}

/** What became of one arrival; milliseconds from the start. */
export interface OfferRecord {
  readonly intendedMs: number;
  readonly environment: number;
  sentMs: number | null;
  doneMs: number | null;
  /** `refused`: 429 or 503, which is no latency; `unanswered`: it was too late for an answer. */
  outcome: 'served' | 'refused' | 'failed' | 'unsent' | 'unanswered';
  verdict?: string | null;
  detail?: string;
  cpuTimeMs?: number;
  wallTimeMs?: number;
  memoryPeakBytes?: number;
  diskBytes?: number;
  queuedMs?: number;
  fetchMs?: number;
  environmentId?: string | null;
}

/** What the generator says when it is done. */
export interface GeneratorAnswer {
  readonly records: readonly OfferRecord[];
  readonly isCut: boolean;
  /** When the last one was sent. */
  readonly offeredMs: number;
  /** Its own processor time until then. */
  readonly cpuMs: number;
}
