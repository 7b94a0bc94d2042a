/**
 * Owns the worlds that simulations begin with: one in which nothing goes wrong by itself, and one in which everything does.
 */
import type { Scenario } from './simulation.ts';

const nobody = { cutsPerMinute: 0, deathsPerMinute: 0, partitionsPerMinute: 0 };

/** Agents that answer and stay; a small fleet, which asks for nothing yet. */
export const calm: Scenario = {
  ...{ agents: 10, slots: [4], keys: 4, zipf: 1, durationMs: 60_000, tenants: [] },
  weather: { refusedPercent: 0, failedPercent: 0, silentPercent: 0, oddPercent: 0, fetchMs: 300 },
  trouble: { ...nobody, awayMs: [1, 2], partitionMs: [1, 2] },
};

/** A small fleet in which everything goes wrong now and then. */
export const rough: Scenario = {
  ...{ agents: 8, slots: [1, 2, 4], keys: 12, zipf: 1, durationMs: 60_000 },
  tenants: [
    { id: 'many', weight: 1, perSecond: 8, durationMs: 700 },
    { id: 'long', weight: 2, perSecond: 0.5, durationMs: 9000 },
    { id: 'few', weight: 1, perSecond: 1, durationMs: 300 },
  ],
  weather: { refusedPercent: 2, failedPercent: 3, silentPercent: 1, oddPercent: 5, fetchMs: 400 },
  trouble: {
    ...{ cutsPerMinute: 1, deathsPerMinute: 1, partitionsPerMinute: 1 },
    ...{ awayMs: [100, 40_000], partitionMs: [100, 40_000] },
  },
};

/** The sample below which this share of them lies. */
export function percentile(samples: readonly number[], share: number): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(share * (samples.length - 1))] ?? 0;
}
