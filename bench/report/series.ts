/**
 * Owns what a report knows of a row beyond its samples: its figures, worked out once, whose row it is, and the rival that it is set against.
 * Never judges a figure. Invariant: a row is ours or a rival's by its words alone, the same in tables and in drawings.
 */
import type { RecordedAnswer } from '../recording.ts';
import { type Summary, summarise } from '../samples.ts';

/** From where to where a figure may be. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** One row. */
export interface Series {
  readonly label: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly summary: Summary;
  /** At 95 %; null where there are too few samples for one. */
  readonly p50Interval: Interval | null;
  readonly isOurs: boolean;
  /** The label of the row that it is set against. */
  readonly against: string | null;
}

/** What our own rows are called where rivals have rows too. */
const OURS = /\b(envicutor|ours|coordinator|agent|launcher)\b/i;
/** What others are called, where nothing is called ours. */
const THEIRS = /\b(go-judge|isolate|bubblewrap|nsjail|bare|GNU tar)\b|\bNode('s| alone)/i;

/** The rows of an answer by their labels. */
export function toSeries({ rows }: RecordedAnswer): ReadonlyMap<string, Series> {
  const rivals = new Set(rows.map(({ against }) => against));
  const isNamed = rows.some(({ label }) => OURS.test(label) && !rivals.has(label));
  return new Map(
    rows.map(({ label, unit, samples, against }) => {
      const summary: Summary & { readonly p50Interval?: Interval | null } = summarise(samples);
      const isCalledOurs = isNamed ? OURS.test(label) || label.startsWith('of which') : !THEIRS.test(label);
      const isOurs = isCalledOurs && !rivals.has(label);
      return [label, { label, unit, samples, summary, p50Interval: summary.p50Interval ?? null, isOurs, against }];
    }),
  );
}

/** Those of these labels that have something to show. */
export function pick(series: ReadonlyMap<string, Series>, labels: readonly string[]): Series[] {
  return labels.flatMap((label) => {
    const found = series.get(label);
    return found === undefined || found.samples.length === 0 ? [] : [found];
  });
}
