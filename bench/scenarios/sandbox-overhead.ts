/**
 * Question: what does a sandbox add to a program that does nothing?
 * The same /bin/true for everybody: bare fork and exec from C, our launcher over its socket (asked from C and from TypeScript), and every rival of
 * peers/catalogue.ts that is here. Back to back means blocks of rounds of one rival, the blocks interleaved, each begun
 * when the launcher has nothing left to tidy up; with gaps means round by round, with 30 ms of idleness before each.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { rivals } from '../peers/catalogue.ts';
import { admit, type Peer, PeerFailure } from '../peers/peer.ts';
import { SpawnTimer } from '../peers/spawn-timer.ts';
import type { AbsentRival, Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';

const PROGRAM = '/bin/true';
const GAP_MS = 30;
const WHENS = [
  ['back to back', 0],
  [`${GAP_MS} ms gaps`, GAP_MS],
] as const;
const BLOCK_ROUNDS = 25;
/** Who takes longer for a series is asked less often in it. */
const SERIES_MS_MAX = 20_000;
const WARM_UP_MS_MAX = 3000;
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

/** Who is asked, and which rivals are among them or not. */
interface Field {
  readonly list: readonly Contender[];
  readonly present: readonly Peer[];
  readonly absent: readonly AbsentRival[];
}

async function gather(launcher: BenchLauncher): Promise<Field> {
  const frames = launcher.writeFrames(launcher.spec([PROGRAM]));
  const spec = launcher.spec([PROGRAM]);
  const throughTypeScript = async () => {
    const from = performance.now();
    await launcher.run(spec);
    return performance.now() - from;
  };
  const list: Contender[] = [
    timed(bare, new SpawnTimer(compiledProgram('programs/bare-spawn.c'), PROGRAM)),
    timed(ours, new SpawnTimer(compiledProgram('programs/launch-over-socket.c'), launcher.socketPath, frames)),
    { label: 'envicutor, asked from TypeScript', round: throughTypeScript, stop: nothingToStop },
  ];
  const [present, absent]: [Peer[], AbsentRival[]] = [[], []];
  for (const rival of rivals) {
    const admitted = await admit(rival);
    if ('absent' in admitted) {
      absent.push(admitted.absent);
      continue;
    }
    const { contender } = admitted;
    present.push(admitted.present);
    list.push({ label: rival.name, round: () => contender.round([PROGRAM]), stop: () => contender.stop() });
  }
  return { list, present, absent };
}

async function warmUp(contender: Contender, rounds: number): Promise<void> {
  for (let round = 0, spentMs = 0; round < rounds && spentMs < WARM_UP_MS_MAX; round++)
    spentMs += await contender.round();
}

async function measure(
  list: readonly Contender[],
  launcher: BenchLauncher,
  rounds: number,
  gapMs: number,
  failures: Map<string, string>,
): Promise<Map<string, Summary>> {
  const samples = new Map(list.map(({ label }) => [label, [] as number[]]));
  const spent = new Map(list.map(({ label }) => [label, 0]));
  const isDone = ({ label }: Contender) => failures.has(label) || (spent.get(label) ?? 0) > SERIES_MS_MAX;
  const block = gapMs > 0 ? 1 : Math.min(BLOCK_ROUNDS, rounds);
  for (let done = 0; done < rounds; done += block) {
    for (const contender of list) {
      if (isDone(contender)) continue;
      if (gapMs > 0) await pause(gapMs);
      else await launcher.settled();
      for (let round = 0; round < block && !isDone(contender); round++)
        await contender.round().then(
          (ms) => {
            samples.get(contender.label)?.push(ms);
            spent.set(contender.label, (spent.get(contender.label) ?? 0) + ms);
          },
          // What a rival did before it broke counts; ours must not break.
          (error: unknown) => {
            if (!(error instanceof PeerFailure)) throw error;
            failures.set(contender.label, error.message);
          },
        );
    }
  }
  return new Map([...samples].filter(([, each]) => each.length > 0).map(([label, each]) => [label, summarise(each)]));
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
    const failures = new Map<string, string>();
    const { list, present, absent } = await gather(launcher);
    try {
      for (const contender of list) await warmUp(contender, options.warmUp);
      const rows: ScenarioRow[] = [];
      const goals: Goal[] = [];
      for (const [when, gapMs] of WHENS) {
        const found = await measure(list, launcher, options.rounds, gapMs, failures);
        rows.push(...toRows(found, when));
        goals.push(...toGoals(found, when));
      }
      const plots = WHENS.map(([when]) => ({
        kind: 'distribution' as const,
        title: `One \`true\`, ${when}`,
        rows: rows.map(({ label }) => label).filter((label) => label.endsWith(when)),
      }));
      const answer = toAnswer(rows);
      rows.push(...(await parts(launcher, options.rounds)));
      const broken = [...failures.values()].map((sentence) => `${sentence}; its rounds before that count.`);
      const notes = [
        '× is the p50 as a multiple of the bare spawn of the same series.',
        `Who takes more than ${SERIES_MS_MAX / 1000} s for a series is asked less often in it.`,
        ...broken,
      ];
      return { answer, rows, goals, notes, rivals: present, absent, plots };
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
