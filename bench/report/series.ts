/**
 * Owns what a report knows of a row beyond its samples: its figures, worked out once, whose row it is, and the rival that it is set against.
 * Never judges a figure. Invariant: a row is ours or a rival's by its words alone, the same in tables and in drawings.
 */
import type { RecordedAnswer } from '../recording/recording.ts';
import { type Interval, type Summary, summarise } from '../statistics/quantiles.ts';

/** One row. */
export interface Series {
  readonly label: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly summary: Summary;
  /** At 95 %; null where there are too few samples for one. */
  readonly p50Interval: Interval | null;
  readonly isOurs: boolean;
  /** Taken on a noisy machine: its figures are orders of magnitude. */
  readonly isRough: boolean;
  /** The label of the row that it is set against. */
  readonly against: string | null;
}

/** What our own rows are called where rivals have rows too. */
const OURS = /\b(envicutor|ours|coordinator|agent|launcher)\b/i;
/** What others are called, where nothing is called ours. */
const THEIRS = /\b(go-judge|isolate|bubblewrap|nsjail|bare|GNU tar)\b|\bNode('s| alone)/i;

/** The labels of our own rows. */
export function oursAmong(rows: RecordedAnswer['rows']): ReadonlySet<string> {
  const rivals = new Set(rows.map(({ against }) => against));
  const isNamed = rows.some(({ label }) => OURS.test(label) && !rivals.has(label));
  const isCalledOurs = (label: string) =>
    isNamed ? OURS.test(label) || label.startsWith('of which') : !THEIRS.test(label);
  return new Set(rows.flatMap(({ label }) => (isCalledOurs(label) && !rivals.has(label) ? [label] : [])));
}

/** The rows of an answer in their order. */
export function toSeries({ rows, noise }: RecordedAnswer): Series[] {
  const ours = oursAmong(rows);
  const isRough = noise.length > 0;
  return rows.map(({ label, unit, samples, against }) => {
    const summary = summarise(samples);
    const { p50Interval } = summary;
    return { label, unit, samples, summary, p50Interval, isOurs: ours.has(label), isRough, against };
  });
}

/** Those of these labels that have something to show; both, where two rows have one label. */
export function pick(series: readonly Series[], labels: readonly string[]): Series[] {
  return [...new Set(labels)].flatMap((label) =>
    series.filter((each) => each.label === label && each.samples.length > 0),
  );
}
