/**
 * Owns the search for a knee: the highest offered rate at which the target is kept. Brackets it by doubling or halving, then halves the bracket, then
 * looks again on both sides, and reads the knee off all looks together. Never offers anything itself: it asks `probe`, whatever that is.
 * Invariants: a rate is kept only by evidence (enough answers for a p99); no more probes than allowed; an interrupted search gives what it knows, marked.
 */

/** What one look at a rate came to. */
export interface ProbeResult {
  readonly ratePerSecond: number;
  readonly p99Ms: number;
  /** Served of what was offered. */
  readonly achievedShare: number;
  readonly refusedShare: number;
  readonly samples: number;
}

/** What is looked for. */
export interface KneeTarget {
  readonly p99Ms: number;
  readonly achievedShareMin: number;
  readonly refusedShareMax: number;
}

/** How it is looked for. */
export interface KneeOptions {
  readonly startPerSecond: number;
  /** The bracket is halved until it is this narrow, of its middle. */
  readonly precision: number;
  /** Looks at each rate around the knee. */
  readonly repeats: number;
  readonly probesMax: number;
  /** Below it a p99 is no evidence. */
  readonly samplesMin: number;
  readonly signal?: AbortSignal | null;
}

/** The answer. */
export interface Knee {
  /** A second; 0: no rate kept the target. */
  readonly ratePerSecond: number;
  readonly low: number;
  readonly high: number;
  readonly probes: readonly ProbeResult[];
  readonly isComplete: boolean;
  /** Why there is none, or why it is not complete; null: nothing to say. */
  readonly remark: string | null;
}

export const kneeOptions: Omit<KneeOptions, 'startPerSecond'> = {
  ...{ precision: 0.04, repeats: 2, probesMax: 18, samplesMin: 300 },
};

/** The usual target: what is not served within its time is not achieved. */
export function toKneeTarget(p99Ms: number): KneeTarget {
  return { p99Ms, achievedShareMin: 0.99, refusedShareMax: 0.001 };
}

/** Is the target kept? */
export function keeps(result: ProbeResult, target: KneeTarget): boolean {
  const { p99Ms, achievedShare, refusedShare } = result;
  return p99Ms <= target.p99Ms && achievedShare >= target.achievedShareMin && refusedShare <= target.refusedShareMax;
}

const RATE_MIN = 0.05;
const RATE_MAX = 1e6;

class Search {
  readonly probes: ProbeResult[] = [];
  readonly #probe: (ratePerSecond: number) => Promise<ProbeResult | null>;
  readonly #target: KneeTarget;
  readonly #options: KneeOptions;
  isCut = false;

  constructor(probe: (ratePerSecond: number) => Promise<ProbeResult | null>, target: KneeTarget, options: KneeOptions) {
    this.#probe = probe;
    this.#target = target;
    this.#options = options;
  }

  /** Null: it may not look any more. */
  async look(ratePerSecond: number): Promise<boolean | null> {
    const { probesMax, samplesMin, signal = null } = this.#options;
    if (this.isCut || this.probes.length >= probesMax) return null;
    const result = signal?.aborted === true ? null : await this.#probe(ratePerSecond);
    if (result === null || signal?.aborted === true) {
      this.isCut = true;
      return null;
    }
    this.probes.push(result);
    if (result.samples < samplesMin)
      throw new Error(
        `a probe at ${ratePerSecond.toFixed(2)}/s had ${result.samples} answers and a p99 wants ${samplesMin}: probe for longer`,
      );
    return keeps(result, this.#target);
  }

  /** A rate that keeps the target and one that does not; null where there is none. */
  async bracket(): Promise<{ low: number | null; high: number | null }> {
    let rate = this.#options.startPerSecond;
    let [low, high]: [number | null, number | null] = [null, null];
    while ((low === null || high === null) && rate > RATE_MIN && rate < RATE_MAX) {
      const isKept = await this.look(rate);
      if (isKept === null) break;
      if (isKept) low = rate;
      else high = rate;
      rate = isKept ? rate * 1.5 : rate / 1.5;
    }
    return { low, high };
  }

  async narrow(low: number, high: number): Promise<{ low: number; high: number }> {
    let bounds = { low, high };
    while ((bounds.high - bounds.low) / bounds.high > this.#options.precision) {
      const middle = Math.sqrt(bounds.low * bounds.high);
      const isKept = await this.look(middle);
      if (isKept === null) break;
      bounds = isKept ? { ...bounds, low: middle } : { ...bounds, high: middle };
    }
    return bounds;
  }
}

/**
 * Where the logarithm of the p99 crosses the target's, over all probes: repeated looks at a rate are one by their median, falling pieces are pooled
 * (isotonic regression by pooling adjacent violators), and between two rates it is a line.
 */
export function crossing(probes: readonly ProbeResult[], target: KneeTarget): number {
  const over = (result: ProbeResult) => {
    const { p99Ms, achievedShare, refusedShare } = result;
    const isOverloaded = achievedShare < target.achievedShareMin || refusedShare > target.refusedShareMax;
    const seen = Number.isFinite(p99Ms) ? Math.log(p99Ms / target.p99Ms) : 3;
    return isOverloaded ? Math.max(seen, 0.5) : seen;
  };
  const pools = probes
    .map((result) => ({ rate: Math.log(result.ratePerSecond), over: over(result), weight: 1 }))
    .sort((a, b) => a.rate - b.rate);
  for (let index = 1; index < pools.length; ) {
    const [before, here] = [pools[index - 1], pools[index]];
    if (before === undefined || here === undefined || before.over <= here.over) {
      index += 1;
      continue;
    }
    const weight = before.weight + here.weight;
    const mix = (a: number, b: number) => (a * before.weight + b * here.weight) / weight;
    pools.splice(index - 1, 2, { rate: mix(before.rate, here.rate), over: mix(before.over, here.over), weight });
    index = Math.max(1, index - 1);
  }
  const above = pools.findIndex((pool) => pool.over > 0);
  const [high, low] = [pools[above], pools[above - 1]];
  if (high === undefined) return Math.exp(pools.at(-1)?.rate ?? Number.NEGATIVE_INFINITY);
  if (low === undefined) return 0;
  return Math.exp(low.rate + ((high.rate - low.rate) * -low.over) / (high.over - low.over));
}

/** See the head of this file. `probe` gives null when it was interrupted. */
export async function findKnee(
  probe: (ratePerSecond: number) => Promise<ProbeResult | null>,
  target: KneeTarget,
  options: KneeOptions,
): Promise<Knee> {
  const search = new Search(probe, target, options);
  const { low, high } = await search.bracket();
  const { probes } = search;
  if (low === null || high === null) {
    const floor = Math.min(...probes.map(({ p99Ms }) => p99Ms));
    const remark = search.isCut
      ? 'interrupted before the knee was bracketed'
      : low === null
        ? `no rate keeps a p99 of ${target.p99Ms} ms: the lowest seen is ${floor.toFixed(1)} ms, which is the floor`
        : 'no rate that was tried is too much: the knee is above the highest';
    return {
      ratePerSecond: low ?? 0,
      low: low ?? 0,
      high: high ?? Number.POSITIVE_INFINITY,
      probes,
      isComplete: false,
      remark,
    };
  }
  const narrow = await search.narrow(low, high);
  for (let repeat = 1; repeat < options.repeats; repeat += 1) {
    await search.look(narrow.low);
    await search.look(narrow.high);
  }
  const ratePerSecond = crossing(probes, target);
  const isComplete = !search.isCut && (narrow.high - narrow.low) / narrow.high <= options.precision;
  const remark = search.isCut
    ? 'interrupted while the bracket was narrowed'
    : isComplete
      ? null
      : `stopped after ${probes.length} probes`;
  return { ratePerSecond, ...narrow, probes, isComplete, remark };
}
