/**
 * Owns samples of durations and what is said about them: percentiles, never a mean alone.
 * Invariant: percentiles are of the sorted samples by nearest rank; nothing is thrown away.
 */

/** Milliseconds at which `share` (0..1) of the samples are done; NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

/** One series and what a table shows of it; milliseconds unless its row says otherwise. */
export interface Summary {
  /** All of them, in the order in which they were taken. */
  readonly samples: readonly number[];
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** The summary of a series. */
export function summarise(samples: readonly number[]): Summary {
  return {
    samples,
    count: samples.length,
    p50: percentile(samples, 0.5),
    p90: percentile(samples, 0.9),
    p99: percentile(samples, 0.99),
  };
}

/** One row of a Markdown table. */
export function toRow(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(' | ')} |`;
}
