/**
 * Owns the command that says what changed between two recordings: for every row that both have, better, worse or noise by the test that
 * statistics/README.md documents.
 * Never compares what was measured differently: quick runs, other machines and rows of rivals are left out or said.
 */
import { parseArgs } from 'node:util';
import { ExitCode } from './exit-code.ts';
import { describeMachine } from './recording/machine.ts';
import {
  type RecordedAnswer,
  type RecordedRow,
  type Recording,
  RecordingError,
  readRecording,
} from './recording/recording.ts';
import { comparisonToText } from './report/markdown.ts';
import { oursAmong } from './report/series.ts';
import { type ComparedRun, type Comparison, compareSeries } from './statistics/comparison.ts';

/** What is to be said of one figure of one row. */
export interface Compared extends Comparison {
  readonly scenario: string;
  readonly row: string;
  readonly figure: 'p50' | 'p99';
}

const figures = ['p50', 'p99'] as const;

/** Every figure of every row that both recordings have and that is set against nobody's own. */
export function compareRecordings(before: Recording, after: Recording): Compared[] {
  return after.scenarios.flatMap((now) => {
    const then = before.scenarios.find(({ name }) => name === now.name);
    return then === undefined ? [] : compareAnswers(then, now);
  });
}

function compareAnswers(then: RecordedAnswer, now: RecordedAnswer): Compared[] {
  // A rival's own figures are what ours are set against; that a rival became faster is nobody's regression here.
  const ours = oursAmong(now.rows);
  return now.rows.flatMap((row) => {
    const earlier = then.rows.find(({ label }) => label === row.label);
    if (earlier === undefined || !ours.has(row.label) || row.samples.length === 0) return [];
    const [before, after] = [withRival(then, earlier), withRival(now, row)];
    return figures.map((of) => ({
      ...{ scenario: now.name, row: row.label, figure: of },
      ...compareSeries(before, after, { better: betterOf(now, row), of }),
    }));
  });
}

/** A row in a unit of its own may be better in the other direction: latencies beside rates. */
function betterOf(answer: RecordedAnswer, { unit }: RecordedRow): RecordedAnswer['better'] {
  if (unit.endsWith('/s')) return 'higher';
  return unit === 'ms' ? 'lower' : answer.better;
}

/** A row's samples with those of the rival that was measured between them. */
function withRival({ rows }: RecordedAnswer, { samples, against }: RecordedRow): ComparedRun {
  const rival = rows.find(({ label }) => label === against);
  return rival === undefined ? { ours: samples } : { ours: samples, rival: rival.samples };
}

/** `bench compare BEFORE AFTER`. */
export function compareCommand(args: readonly string[]): number {
  const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
  const [first, second, more] = positionals;
  if (first === undefined || second === undefined || more !== undefined)
    throw new RecordingError(`takes two recordings, got ${positionals.length}`);
  const [before, after] = [readRecording(first), readRecording(second)];
  for (const [path, { isQuick }] of [
    [first, before],
    [second, after],
  ] as const)
    if (isQuick)
      throw new RecordingError(`'${path}' is of a quick run, which has no figures; record it by 'bench run'`);
  if (describeMachine(before.machine) !== describeMachine(after.machine))
    process.stdout.write(
      `not the same machine:\n  ${describeMachine(before.machine)}\n  ${describeMachine(after.machine)}\n`,
    );
  const compared = compareRecordings(before, after);
  process.stdout.write(comparisonToText(compared));
  return compared.some(({ judgement }) => judgement === 'worse') ? ExitCode.problem : ExitCode.fine;
}
