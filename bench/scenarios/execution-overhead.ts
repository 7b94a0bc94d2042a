/**
 * Question: what does Envicutor add to a program that does nothing, and where does that time go?
 * Warm `true` through HTTP, coordinator, WebSocket, agent and launcher, next to go-judge over HTTP and Node's own spawn of the same program. Back to
 * back means blocks of rounds of one rival, the blocks interleaved, each begun after a pause in which what the one before left is tidied up; with gaps
 * means round by round, with 30 ms of idleness before each (which shows costs that a tight loop hides).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { type SplitPart, splitNotes, splitOf, splitParts } from '../gauges/execution-split.ts';
import { GoJudge, judgeRound, noGoJudge } from '../peers/go-judge.ts';
import { RuntimeSpawner } from '../peers/runtime-spawn.ts';
import type { Goal, Plot } from '../recording/recording.ts';
import type { InstanceScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration, toMultiple } from '../wording.ts';
import { executeTrue } from '../workloads/execute-true.ts';

const PROGRAM = '/bin/true';
const GAP_MS = 30;
const BLOCK_ROUNDS = 25;
/** In which an instance makes ready what it will need next. */
const SETTLE_MS = 250;
/** What was promised, as multiples of go-judge. */
const TIMES_P99 = 0.6;
const WHENS = [
  { when: 'back to back', gapMs: 0, timesP50: 0.5 },
  { when: `${GAP_MS} ms gaps`, gapMs: GAP_MS, timesP50: 0.25 },
] as const;

const names = { ours: 'envicutor', goJudge: 'go-judge over HTTP', spawn: "Node's spawn, no sandbox" };
const partLabel = (part: SplitPart | 'return', when: string) => `of which ${part}, ${when}`;

/** One way to have /bin/true run; resolves with milliseconds. */
interface Contender {
  readonly name: string;
  round(): Promise<number>;
}

/** Ours, which keeps what each round was made of. */
class Ours implements Contender {
  readonly name = names.ours;
  readonly #pool: Pool;
  readonly split = new Map<SplitPart, number[]>(splitParts.map((part) => [part, []]));
  readonly returns: number[] = [];

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async round(): Promise<number> {
    const from = performance.now();
    const execution = await executeTrue(this.#pool);
    const to = performance.now();
    for (const [part, ms] of Object.entries(splitOf(to - from, execution))) this.split.get(part as SplitPart)?.push(ms);
    // Both moments are cut to whole milliseconds, so that their difference is right on average.
    this.returns.push(Date.now() - Date.parse(execution.run?.endedAt ?? ''));
    return to - from;
  }

  forget(): void {
    for (const samples of [...this.split.values(), this.returns]) samples.length = 0;
  }
}

async function measure(
  contenders: readonly Contender[],
  rounds: number,
  gapMs: number,
): Promise<ReadonlyMap<string, Summary>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  const block = gapMs > 0 ? 1 : Math.min(BLOCK_ROUNDS, rounds);
  for (let done = 0; done < rounds; done += block) {
    for (const contender of contenders) {
      await pause(gapMs > 0 ? gapMs : SETTLE_MS);
      for (let round = 0; round < block; round++) samples.get(contender.name)?.push(await contender.round());
    }
  }
  return new Map([...samples].map(([name, each]) => [name, summarise(each)]));
}

/** Who is set against whom: we against go-judge, go-judge against the bare spawn, and that against itself alone. */
function toRows(found: ReadonlyMap<string, Summary>, alone: Summary, ours: Ours, when: string): ScenarioRow[] {
  const spawn = found.get(names.spawn);
  const againsts = new Map([
    [names.spawn, alone],
    [names.goJudge, spawn],
    [names.ours, found.get(names.goJudge) ?? spawn],
  ]);
  const whole = [...found].map(([name, summary]) => {
    const against = againsts.get(name);
    return { label: `${name}, ${when}`, summary, ...(against === undefined ? {} : { against }) };
  });
  const parts = [...ours.split].map(([part, samples]) => ({
    label: partLabel(part, when),
    summary: summarise(samples),
  }));
  return [...whole, ...parts, { label: partLabel('return', when), summary: summarise(ours.returns) }];
}

function toGoals(found: ReadonlyMap<string, Summary>, { when, timesP50 }: (typeof WHENS)[number]): Goal[] {
  const [we, they] = [found.get(names.ours), found.get(names.goJudge)];
  if (we === undefined || they === undefined) return [];
  const goal = (figure: 'p50' | 'p99', times: number): Goal => ({
    promise: `${figure}, ${when}: ≤ ${times} × go-judge over HTTP`,
    seen: `${(we[figure] / they[figure]).toFixed(2)} × (${toDuration(we[figure])} against ${toDuration(they[figure])})`,
    isReached: we[figure] <= times * they[figure],
  });
  return [goal('p50', timesP50), goal('p99', TIMES_P99)];
}

function toPlots(rivals: readonly string[]): Plot[] {
  const parts = (when: string) => splitParts.map((part) => ({ label: part, row: partLabel(part, when) }));
  return [
    {
      kind: 'split',
      title: 'Where the time of a warm `true` goes',
      bars: WHENS.map(({ when }) => ({ label: when, parts: parts(when) })),
    },
    ...WHENS.map(({ when }) => ({
      kind: 'distribution' as const,
      title: `A warm \`true\`, ${when}`,
      rows: rivals.map((name) => `${name}, ${when}`),
    })),
  ];
}

function toAnswer(rows: readonly ScenarioRow[], hasGoJudge: boolean): string {
  const of = (label: string) => rows.find((row) => row.label === label)?.summary.p50 ?? Number.NaN;
  const rival = hasGoJudge ? names.goJudge : names.spawn;
  const said = WHENS.map(({ when }) => {
    const ours = of(`${names.ours}, ${when}`);
    const most = splitParts.toSorted((a, b) => of(partLabel(b, when)) - of(partLabel(a, when))).slice(0, 2);
    const parts = most.map((part) => `${part} ${toDuration(of(partLabel(part, when)))}`).join(', ');
    return `${toDuration(ours)} ${when} (most of it: ${parts})${toMultiple(ours, of(`${rival}, ${when}`), rival)}`;
  });
  return `At p50 a warm \`true\` over HTTP takes ${said.join('; ')}.`;
}

/** The scenario; the instance is warm and holds the base environment. */
export const executionOverhead: InstanceScenario = {
  needs: 'instance',
  name: 'execution-overhead',
  question: 'What does a warm `true` cost over HTTP, and where does its time go?',
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    const goJudge = await GoJudge.start();
    const spawner = new RuntimeSpawner();
    const spawn = { name: names.spawn, round: () => spawner.round(PROGRAM) };
    const ours = new Ours(pool);
    const rivals = [
      ...(goJudge === null ? [] : [{ name: names.goJudge, round: () => judgeRound(goJudge, [PROGRAM]) }]),
      spawn,
    ];
    try {
      // Before anything of ours has run: between our rounds a spawn competes with the sandbox that we make ready.
      const samples: number[] = [];
      while (samples.length < options.rounds) samples.push(await spawn.round());
      const alone = summarise(samples);
      const rows: ScenarioRow[] = [{ label: `${names.spawn}, alone`, summary: alone }];
      const goals: Goal[] = [];
      const contenders = [...rivals, ours];
      for (const each of contenders) for (let round = 0; round < options.warmUp; round++) await each.round();
      for (const one of WHENS) {
        ours.forget();
        const found = await measure(contenders, options.rounds, one.gapMs);
        rows.push(...toRows(found, alone, ours, one.when));
        goals.push(...toGoals(found, one));
      }
      return {
        answer: toAnswer(rows, goJudge !== null),
        ...{ rows, goals, absent: goJudge === null ? [noGoJudge] : [] },
        notes: [
          ...splitNotes,
          "return is another view, not a part of the sum: from the program's end to the client's whole answer, by the wall clock that both have here, in whole milliseconds.",
        ],
        plots: toPlots(contenders.map(({ name }) => name)),
      };
    } finally {
      await Promise.all([goJudge?.stop(), spawner.stop(), pool.close()]);
    }
  },
};
