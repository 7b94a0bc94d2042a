/**
 * Question: how far beyond each of its limits does a program really come?
 * For time the program keeps telling its own clock, so its last word is when it was ended, whatever anybody reports: overshoot is last word minus
 * first word minus the limit (the clock is that of the limit: processor time or CLOCK_MONOTONIC). Beside it the launcher's own report, which
 * also sees the program's exec and exit. Interleaved round by round with go-judge, isolate and, for wall time, bubblewrap below coreutils'
 * timeout. The limit changes from round to round, so that nobody's polling can happen to fit it. For everything else: overrun.ts.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { bubblewrapCommand, findBubblewrap, noBubblewrap } from '../peers/bubblewrap.ts';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import { findIsolate, isolateLimited, noIsolate } from '../peers/isolate.ts';
import type { Goal, Plot } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';
import {
  goJudgeOverrun,
  type Overrun,
  ourIdle,
  ourOverrun,
  overrunLabels,
  overrunLimits,
  overrunUnit,
} from '../workloads/overrun.ts';

const LIMITS_MS = [110, 130, 150, 170, 190] as const;
const OUTPUT_BYTES = 4 * 1024 * 1024;
const CPU_P99_MS = 5;
const WALL_P99_MS = 2;
const LINE = /^(\d{19})$/gm;

const clocks = ['cpu', 'wall'] as const;
type Clock = (typeof clocks)[number];

const labels = {
  told: (clock: Clock) => `${clock}: envicutor, the program's last word`,
  reported: (clock: Clock) => `${clock}: envicutor, as reported`,
  goJudge: (clock: Clock) => `${clock}: go-judge, the program's last word`,
  isolate: (clock: Clock) => `${clock}: isolate, the program's last word`,
  threads: 'cpu, two threads: envicutor, as reported',
  bubblewrap: "wall: bubblewrap below timeout, the program's last word",
};

/** One round with one limit: how far beyond it, by label. */
type Way = (limitMs: number, round: number) => Promise<Overrun>;

/** Milliseconds between the first and the last whole line; the last line can be cut. */
function span(told: string): number {
  const lines = [...told.matchAll(LINE)];
  const [first, last] = [lines.at(0)?.[1], lines.at(-1)?.[1]];
  if (first === undefined || last === undefined) throw new Error(`the program told nothing: ${told.slice(0, 100)}`);
  return Number(BigInt(last) - BigInt(first)) / 1e6;
}

function ours(launcher: BenchLauncher, clock: Clock): Way {
  return async (limitMs) => {
    const said: Buffer[] = [];
    const limits = launcher.limits({ [`${clock}TimeMs`]: limitMs, outputBytes: OUTPUT_BYTES });
    const stdout = (chunk: Uint8Array) => void said.push(Buffer.from(chunk));
    const report = await launcher.sandbox.launch(launcher.spec(['/programs/ticks', clock], { limits }), { stdout })
      .report;
    if (report.exceeded?.limit !== `${clock}TimeMs`)
      throw new Error(`not ended by its limit: ${JSON.stringify(report)}`);
    const took = clock === 'cpu' ? report.cpuTimeMs : report.wallTimeMs;
    const told = span(Buffer.concat(said).toString());
    return { [labels.told(clock)]: told - limitMs, [labels.reported(clock)]: took - limitMs };
  };
}

/** Two threads burn at once: the counter runs twice as fast as the time. */
function twoThreads(launcher: BenchLauncher): Way {
  return async (limitMs) => {
    const limits = launcher.limits({ cpuTimeMs: limitMs });
    const report = await launcher.sandbox.launch(launcher.spec(['/programs/spin', '10000000', '2'], { limits })).report;
    if (report.exceeded?.limit !== 'cpuTimeMs') throw new Error(`not ended by its limit: ${JSON.stringify(report)}`);
    return { [labels.threads]: report.cpuTimeMs - limitMs };
  };
}

function ofGoJudge(goJudge: GoJudge, clock: Clock): Way {
  return async (limitMs) => {
    const limit = limitMs * 1e6;
    const { status, files } = await goJudge.run({
      args: ['ticks', clock],
      copyIn: { ticks: { src: compiledProgram('programs/ticks.c') } },
      ...(clock === 'cpu' ? { cpuLimit: limit, clockLimit: 20 * limit } : { cpuLimit: 20 * limit, clockLimit: limit }),
    });
    if (status !== 'Time Limit Exceeded') throw new Error(`go-judge says ${status}`);
    return { [labels.goJudge(clock)]: span(files.stdout) - limitMs };
  };
}

function ofIsolate(isolate: string, clock: Clock): Way {
  return async (limitMs) => {
    const told = isolateLimited(isolate, compiledProgram('programs/ticks.c'), [clock], clock, limitMs);
    return { [labels.isolate(clock)]: span(told) - limitMs };
  };
}

/** From the spawn: `timeout` counts the sandbox's own start, so the span begins there too. */
function ofBubblewrap(bubblewrap: string): Way {
  return async (limitMs) => {
    const command = bubblewrapCommand(bubblewrap, [compiledProgram('programs/ticks.c'), 'wall']);
    const from = process.hrtime.bigint();
    const child = spawn('timeout', ['-s', 'KILL', String(limitMs / 1000), ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => told.push(chunk));
    await once(child, 'close');
    const last = [...Buffer.concat(told).toString().matchAll(LINE)].at(-1)?.[1];
    if (last === undefined) throw new Error('the program below bubblewrap told nothing');
    return { [labels.bubblewrap]: Number(BigInt(last) - from) / 1e6 - limitMs };
  };
}

async function measure(ways: readonly Way[], rounds: number): Promise<ReadonlyMap<string, Summary>> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      for (const [label, beyond] of Object.entries(await way(LIMITS_MS[round % LIMITS_MS.length] ?? 150, round)))
        samples.set(label, [...(samples.get(label) ?? []), beyond]);
    }
  }
  return new Map([...samples].map(([label, each]) => [label, summarise(each)]));
}

function toGoals(found: ReadonlyMap<string, Summary>): Goal[] {
  const promised: readonly (readonly [label: string, allowed: number])[] = [
    ...[labels.told('cpu'), labels.reported('cpu'), labels.threads].map((label) => [label, CPU_P99_MS] as const),
    ...[labels.told('wall'), labels.reported('wall')].map((label) => [label, WALL_P99_MS] as const),
  ];
  return promised.map(([label, allowed]) => {
    const p99 = found.get(label)?.p99 ?? Number.NaN;
    return { promise: `${label}: p99 ≤ ${allowed} ms`, seen: `${p99.toFixed(2)} ms`, isReached: p99 <= allowed };
  });
}

/** All limits but those of a clock that runs while the program works. */
function overrunWays(launcher: BenchLauncher, goJudge: GoJudge | null): Way[] {
  const rivals = goJudge === null ? [] : [goJudgeOverrun(goJudge)];
  return [ourIdle(launcher, LIMITS_MS), ...rivals, ...overrunLimits.map((limit) => ourOverrun(launcher, limit))].map(
    (way) => (_, round) => way(round),
  );
}

/** The row of go-judge for the same limit. */
const rivalOf = (label: string) => `${whatOf(label)}: go-judge, the program's last word`;
/** The limit that a row is about. */
const whatOf = (label: string) => label.slice(0, label.indexOf(':')).replace(/,.*/, '');
/** Where figures are spread; of the others every round is the same. */
const spread = [...clocks, 'idle', 'output'] as const;

function toPlots(labelsOfRows: readonly string[]): Plot[] {
  const isLate = (label: string) => label.endsWith('to the end');
  const beyond = spread.map((what) => ({
    kind: 'distribution' as const,
    title: `Beyond a limit of ${what}`,
    rows: labelsOfRows.filter((label) => whatOf(label) === what && label.includes('last word') && !isLate(label)),
  }));
  const late = labelsOfRows.filter(isLate);
  return [...beyond, { kind: 'distribution', title: 'From the last word to the end', rows: late }];
}

const memoryWords = (mebibytes: number) =>
  mebibytes > 0
    ? `it comes to have ${toFigure(mebibytes)} MiB more memory than its limit`
    : 'it never has more memory than its limit';

/** The scenario. */
export const killOvershoot: LauncherScenario = {
  name: 'kill-overshoot',
  needs: 'launcher',
  question: 'How far beyond each of its limits does a program come?',
  async run(launcher, options): Promise<ScenarioResult> {
    const [goJudge, bubblewrap, isolate] = [await GoJudge.start(), findBubblewrap(), findIsolate()];
    const notes = [
      "× is the p50 as a multiple of go-judge's.",
      'bubblewrap has no limits of its own.',
      `Limits of time are ${LIMITS_MS[0]} to ${LIMITS_MS.at(-1)} ms. Less than nothing: what the program has is not all that its limit counts (memory of the kernel), or it was refused before (disk, processes).`,
      'Of output, what the program writes until its end is felt (a pipe holds 64 KiB) is dropped: what was forwarded is the row as reported.',
    ];
    const absent = [
      ...(goJudge === null ? [noGoJudge] : []),
      ...(bubblewrap === null ? [noBubblewrap] : []),
      ...(isolate === null ? [noIsolate] : []),
    ];
    try {
      const ways = [
        ...clocks.flatMap((clock) => [
          ...(goJudge === null ? [] : [ofGoJudge(goJudge, clock)]),
          ...(isolate === null ? [] : [ofIsolate(isolate, clock)]),
          ...(clock === 'wall' && bubblewrap !== null ? [ofBubblewrap(bubblewrap)] : []),
          ours(launcher, clock),
          ...(clock === 'cpu' ? [twoThreads(launcher)] : []),
        ]),
        ...overrunWays(launcher, goJudge),
      ];
      const found = await measure(ways, Math.ceil(options.rounds / 4));
      const rows = [...found].map(([label, summary]) => {
        const isTime = clocks.some((clock) => label.startsWith(clock));
        const isOurs = label.includes('envicutor') && (isTime || label.includes("the program's"));
        const against = isOurs ? found.get(rivalOf(label)) : undefined;
        return { label, summary, unit: overrunUnit(label), ...(against === undefined ? {} : { against }) };
      });
      const last = (clock: Clock) => toDuration(found.get(labels.told(clock))?.p99 ?? Number.NaN);
      return {
        answer: `Its last word is ${last('cpu')} after a limit of processor time and ${last('wall')} after one of wall time (p99); ${memoryWords(found.get(overrunLabels.told('memoryBytes'))?.p99 ?? Number.NaN)}.`,
        ...{ rows, goals: toGoals(found), notes, absent },
        plots: toPlots(rows.map(({ label }) => label)),
      };
    } finally {
      await goJudge?.stop();
    }
  },
};
