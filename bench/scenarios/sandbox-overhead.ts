/**
 * Question: what does a sandbox add to a program that does nothing?
 * The same /bin/true for everybody: bare fork and exec from C, our launcher over its socket (asked from C and from TypeScript), bubblewrap
 * and isolate (started from C), go-judge over HTTP, Node's spawn. Back to back means blocks of rounds of one rival, the blocks interleaved, each begun
 * when the launcher has nothing left to tidy up; with gaps means round by round, with 30 ms of idleness before each.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchLauncher } from '../bench-launcher.ts';
import { compiledProgram } from '../compiled-program.ts';
import { bubblewrapCommand, findBubblewrap, noBubblewrap } from '../peers/bubblewrap.ts';
import { GoJudge, judgeTrue, noGoJudge } from '../peers/go-judge.ts';
import { findIsolate, isolateRound, noIsolate } from '../peers/isolate.ts';
import { runtimeSpawn } from '../peers/runtime-spawn.ts';
import { SpawnTimer } from '../peers/spawn-timer.ts';
import type { AbsentRival, Goal } from '../recording.ts';
import { type Summary, summarise } from '../samples.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { toDuration } from '../wording.ts';

const PROGRAM = '/bin/true';
const GAP_MS = 30;
const WHENS = [
  ['back to back', 0],
  [`${GAP_MS} ms gaps`, GAP_MS],
] as const;
const BLOCK_ROUNDS = 25;
const ADDED_P50_MS = 0.5;
const ADDED_P99_MS = 4;

const bare = 'bare spawn (C)';
const ours = 'envicutor, asked from C';

/** One way to have /bin/true run; resolves with milliseconds. */
interface Contender {
  readonly label: string;
  round(): Promise<number>;
  stop(): Promise<void>;
}

const nothingToStop = () => Promise.resolve();

function timed(label: string, timer: SpawnTimer): Contender {
  return { label, round: () => timer.round(), stop: () => timer.stop() };
}

async function contenders(launcher: BenchLauncher, absent: AbsentRival[]): Promise<Contender[]> {
  const bareSpawn = compiledProgram('programs/bare-spawn.c');
  const frames = launcher.writeFrames(launcher.spec([PROGRAM]));
  const spec = launcher.spec([PROGRAM]);
  const throughTypeScript = async () => {
    const from = performance.now();
    await launcher.run(spec);
    return performance.now() - from;
  };
  const list: Contender[] = [
    timed(bare, new SpawnTimer(bareSpawn, PROGRAM)),
    timed(ours, new SpawnTimer(compiledProgram('programs/launch-over-socket.c'), launcher.socketPath, frames)),
    { label: 'envicutor, asked from TypeScript', round: throughTypeScript, stop: nothingToStop },
    { label: "Node's spawn, no sandbox", round: () => runtimeSpawn(PROGRAM), stop: nothingToStop },
  ];
  const bubblewrap = findBubblewrap();
  if (bubblewrap === null) absent.push(noBubblewrap);
  else
    list.push(
      timed('bubblewrap, asked from C', new SpawnTimer(bareSpawn, ...bubblewrapCommand(bubblewrap, [PROGRAM]))),
    );
  const isolate = findIsolate();
  if (isolate === null) absent.push(noIsolate);
  else
    list.push(
      timed(
        'isolate: init, run, cleanup, asked from C',
        new SpawnTimer(bareSpawn, ...isolateRound(isolate, [PROGRAM])),
      ),
    );
  const goJudge = await GoJudge.start();
  if (goJudge === null) absent.push(noGoJudge);
  else list.push({ label: 'go-judge over HTTP', round: () => judgeTrue(goJudge), stop: () => goJudge.stop() });
  return list;
}

async function measure(
  list: readonly Contender[],
  launcher: BenchLauncher,
  rounds: number,
  gapMs: number,
): Promise<Map<string, Summary>> {
  const samples = new Map(list.map(({ label }) => [label, [] as number[]]));
  const block = gapMs > 0 ? 1 : Math.min(BLOCK_ROUNDS, rounds);
  for (let done = 0; done < rounds; done += block) {
    for (const contender of list) {
      if (gapMs > 0) await pause(gapMs);
      else await launcher.settled();
      for (let round = 0; round < block; round++) samples.get(contender.label)?.push(await contender.round());
    }
  }
  return new Map([...samples].map(([label, each]) => [label, summarise(each)]));
}

function toRows(found: ReadonlyMap<string, Summary>, when: string): ScenarioRow[] {
  const against = found.get(bare);
  return [...found].map(([label, summary]) => ({
    label: `${label}, ${when}`,
    summary,
    ...(against === undefined || label === bare ? {} : { against }),
  }));
}

function toGoals(found: ReadonlyMap<string, Summary>, when: string): Goal[] {
  const [we, they] = [found.get(ours), found.get(bare)];
  if (we === undefined || they === undefined) return [];
  const goal = (name: 'p50' | 'p99', allowed: number): Goal => {
    const added = we[name] - they[name];
    return {
      promise: `sandboxed minus bare, ${when}: ≤ +${allowed} ms ${name}`,
      seen: `${added >= 0 ? '+' : ''}${added.toFixed(2)} ms, ${(we[name] / they[name]).toFixed(2)} times bare`,
      isReached: added <= allowed,
    };
  };
  return [goal('p50', ADDED_P50_MS), goal('p99', ADDED_P99_MS)];
}

function toAnswer(rows: readonly ScenarioRow[]): string {
  const of = (label: string) => rows.find((row) => row.label === label)?.summary.p50 ?? Number.NaN;
  const added = WHENS.map(([when]) => `${toDuration(of(`${ours}, ${when}`) - of(`${bare}, ${when}`))} (${when})`);
  return `A sandbox adds ${added.join(' and ')} to a \`true\` at p50.`;
}

/** The scenario. */
export const sandboxOverhead: LauncherScenario = {
  name: 'sandbox-overhead',
  needs: 'launcher',
  question: 'What does a sandbox add to a `true`?',
  async run(launcher, options): Promise<ScenarioResult> {
    const notes = ['× is the p50 as a multiple of the bare spawn of the same series.'];
    const absent: AbsentRival[] = [];
    const list = await contenders(launcher, absent);
    try {
      for (const contender of list) for (let round = 0; round < options.warmUp; round++) await contender.round();
      const rows: ScenarioRow[] = [];
      const goals: Goal[] = [];
      for (const [when, gapMs] of WHENS) {
        const found = await measure(list, launcher, options.rounds, gapMs);
        rows.push(...toRows(found, when));
        goals.push(...toGoals(found, when));
      }
      rows.push(...(await parts(launcher, options.rounds)));
      const plots = WHENS.map(([when]) => ({
        kind: 'distribution' as const,
        title: `One \`true\`, ${when}`,
        rows: list.map(({ label }) => `${label}, ${when}`),
      }));
      return { answer: toAnswer(rows), rows, goals, notes, absent, plots };
    } finally {
      await Promise.all(list.map((contender) => contender.stop()));
    }
  },
};

/** Where the launcher itself says that the time went, with gaps. */
async function parts(launcher: BenchLauncher, rounds: number): Promise<ScenarioRow[]> {
  const spec = launcher.spec([PROGRAM]);
  const split: Record<string, number[]> = { take: [], mount: [], exec: [], run: [], collect: [] };
  for (let round = 0; round < rounds; round++) {
    await pause(GAP_MS);
    const { takeMs, mountMs, execMs, wallTimeMs, collectMs } = await launcher.run(spec);
    for (const [part, ms] of Object.entries({
      take: takeMs,
      mount: mountMs,
      exec: execMs,
      run: wallTimeMs,
      collect: collectMs,
    }))
      split[part]?.push(ms);
  }
  return Object.entries(split).map(([part, ms]) => ({
    label: `of which ${part}, ${GAP_MS} ms gaps`,
    summary: summarise(ms),
  }));
}
