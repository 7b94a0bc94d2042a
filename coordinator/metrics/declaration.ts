/**
 * Owns how a metric is declared: what it is, which labels it has and what each of them says. Registration, types and docs/metrics.md derive from it.
 * Never holds a value. Invariant: a label has few values, however much is asked for: names of tenants, pools and agents are bounded (bounded-names).
 */

/** The labels of a metric: each with what it says. */
export type Labels = Readonly<Record<string, string>>;

/** What all metrics say of themselves. */
interface Declared<L extends Labels> {
  /** One sentence for whoever reads it. */
  readonly tells: string;
  readonly labels: L;
}

/** Goes up when something happens. */
export interface CounterDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly type: 'counter';
}

/** Goes up, and is looked at when somebody scrapes. */
export interface ReadCounterDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly type: 'read-counter';
}

/** Is looked at when somebody scrapes. */
export interface GaugeDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly type: 'gauge';
}

/** Sorts what happens into buckets. */
export interface HistogramDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly type: 'histogram';
  readonly buckets: readonly number[];
}

/** Any metric. */
export type MetricDeclaration = CounterDeclaration | ReadCounterDeclaration | GaugeDeclaration | HistogramDeclaration;

/** Declares a counter. */
export function counter<const L extends Labels>(tells: string, labels: L): CounterDeclaration<L> {
  return { type: 'counter', tells, labels };
}

/** Declares a counter that somebody else counts. */
export function readCounter<const L extends Labels>(tells: string, labels: L): ReadCounterDeclaration<L> {
  return { type: 'read-counter', tells, labels };
}

/** Declares a gauge. */
export function gauge<const L extends Labels>(tells: string, labels: L): GaugeDeclaration<L> {
  return { type: 'gauge', tells, labels };
}

/** Declares a histogram. */
export function histogram<const L extends Labels>(
  tells: string,
  labels: L,
  buckets: readonly number[],
): HistogramDeclaration<L> {
  return { type: 'histogram', tells, labels, buckets };
}

/** What the values of a metric are in, by the last word of its name. */
export function unitOf(name: string): string {
  const [, last = ''] = /_([a-z]+)$/.exec(name.replace(/_total$/, '')) ?? [];
  if (last === 'seconds' || last === 'bytes') return last;
  return last === 'ratio' || last === 'share' ? '0 to 1' : 'count';
}
