/**
 * Owns how far beyond each limit but those of time a program comes: overrun.c takes more and more of one thing below our launcher and, where it has
 * such a limit, below go-judge, and tells after every step how much it has and when that was.
 * Never trusts a report alone: beside what the launcher says stands the program's own last word.
 * Invariant: a round that its limit did not end is an error; limits change from round to round.
 */
import type { LimitName } from '../../shared/model/limits.ts';
import type { GoJudge } from '../peers/go-judge.ts';
import type { BenchLauncher } from './bench-launcher.ts';
import { compiledProgram } from './compiled-program.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const WORD = /^(\d{19}) (\d{19})$/gm;
const NS_PER_MS = 1e6;

/** How far one round went beyond its limit, by the label of its row. */
export type Overrun = Readonly<Record<string, number>>;
/** One round. */
export type OverrunWay = (round: number) => Promise<Overrun>;

type Counted = 'memoryBytes' | 'outputBytes' | 'fileSizeBytes' | 'diskBytes' | 'processes';
type Mode = 'memory' | 'output' | 'file' | 'processes';

/** What is run into each limit; `unit` is what one of the figure is, `allowed` the limits by the round. */
const runs: Readonly<Record<Counted, { mode: Mode; unit: string; per: number; allowed: readonly number[] }>> = {
  memoryBytes: { mode: 'memory', unit: 'MiB', per: MiB, allowed: [48, 56, 64, 72, 80].map((each) => each * MiB) },
  outputBytes: { mode: 'output', unit: 'KiB', per: KiB, allowed: [150, 200, 250, 300, 350].map((each) => each * KiB) },
  fileSizeBytes: { mode: 'file', unit: 'KiB', per: KiB, allowed: [2, 3, 4, 5, 6].map((each) => each * MiB + 512) },
  diskBytes: { mode: 'file', unit: 'KiB', per: KiB, allowed: [8, 9, 10, 11, 12].map((each) => each * MiB) },
  processes: { mode: 'processes', unit: 'processes', per: 1, allowed: [10, 15, 20, 25, 30] },
};
/** Limits that end a program; the others refuse it more. */
const ending: readonly LimitName[] = ['memoryBytes', 'outputBytes', 'fileSizeBytes'];
const names: Readonly<Record<Counted, string>> = {
  memoryBytes: 'memory',
  outputBytes: 'output',
  fileSizeBytes: 'file size',
  diskBytes: 'disk',
  processes: 'processes',
};

/** What rows are called. */
export const overrunLabels = {
  told: (limit: Counted) => `${names[limit]}: envicutor, the program's last word`,
  reported: (limit: Counted) => `${names[limit]}: envicutor, as reported`,
  late: (limit: Counted) => `${names[limit]}: envicutor, from the last word to the end`,
  goJudge: (limit: Counted) => `${names[limit]}: go-judge, the program's last word`,
  idleTold: "idle: envicutor, the program's last word",
  idleReported: 'idle: envicutor, as reported',
};

/** The limits that are run into. */
export const overrunLimits = Object.keys(runs) as readonly Counted[];

/** The unit of a row. */
export function overrunUnit(label: string): string {
  const limit = overrunLimits.find((each) => label.startsWith(`${names[each]}:`));
  return limit === undefined || label === overrunLabels.late(limit) ? 'ms' : runs[limit].unit;
}

/** The program's last whole line. */
function lastWord(told: string): { readonly atMs: number; readonly amount: number } {
  const last = [...told.matchAll(WORD)].at(-1);
  if (last === undefined) throw new Error(`the program told nothing: ${told.slice(0, 100)}`);
  return { atMs: Number(last[1]) / NS_PER_MS, amount: Number(last[2]) };
}

function allowedIn(limit: Counted, round: number): number {
  const { allowed } = runs[limit];
  return allowed[round % allowed.length] ?? 0;
}

/** Runs it below our launcher, with what it told. */
async function launch(launcher: BenchLauncher, mode: Mode | 'idle', limit: LimitName, allowed: number) {
  const said: Buffer[] = [];
  const hear = (chunk: Uint8Array) => void said.push(Buffer.from(chunk));
  const limits = launcher.limits({ [limit]: allowed });
  const listener = mode === 'output' ? { stderr: hear } : { stdout: hear };
  const report = await launcher.sandbox.launch(launcher.spec(['/programs/overrun', mode], { limits }), listener).report;
  const isEnded = ending.includes(limit) || limit === 'idleTimeMs';
  if (isEnded ? report.exceeded?.limit !== limit : report.exitCode !== 1)
    throw new Error(`not ended by its limit ${limit}: ${JSON.stringify(report)}`);
  return { report, word: lastWord(Buffer.concat(said).toString()) };
}

/** Below our launcher. */
export function ourOverrun(launcher: BenchLauncher, limit: Counted): OverrunWay {
  const { mode, per } = runs[limit];
  return async (round) => {
    const allowed = allowedIn(limit, round);
    const { report, word } = await launch(launcher, mode, limit, allowed);
    const reported = {
      memoryBytes: report.memoryPeakBytes,
      outputBytes: report.stdoutBytes,
      // Of a file nothing is reported but that it came so far.
      fileSizeBytes: report.exceeded?.observed ?? 0,
      diskBytes: report.diskBytes,
      processes: report.processesPeak,
    }[limit];
    return {
      [overrunLabels.told(limit)]: (word.amount - allowed) / per,
      [overrunLabels.reported(limit)]: (reported - allowed) / per,
      ...(ending.includes(limit) ? { [overrunLabels.late(limit)]: report.endedAtMs - word.atMs } : {}),
    };
  };
}

/** Idle time: the program naps, and tells how long it has done nothing. */
export function ourIdle(launcher: BenchLauncher, limitsMs: readonly number[]): OverrunWay {
  return async (round) => {
    const allowed = limitsMs[round % limitsMs.length] ?? 0;
    const { report, word } = await launch(launcher, 'idle', 'idleTimeMs', allowed);
    return {
      [overrunLabels.idleTold]: word.amount / NS_PER_MS - allowed,
      [overrunLabels.idleReported]: report.wallTimeMs - report.cpuTimeMs - allowed,
    };
  };
}

/** Memory below go-judge: the only one of these by which it ends a program that goes on. */
export function goJudgeOverrun(goJudge: GoJudge): OverrunWay {
  const { mode, per } = runs.memoryBytes;
  return async (round) => {
    const allowed = allowedIn('memoryBytes', round);
    const copyIn = { overrun: { src: compiledProgram('programs/overrun.c') } };
    const { status, files } = await goJudge.run({ args: ['overrun', mode], copyIn, memoryLimit: allowed });
    if (status !== 'Memory Limit Exceeded') throw new Error(`go-judge says ${status}`);
    return { [overrunLabels.goJudge('memoryBytes')]: (lastWord(files.stdout).amount - allowed) / per };
  };
}
