/**
 * Owns reading metrics in the Prometheus text format, as far as the planner needs it: samples with their labels, and histograms.
 * Never asks anybody. Invariant: a series that is not there is absent, never zero.
 */

/** One sample. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Cumulated counts by upper bound, the last one infinite. */
export interface HistogramCounts {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** All samples of a text. */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const [, name = '', labelText = '', value = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/gm)) {
    const labels: Record<string, string> = {};
    for (const [, label = '', quoted = ''] of labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[label] = quoted.replace(/\\(.)/g, (_whole, letter: string) => (letter === 'n' ? '\n' : letter));
    samples.push({ name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) });
  }
  return samples;
}

/** The sum of all samples of a name. */
export function total(samples: readonly Sample[], name: string): number {
  return samples.reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0);
}

/** A histogram by one of its labels. */
export function histogramsBy(
  samples: readonly Sample[],
  name: string,
  label: string,
): ReadonlyMap<string, HistogramCounts> {
  const found = new Map<string, { bounds: number[]; counts: number[]; sum: number }>();
  const of = (key: string) => {
    const known = found.get(key) ?? { bounds: [], counts: [], sum: 0 };
    found.set(key, known);
    return known;
  };
  for (const { name: each, labels, value } of samples) {
    const key = labels[label];
    if (key === undefined) continue;
    if (each === `${name}_sum`) of(key).sum = value;
    if (each !== `${name}_bucket`) continue;
    const { bounds, counts } = of(key);
    bounds.push(labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']));
    counts.push(value);
  }
  return found;
}

/** What a histogram counted between two readings; null when it was counted anew, as after a restart. */
export function difference(before: HistogramCounts | undefined, after: HistogramCounts): HistogramCounts | null {
  if (before === undefined) return after;
  const counts = after.counts.map((count, index) => count - (before.counts[index] ?? 0));
  return counts.some((count) => count < 0) ? null : { bounds: after.bounds, counts, sum: after.sum - before.sum };
}

/** Values that a histogram may have counted, evenly by share: within a bucket evenly by logarithm, all scaled so that their sum is right. */
export function toValues({ bounds, counts, sum }: HistogramCounts, howMany: number): number[] {
  const all = counts.at(-1) ?? 0;
  if (all === 0) return [];
  const values = Array.from({ length: howMany }, (_, index) =>
    valueAt({ bounds, counts }, ((index + 0.5) / howMany) * all),
  );
  const mean = values.reduce((total, value) => total + value, 0) / howMany;
  return mean > 0 ? values.map((value) => (value * sum) / all / mean) : values;
}

function valueAt({ bounds, counts }: Pick<HistogramCounts, 'bounds' | 'counts'>, rank: number): number {
  const bucket = counts.findIndex((count) => count >= rank);
  const [from, to] = [counts[bucket - 1] ?? 0, counts[bucket] ?? 0];
  const low = bounds[bucket - 1] ?? (bounds[0] ?? 1) / 2;
  const high = Number.isFinite(bounds[bucket]) ? (bounds[bucket] ?? low) : low * 2;
  return low * (high / low) ** ((rank - from) / Math.max(1e-9, to - from));
}
