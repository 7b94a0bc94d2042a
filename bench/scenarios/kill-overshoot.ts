/**
 * Question: how long after its limit does a program really end?
 * The program keeps telling its own clock, so its last word is when it was ended, whatever anybody reports: overshoot is last word minus
 * first word minus the limit (the clock is that of the limit: processor time or CLOCK_MONOTONIC). Beside it the launcher's own report, which
 * also sees the program's exec and exit. Interleaved round by round with go-judge and, for wall time, bubblewrap below coreutils' timeout.
 */
import { spawn } from 'node:child_process';
import type { BenchLauncher } from '../bench-launcher.ts';
import { compiledProgram } from '../compiled-program.ts';
import { bubblewrapCommand, findBubblewrap, noBubblewrap } from '../peers/bubblewrap.ts';
import { GoJudge, noGoJudge } from '../peers/go-judge.ts';
import { type Summary, summarise } from '../samples.ts';
import type { Goal, LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';

const LIMIT_MS = 100;
const OUTPUT_BYTES = 4 * 1024 * 1024;
const CPU_P99_MS = 5;
const WALL_P99_MS = 2;
const LINE = /^(\d{19})$/gm;

type Clock = 'cpu' | 'wall';

/** Milliseconds between the first and the last whole line; the last line can be cut. */
function span(told: string): number {
  const lines = [...told.matchAll(LINE)];
  const [first, last] = [lines.at(0)?.[1], lines.at(-1)?.[1]];
  if (first === undefined || last === undefined) throw new Error(`the program told nothing: ${told.slice(0, 100)}`);
  return Number(BigInt(last) - BigInt(first)) / 1e6;
}

async function ours(launcher: BenchLauncher, clock: Clock): Promise<{ told: number; reported: number }> {
  const said: Buffer[] = [];
  const limits = launcher.limits(clock === 'cpu' ? { cpuTimeMs: LIMIT_MS } : { wallTimeMs: LIMIT_MS });
  const spec = launcher.spec(['/programs/ticks', clock], { limits: { ...limits, outputBytes: OUTPUT_BYTES } });
  const report = await launcher.sandbox.launch(spec, { stdout: (chunk) => void said.push(Buffer.from(chunk)) }).report;
  if (report.exceeded?.limit !== `${clock}TimeMs`) throw new Error(`not ended by its limit: ${JSON.stringify(report)}`);
  const took = clock === 'cpu' ? report.cpuTimeMs : report.wallTimeMs;
  return { told: span(Buffer.concat(said).toString()) - LIMIT_MS, reported: took - LIMIT_MS };
}

/** Two threads burn at once: the counter runs twice as fast as the time. */
async function twoThreads(launcher: BenchLauncher): Promise<number> {
  const spec = launcher.spec(['/programs/spin', '10000000', '2'], { limits: launcher.limits({ cpuTimeMs: LIMIT_MS }) });
  const report = await launcher.sandbox.launch(spec).report;
  if (report.exceeded?.limit !== 'cpuTimeMs') throw new Error(`not ended by its limit: ${JSON.stringify(report)}`);
  return report.cpuTimeMs - LIMIT_MS;
}

async function theirs(goJudge: GoJudge, clock: Clock): Promise<number> {
  const limit = LIMIT_MS * 1e6;
  const { status, files } = await goJudge.run({
    args: ['ticks', clock],
    copyIn: { ticks: { src: compiledProgram('programs/ticks.c') } },
    ...(clock === 'cpu' ? { cpuLimit: limit, clockLimit: 20 * limit } : { cpuLimit: 20 * limit, clockLimit: limit }),
  });
  if (status !== 'Time Limit Exceeded') throw new Error(`go-judge says ${status}`);
  return span(files.stdout) - LIMIT_MS;
}

/** From the spawn: `timeout` counts the sandbox's own start, so the span begins there too. */
function wrapped(bubblewrap: string): Promise<number> {
  const command = bubblewrapCommand(bubblewrap, [compiledProgram('programs/ticks.c'), 'wall']);
  const from = process.hrtime.bigint();
  const child = spawn('timeout', ['-s', 'KILL', String(LIMIT_MS / 1000), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    told += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', () => {
      const last = [...told.matchAll(LINE)].at(-1)?.[1];
      if (last === undefined) reject(new Error('the program below bubblewrap told nothing'));
      else resolve(Number(BigInt(last) - from) / 1e6 - LIMIT_MS);
    });
  });
}

interface Series {
  readonly told: Record<Clock, number[]>;
  readonly reported: Record<Clock, number[]>;
  readonly goJudge: Record<Clock, number[]>;
  readonly threads: number[];
  readonly bubblewrap: number[];
}

async function measure(
  launcher: BenchLauncher,
  goJudge: GoJudge | null,
  bubblewrap: string | null,
  rounds: number,
): Promise<Series> {
  const none = () => ({ cpu: [], wall: [] }) as Record<Clock, number[]>;
  const series: Series = { told: none(), reported: none(), goJudge: none(), threads: [], bubblewrap: [] };
  for (let round = 0; round < rounds; round++) {
    for (const clock of ['cpu', 'wall'] as const) {
      const { told, reported } = await ours(launcher, clock);
      series.told[clock].push(told);
      series.reported[clock].push(reported);
      if (goJudge !== null) series.goJudge[clock].push(await theirs(goJudge, clock));
    }
    series.threads.push(await twoThreads(launcher));
    if (bubblewrap !== null) series.bubblewrap.push(await wrapped(bubblewrap));
  }
  return series;
}

function toGoal(what: string, { p99 }: Summary, allowed: number): Goal {
  return { promise: `${what}: p99 ≤ ${allowed} ms`, seen: `${p99.toFixed(2)} ms`, isReached: p99 <= allowed };
}

function toRows(series: Series): ScenarioRow[] {
  const rows: ScenarioRow[] = [];
  for (const clock of ['cpu', 'wall'] as const) {
    const rival = summarise(series.goJudge[clock]);
    const against = rival.count > 0 ? { against: rival } : {};
    if (rival.count > 0) rows.push({ label: `${clock}: go-judge, the program's last word`, summary: rival });
    rows.push({
      label: `${clock}: envicutor, the program's last word`,
      summary: summarise(series.told[clock]),
      ...against,
    });
    rows.push({ label: `${clock}: envicutor, as reported`, summary: summarise(series.reported[clock]), ...against });
  }
  rows.push({ label: 'cpu, two threads: envicutor, as reported', summary: summarise(series.threads) });
  if (series.bubblewrap.length > 0)
    rows.push({
      label: "wall: bubblewrap below timeout, the program's last word",
      summary: summarise(series.bubblewrap),
    });
  return rows;
}

/** The scenario. */
export const killOvershoot: LauncherScenario = {
  name: 'kill-overshoot',
  needs: 'launcher',
  question: `How long after a limit of ${LIMIT_MS} ms does a program end?`,
  async run(launcher, options): Promise<ScenarioResult> {
    const [goJudge, bubblewrap] = [await GoJudge.start(), findBubblewrap()];
    try {
      const series = await measure(launcher, goJudge, bubblewrap, Math.ceil(options.rounds / 4));
      const goals = [
        toGoal('cpu, last word', summarise(series.told.cpu), CPU_P99_MS),
        toGoal('cpu, as reported', summarise(series.reported.cpu), CPU_P99_MS),
        toGoal('cpu with two threads, as reported', summarise(series.threads), CPU_P99_MS),
        toGoal('wall, last word', summarise(series.told.wall), WALL_P99_MS),
        toGoal('wall, as reported', summarise(series.reported.wall), WALL_P99_MS),
      ];
      const notes = [
        "× is the p50 as a multiple of go-judge's.",
        'isolate is not on this machine; bubblewrap has no limits of its own.',
      ];
      if (goJudge === null) notes.push(noGoJudge);
      if (bubblewrap === null) notes.push(noBubblewrap);
      return { rows: toRows(series), goals, notes };
    } finally {
      await goJudge?.stop();
    }
  },
};
