/**
 * Question: how far is the reported processor time from what the program's own clock says?
 * The program burns a known time in one or two threads and prints CLOCK_PROCESS_CPUTIME_ID at main and at its end. What no program can see
 * of itself, its exec and its exit, is in every report of the kernel too; so each round also runs it bare, and what wait4 charges it there
 * beyond its own clock is allowed for: error = reported - own clock - (charged bare - own clock bare). Interleaved with go-judge.
 */
import { spawnSync } from 'node:child_process';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toMultiple } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';

const SPINS_MS = [1, 10, 100, 1000] as const;
const THREADS = [1, 2] as const;
const ERROR_MS = 0.5;
const ERROR_SHARE = 0.005;

/** What one run was charged, and what its program saw; milliseconds. */
interface Run {
  readonly charged: number;
  readonly own: number;
}

/** What a run was charged beyond what its program saw. */
const beyond = ({ charged, own }: Run) => charged - own;

function toOwnClock(told: string): number {
  const [atMain, atEnd] = told.trim().split(' ').map(Number);
  if (atMain === undefined || atEnd === undefined) throw new Error(`the program told no clock: '${told}'`);
  return (atEnd - atMain) / 1e6;
}

async function ours(launcher: BenchLauncher, parameters: readonly string[]): Promise<Run> {
  const told: string[] = [];
  const stdout = (chunk: Uint8Array) => void told.push(Buffer.from(chunk).toString());
  const report = await launcher.run(launcher.spec(['/programs/spin', ...parameters]), { stdout });
  return { charged: report.cpuTimeMs, own: toOwnClock(told.join('')) };
}

async function theirs(goJudge: GoJudge, parameters: readonly string[]): Promise<Run> {
  const copyIn = { spin: { src: compiledProgram('programs/spin.c') } };
  const { status, time, files } = await goJudge.run({ args: ['spin', ...parameters], copyIn });
  if (status !== 'Accepted') throw new Error(`go-judge says ${status}`);
  return { charged: time / 1e6, own: toOwnClock(files.stdout) };
}

function bare(parameters: readonly string[]): Run {
  const program = compiledProgram('programs/spin.c');
  const { stdout } = spawnSync(compiledProgram('programs/bare-usage.c'), [program, ...parameters], {
    encoding: 'utf8',
  });
  const [told = '', charged] = stdout.trim().split('\n');
  return { charged: Number(charged) / 1e6, own: toOwnClock(told) };
}

interface Series {
  readonly ours: Run[];
  readonly theirs: Run[];
  readonly bare: Run[];
}

async function measure(
  launcher: BenchLauncher,
  goJudge: GoJudge | null,
  parameters: readonly string[],
  rounds: number,
): Promise<Series> {
  const series: Series = { ours: [], theirs: [], bare: [] };
  for (let round = 0; round < rounds; round++) {
    series.bare.push(bare(parameters));
    series.ours.push(await ours(launcher, parameters));
    if (goJudge !== null) series.theirs.push(await theirs(goJudge, parameters));
  }
  return series;
}

/** Absolute errors, by the round. */
function errors(runs: readonly Run[], bares: readonly Run[]): number[] {
  return runs.map((run, round) => Math.abs(beyond(run) - beyond(bares[round] ?? run)));
}

function toRows(series: Series, what: string): ScenarioRow[] {
  const rival = summarise(errors(series.theirs, series.bare));
  const against = rival.count > 0 ? { against: rival } : {};
  return [
    ...(rival.count > 0 ? [{ label: `go-judge, ${what}: error`, summary: rival }] : []),
    { label: `envicutor, ${what}: error`, summary: summarise(errors(series.ours, series.bare)), ...against },
    { label: `envicutor, ${what}: charged beyond own clock`, summary: summarise(series.ours.map(beyond)) },
    { label: `bare, ${what}: charged beyond own clock`, summary: summarise(series.bare.map(beyond)) },
  ];
}

function toGoal(series: Series, what: string): Goal {
  const all = errors(series.ours, series.bare);
  const within = all.filter(
    (error, round) => error <= Math.max(ERROR_MS, (series.ours[round]?.own ?? 0) * ERROR_SHARE),
  );
  return {
    promise: `${what}: within ${ERROR_MS} ms or ${ERROR_SHARE * 100} % in 99 of 100 runs`,
    seen: `${within.length} of ${all.length}, p99 ${summarise(all).p99.toFixed(3)} ms`,
    isReached: within.length >= all.length * 0.99,
  };
}

const isError = (label: string) => label.endsWith(': error');

/** The largest p99 of somebody's errors; NaN when there is none. */
function worstError(rows: readonly ScenarioRow[], who: string): number {
  const found = rows.filter(({ label }) => label.startsWith(who) && isError(label)).map(({ summary }) => summary.p99);
  return found.length === 0 ? Number.NaN : Math.max(...found);
}

/** The scenario. */
export const cpuAccuracy: LauncherScenario = {
  name: 'cpu-accuracy',
  needs: 'launcher',
  question: "How far is the reported processor time from the program's own clock?",
  async run(launcher, options): Promise<ScenarioResult> {
    const goJudge = await GoJudge.start();
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    try {
      for (const spinMs of SPINS_MS) {
        const rounds = Math.ceil(options.rounds / Math.max(4, spinMs / 25));
        for (const threads of THREADS) {
          const series = await measure(launcher, goJudge, [String(spinMs * 1000), String(threads)], rounds);
          const what = `${spinMs} ms in ${threads} thread${threads > 1 ? 's' : ''}`;
          rows.push(...toRows(series, what));
          goals.push(toGoal(series, what));
        }
      }
      const notes = ["× is the p50 as a multiple of go-judge's."];
      const [ours, theirs] = ['envicutor', 'go-judge'].map((who) => worstError(rows, who)) as [number, number];
      return {
        answer: `The reported processor time is off by at most ${toDuration(ours)} at p99 of the worst series${toMultiple(ours, theirs, "go-judge's")}.`,
        ...{ rows, goals, notes, absent: goJudge === null ? [noGoJudge] : [] },
        plots: [
          {
            kind: 'distribution',
            title: 'Error of the processor time',
            rows: rows.map(({ label }) => label).filter(isError),
          },
        ],
      };
    } finally {
      await goJudge?.stop();
    }
  },
};
