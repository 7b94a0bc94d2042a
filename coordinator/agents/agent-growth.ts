/**
 * Owns what counters of one connected agent have grown by from report to report, so that sums over agents that come and go never fall.
 * Never counts what was before the connection's first report, nor below zero: an agent that began anew has counted all of its own again.
 */
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';

/** What was counted between two reports. */
export type CacheGrowth = Pick<AgentCounts, 'hits' | 'misses' | 'evictions' | 'fetchedBytes'>;

/** See the head of this file; one for each connection. */
export class AgentGrowth {
  #before: CacheGrowth | null = null;

  /** What is more than in the report before; null: this is the first. */
  since({ hits, misses, evictions, fetchedBytes }: AgentCounts): CacheGrowth | null {
    const before = this.#before;
    this.#before = { hits, misses, evictions, fetchedBytes };
    if (before === null) return null;
    const more = (now: number, then: number) => (now < then ? now : now - then);
    return {
      hits: more(hits, before.hits),
      misses: more(misses, before.misses),
      evictions: more(evictions, before.evictions),
      fetchedBytes: more(fetchedBytes, before.fetchedBytes),
    };
  }
}
