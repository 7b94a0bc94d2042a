/**
 * Question: does what a program leaves behind make the next one wait?
 * A program leaves a million files, or a tree a hundred thousand deep, in its workspace; the runs right after its report are timed, next to
 * runs of the same launcher when it had nothing to tidy up. What the leaving run itself pays between its exit and its report is shown too.
 */

import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { percentile, summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';

const GIBIBYTE = 1024 ** 3;
const RUNS_AFTER = 10;

interface Rubbish {
  readonly what: 'files' | 'deep';
  readonly count: number;
}

async function timedTrue(launcher: BenchLauncher): Promise<number> {
  const from = performance.now();
  await launcher.run(launcher.spec(['/bin/true']));
  return performance.now() - from;
}

/** Leaves it; milliseconds from the program's exit to its report. */
async function leave(launcher: BenchLauncher, { what, count }: Rubbish): Promise<number> {
  const limits = launcher.limits({
    cpuTimeMs: 300_000,
    wallTimeMs: 300_000,
    idleTimeMs: 300_000,
    memoryBytes: 8 * GIBIBYTE,
    diskBytes: 4 * GIBIBYTE,
    diskInodes: count + count / 100 + 1000,
  });
  return (await launcher.run(launcher.spec(['/programs/leave-behind', what, String(count)], { limits }))).collectMs;
}

interface Series {
  readonly collect: number[];
  readonly next: number[];
  readonly later: number[];
  readonly quiet: number[];
}

async function measure(launcher: BenchLauncher, rubbish: Rubbish, rounds: number): Promise<Series> {
  const series: Series = { collect: [], next: [], later: [], quiet: [] };
  for (let round = 0; round < rounds; round++) {
    await launcher.settled();
    for (let run = 0; run <= RUNS_AFTER; run++) series.quiet.push(await timedTrue(launcher));
    series.collect.push(await leave(launcher, rubbish));
    series.next.push(await timedTrue(launcher));
    for (let run = 0; run < RUNS_AFTER; run++) series.later.push(await timedTrue(launcher));
  }
  return series;
}

/** None: the next run's median is no slower than 99 of 100 runs that followed nothing. */
function toGoal({ next, quiet }: Series, what: string): Goal {
  const [seen, usual] = [percentile(next, 0.5), summarise(quiet)];
  return {
    promise: `no delay of the run after ${what}`,
    seen: `${seen.toFixed(2)} ms, usual ${usual.p50.toFixed(2)} ms, its p99 ${usual.p99.toFixed(2)} ms`,
    isReached: seen <= usual.p99,
  };
}

/** The scenario. */
export const leftBehind: LauncherScenario = {
  name: 'left-behind',
  needs: 'launcher',
  question: 'Does what a program leaves behind make the next one wait?',
  async run(launcher, options): Promise<ScenarioResult> {
    const isQuick = options.rounds < 100;
    const rubbish: readonly Rubbish[] = [
      { what: 'files', count: isQuick ? 20_000 : 1_000_000 },
      { what: 'deep', count: isQuick ? 2_000 : 100_000 },
    ];
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    for (const each of rubbish) {
      const what = each.what === 'files' ? `${each.count} files` : `a tree ${each.count} deep`;
      const series = await measure(launcher, each, isQuick ? 2 : 3);
      const quiet = summarise(series.quiet);
      rows.push(
        { label: `true, nothing left behind (${each.what})`, summary: quiet },
        { label: `true right after ${what}`, summary: summarise(series.next), against: quiet },
        {
          label: `true, the ${RUNS_AFTER} after that (${each.what})`,
          summary: summarise(series.later),
          against: quiet,
        },
        { label: `exit to report of the run that left ${what}`, summary: summarise(series.collect) },
      );
      goals.push(toGoal(series, what));
    }
    const after = rows.filter(({ label }) => label.startsWith('true right after'));
    const ratios = after.map(({ summary, against }) => summary.p50 / (against?.p50 ?? Number.NaN));
    return {
      answer: `The run right after takes ${toFigure(Math.max(...ratios))} × as long as one that followed nothing, at the most (p50).`,
      plots: [
        {
          kind: 'distribution',
          title: 'A run of `true`',
          rows: rows.map(({ label }) => label).filter((label) => label.startsWith('true')),
        },
      ],
      ...{ rows, goals },
      notes: ['× is the p50 as a multiple of the runs that followed nothing.'],
    };
  },
};
