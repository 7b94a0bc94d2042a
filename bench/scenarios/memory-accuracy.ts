/**
 * Question: how far is the reported peak of memory from what the program touched?
 * The program touches a known amount in one process, or half of it in each of two at the same time, or writes it as a file of its workspace (which is
 * memory). What a program has that touches nothing (its code, its tables) is reported too; so each round also runs that, and it is allowed for: error =
 * reported - touched - reported of nothing. Interleaved with go-judge and with wait4's maximum resident set of the bare program. At last a file of a layer
 * that is larger than the limit is read: cache that can be given back must not end anybody.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { percentile, summarise } from '../statistics/quantiles.ts';
import { toFigure, toMultiple } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { tarOfLargeFile } from '../workloads/bench-layers.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';

const MiB = 1024 * 1024;
const SIZES_MIB = [1, 16, 128] as const;
const ERROR_MIB = 1;
const ERROR_SHARE = 0.01;
const LARGE_MIB = 96;
const LARGE_LIMIT_MIB = 32;

/** How it is touched; `isEverybodys`: rivals count that too. */
const ways = [
  { mode: 'anonymous', name: 'one process', isEverybodys: true },
  { mode: 'shared-out', name: 'two processes', isEverybodys: true },
  { mode: 'file', name: 'a file of the workspace', isEverybodys: false },
] as const;

const names = { ours: 'envicutor', goJudge: 'go-judge', bare: "wait4's maximum, no sandbox" };

/** Who reports a peak; MiB. */
interface Reporter {
  readonly name: string;
  peak(mode: string, mebibytes: number): Promise<number>;
}

const reportedBy = {
  ours: (launcher: BenchLauncher): Reporter => ({
    name: names.ours,
    peak: async (mode, mebibytes) => {
      const { memoryPeakBytes } = await launcher.run(launcher.spec(['/programs/touch', mode, String(mebibytes)]));
      return memoryPeakBytes / MiB;
    },
  }),
  goJudge: (goJudge: GoJudge): Reporter => ({
    name: names.goJudge,
    peak: async (mode, mebibytes) => {
      const copyIn = { touch: { src: compiledProgram('programs/touch.c') } };
      const { status, memory } = await goJudge.run({ args: ['touch', mode, String(mebibytes)], copyIn });
      if (status !== 'Accepted') throw new Error(`go-judge says ${status}`);
      return memory / MiB;
    },
  }),
  bare: (): Reporter => ({
    name: names.bare,
    peak: async (mode, mebibytes) => {
      const argv = [compiledProgram('programs/touch.c'), mode, String(mebibytes)];
      const { status, stdout } = spawnSync(compiledProgram('programs/bare-usage.c'), argv, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the bare program ended with ${status}`);
      return Number(stdout.trim().split('\n').at(-1)) / MiB;
    },
  }),
};

/** What one reporter said of one amount, round by round; MiB. */
interface Series {
  readonly errors: number[];
  readonly beyond: number[];
}

async function measure(
  reporters: readonly Reporter[],
  mode: string,
  mebibytes: number,
  rounds: number,
): Promise<ReadonlyMap<string, Series>> {
  const found = new Map(reporters.map(({ name }) => [name, { errors: [], beyond: [] } as Series]));
  for (let round = 0; round < rounds; round++) {
    for (const reporter of reporters) {
      const nothing = await reporter.peak(mode, 0);
      const beyond = (await reporter.peak(mode, mebibytes)) - mebibytes;
      found.get(reporter.name)?.beyond.push(beyond);
      found.get(reporter.name)?.errors.push(Math.abs(beyond - nothing));
    }
  }
  return found;
}

function toRows(found: ReadonlyMap<string, Series>, what: string): ScenarioRow[] {
  const summaries = new Map([...found].map(([name, { errors }]) => [name, summarise(errors)]));
  const bare = summaries.get(names.bare);
  const rivals = new Map([
    [names.goJudge, bare],
    [names.ours, summaries.get(names.goJudge) ?? bare],
  ]);
  const errors = [...summaries].map(([name, summary]) => {
    const against = rivals.get(name);
    return { label: `${name}, ${what}: error`, summary, ...(against === undefined ? {} : { against }) };
  });
  const beyond = summarise(found.get(names.ours)?.beyond ?? []);
  return [...errors, { label: `${names.ours}, ${what}: reported beyond what was touched`, summary: beyond }];
}

function toGoal(found: ReadonlyMap<string, Series>, what: string, mebibytes: number): Goal {
  const errors = found.get(names.ours)?.errors ?? [];
  const within = errors.filter((error) => error <= Math.max(ERROR_MIB, mebibytes * ERROR_SHARE));
  return {
    promise: `${what}: within ${ERROR_MIB} MiB or ${ERROR_SHARE * 100} % in 99 of 100 runs`,
    seen: `${within.length} of ${errors.length}, p99 ${percentile(errors, 0.99).toFixed(3)} MiB`,
    isReached: within.length >= errors.length * 0.99,
  };
}

/** Out of the kernel's cache, so that it is charged to whoever reads it next. */
function dropFromCache(path: string): void {
  for (const argv of [
    ['sync', path],
    ['dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none'],
  ]) {
    const [program = '', ...parameters] = argv;
    const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} of ${path}: ${stderr}`);
  }
}

/** Reads a file of a layer that is larger than the limit: how many runs were ended for it, and the peaks. */
async function readLarge(launcher: BenchLauncher, rounds: number): Promise<{ row: ScenarioRow; goal: Goal }> {
  await launcher.unpack('large', tarOfLargeFile(LARGE_MIB));
  const limits = launcher.limits({ memoryBytes: LARGE_LIMIT_MIB * MiB });
  const layers = ['base', 'programs', 'large'];
  const peaks: number[] = [];
  let ended = 0;
  for (let round = 0; round < rounds; round++) {
    dropFromCache(join(launcher.folder, 'store/large/large'));
    const spec = launcher.spec(['/programs/touch', 'read', '/large'], { layers, limits });
    const { exceeded, exitCode, memoryPeakBytes } = await launcher.sandbox.launch(spec).report;
    if (exceeded !== null) ended++;
    else if (exitCode !== 0) throw new Error(`the large file was not read: exit code ${exitCode}`);
    peaks.push(memoryPeakBytes / MiB);
  }
  return {
    row: {
      label: `${names.ours}, a file of ${LARGE_MIB} MiB read below a limit of ${LARGE_LIMIT_MIB} MiB: reported`,
      summary: summarise(peaks),
    },
    goal: {
      promise: 'cache that can be given back ends no program',
      seen: `${ended} of ${rounds} were ended`,
      isReached: ended === 0,
    },
  };
}

const isError = (label: string) => label.endsWith(': error');

/** The largest p99 of somebody's errors where everybody counts the same; NaN when there is none. */
function worstError(rows: readonly ScenarioRow[], who: string): number {
  const found = rows
    .filter(({ label }) => label.startsWith(who) && isError(label) && !label.includes('a file'))
    .map(({ summary }) => summary.p99);
  return found.length === 0 ? Number.NaN : Math.max(...found);
}

/** The scenario. */
export const memoryAccuracy: LauncherScenario = {
  name: 'memory-accuracy',
  needs: 'launcher',
  question: 'How far is the reported peak of memory from what the program touched?',
  async run(launcher, options): Promise<ScenarioResult> {
    const goJudge = await GoJudge.start();
    const ours = reportedBy.ours(launcher);
    const everybody = [reportedBy.bare(), ...(goJudge === null ? [] : [reportedBy.goJudge(goJudge)]), ours];
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    try {
      const rounds = Math.ceil(options.rounds / 8);
      for (const { mode, name, isEverybodys } of ways) {
        for (const mebibytes of SIZES_MIB) {
          const found = await measure(isEverybodys ? everybody : [ours], mode, mebibytes, rounds);
          const what = `${mebibytes} MiB in ${name}`;
          rows.push(...toRows(found, what));
          goals.push(toGoal(found, what, mebibytes));
        }
      }
      const large = await readLarge(launcher, rounds);
      rows.push(large.row);
      goals.push(large.goal);
      const [us, them] = [worstError(rows, names.ours), worstError(rows, names.goJudge)];
      return {
        answer: `The reported peak is off by at most ${toFigure(us)} MiB at p99 of the worst series${toMultiple(us, them, "go-judge's", 'MiB')}.`,
        ...{ unit: 'MiB', better: 'lower', rows, goals, absent: goJudge === null ? [noGoJudge] : [] },
        notes: [
          "× is the p50 as a multiple of go-judge's, of go-judge's as one of wait4's. wait4 knows the largest process, not what two have together.",
          'What a limit counts is everything that is charged: page tables are the one part in 512 that the kernel needs to have the others.',
        ],
        plots: [
          {
            kind: 'distribution',
            title: 'Error of the peak of memory',
            rows: rows.map(({ label }) => label).filter((label) => isError(label) && label.startsWith(names.ours)),
          },
        ],
      };
    } finally {
      await goJudge?.stop();
    }
  },
};
