/**
 * Owns how an answer looks as Markdown: one table per question, what was promised beside what was seen, what a reader must know.
 * Never judges; it prints `reached` or `NOT reached` as the scenario decided.
 */
import { toRow } from './samples.ts';
import type { ScenarioResult } from './scenario.ts';

/** The answer to one question. */
export function toMarkdown(question: string, { unit = 'ms', rows, goals = [], notes = [] }: ScenarioResult): string {
  const hasRatios = rows.some((row) => row.against !== undefined);
  const table = rows.map(({ label, summary, against }) => {
    // A multiple of less than nothing says nothing: a program can seem to end a hair before its limit.
    const isRatio = against !== undefined && summary.p50 > 0 && against.p50 > 0;
    const ratio = isRatio ? (summary.p50 / against.p50).toFixed(2) : '';
    return toRow([label, String(summary.count), summary.p50, summary.p90, summary.p99, ...(hasRatios ? [ratio] : [])]);
  });
  const promised = goals.map(
    ({ promise, seen, isReached }) => `- ${isReached ? 'reached' : 'NOT reached'}: ${promise}; seen ${seen}`,
  );
  return [
    `## ${question}`,
    '',
    toRow(['', 'samples', `p50 ${unit}`, `p90 ${unit}`, `p99 ${unit}`, ...(hasRatios ? ['×'] : [])]),
    `|---|---|---|---|---|${hasRatios ? '---|' : ''}`,
    ...table,
    '',
    ...[...promised, ...notes.map((note) => `- ${note}`)],
    ...(goals.length + notes.length > 0 ? [''] : []),
  ].join('\n');
}
