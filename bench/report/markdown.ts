/**
 * Owns how a recording looks as Markdown: where it was taken, one table per question with what was promised beside what was seen, and what must be known to
 * believe it.
 * Never judges; it prints `reached` or `NOT reached` as the scenario decided, and `noisy` as the recording says.
 */
import type { Compared } from '../compare.ts';
import { describeMachine } from '../recording/machine.ts';
import type { RecordedAnswer, RecordedRow, Recording } from '../recording/recording.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { inShort } from './doubts.ts';

/** A whole recording. */
export function recordingToMarkdown(recording: Recording): string {
  return ['# Results', '', provenanceToMarkdown(recording), ...recording.scenarios.map(answerToMarkdown)].join('\n');
}

/** How its figures were got. */
export function provenanceToMarkdown({
  command,
  startedAt,
  commit,
  machine,
  isQuick,
  isComplete,
  scenarios,
}: Recording): string {
  const isBegun = scenarios.length > 0;
  return [
    `- Asked by \`${command}\`, ${startedAt.slice(0, 16).replace('T', ' ')} UTC, at commit ${commit}`,
    `- ${describeMachine(machine)}`,
    ...(isQuick ? ['- A quick run: for the shape of the answers, not for figures'] : []),
    ...(isBegun && !isComplete ? ['- Interrupted: what follows is what was known by then'] : []),
    '',
  ].join('\n');
}

/** The answer to one question. */
export function answerToMarkdown(answered: RecordedAnswer): string {
  const { question, answer, problem, rows, goals, notes, rivals, absent, noise } = answered;
  const promised = goals.map(
    ({ promise, seen, isReached }) => `- ${isReached ? 'reached' : 'NOT reached'}: ${promise}; seen ${seen}`,
  );
  const left = [
    ...promised,
    ...rivals.map(
      ({ name, version, source, settings }) => `- asked: ${name}: ${version} (${source}): ${settings.join('; ')}`,
    ),
    ...absent.map(({ name, why }) => `- absent: ${name}: ${why}`),
    ...inShort(noise).map((reason) => `- noisy: ${reason}`),
    ...notes.map((note) => `- ${note}`),
  ];
  return [
    `## ${question}`,
    '',
    ...(problem === null ? [] : [`Did not finish: ${problem}`, '']),
    ...(answer === null ? [] : [noise.length > 0 ? `${answer} (Noisy: see below.)` : answer, '']),
    ...(rows.length === 0 ? [] : [...toTable(rows), '']),
    ...left,
    ...(left.length > 0 ? [''] : []),
  ].join('\n');
}

function toTable(rows: readonly RecordedRow[]): string[] {
  const summaries = new Map(rows.map(({ label, samples }) => [label, summarise(samples)]));
  const hasRatios = rows.some(({ against }) => against !== null);
  return [
    toRow(['', 'samples', 'p50', '95 % interval', 'p90', 'p99', '', ...(hasRatios ? ['×'] : [])]),
    `|---|---|---|---|---|---|---|${hasRatios ? '---|' : ''}`,
    ...rows.map(({ label, unit, against, samples }) => {
      const summary = summaries.get(label) ?? summarise(samples);
      const rival = against === null ? undefined : summaries.get(against);
      const figures = [summary.p50, toInterval(summary), summary.p90, summary.p99];
      return toRow([label, String(summary.count), ...figures, unit, ...(hasRatios ? [toRatio(summary, rival)] : [])]);
    }),
  ];
}

function toInterval({ p50Interval }: Summary): string {
  return p50Interval === null ? '' : `${p50Interval.low.toFixed(2)} – ${p50Interval.high.toFixed(2)}`;
}

/** A multiple of less than nothing says nothing: a program can seem to end a hair before its limit. */
function toRatio(summary: Summary, rival: Summary | undefined): string {
  return rival !== undefined && summary.p50 > 0 && rival.p50 > 0 ? (summary.p50 / rival.p50).toFixed(2) : '';
}

/** What changed between two recordings, for a terminal: what became worse first. */
export function comparisonToText(compared: readonly Compared[]): string {
  const lines = (['worse', 'better', 'unknown', 'noise'] as const).flatMap((judgement) =>
    compared
      .filter((each) => each.judgement === judgement)
      .map(({ scenario, row, figure, why }) => `${judgement.padEnd(8)}${scenario}: ${row}, ${figure}: ${why}`),
  );
  return lines.length === 0 ? 'nothing in common to compare\n' : `${lines.join('\n')}\n`;
}

function toRow(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(' | ')} |`;
}
