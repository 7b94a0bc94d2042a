/**
 * Question: how many programs per second through our whole HTTP path, and how long does each take, by how many clients there are?
 * The same Node process asks us and go-judge over HTTP to run /bin/true and waits for its end, and has another Node process spawn it without a sandbox: with us that is
 * HTTP, coordinator, WebSocket, agent and launcher; there HTTP and its engine, default settings. Windows are interleaved, each begun after a pause in
 * which what the one before left is tidied up. What the asking costs is beside.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { seeWindow } from '../load/windows.ts';
import { GoJudge, judgeRound, noGoJudge } from '../peers/go-judge.ts';
import { RuntimeSpawner } from '../peers/runtime-spawn.ts';
import type { Goal, Plot } from '../recording/recording.ts';
import type { InstanceScenario, ScenarioOptions, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure, toMultiple } from '../wording.ts';
import { executeTrue } from '../workloads/execute-true.ts';

const CLIENTS = [1, 2, 4, 8, 16, 32] as const;
type Clients = (typeof CLIENTS)[number];
/** At so many the rates were promised. */
const PROMISED_CLIENTS: Clients = 8;
const SETTLE_MS = 250;

const names = { ours: 'envicutor', goJudge: 'go-judge', spawn: "Node's spawn, no sandbox" };
const promised = [
  { name: names.goJudge, times: 2.5 },
  { name: names.spawn, times: 1 },
] as const;

/** One way to have /bin/true run. */
interface Contender {
  readonly name: string;
  round(): Promise<unknown>;
}

/** What one contender did with so many clients. */
interface Seen {
  readonly rate: Summary;
  readonly latency: Summary;
  readonly asker: Summary;
}

const rateLabel = (name: string, clients: Clients) => `${name}, ${clients} clients`;
const latencyLabel = (name: string, clients: Clients) => `${name}, ${clients} clients: time of a program`;
const askerLabel = (name: string, clients: Clients) => `${name}, ${clients} clients: the asker's processor`;

async function measure(
  contenders: readonly Contender[],
  clients: Clients,
  isQuick: boolean,
): Promise<ReadonlyMap<string, Seen>> {
  const { windows, windowMs, settleMs } = isQuick
    ? { windows: 2, windowMs: 150, settleMs: 20 }
    : { windows: 7, windowMs: 1000, settleMs: SETTLE_MS };
  const seen = new Map(
    contenders.map(({ name }) => [name, { rate: [] as number[], latency: [] as number[], asker: [] as number[] }]),
  );
  for (let window = 0; window < windows; window++) {
    for (const { name, round } of contenders) {
      await pause(settleMs);
      const { perSecond, latencies, askerPercent } = await seeWindow(clients, windowMs, round);
      const series = seen.get(name);
      series?.rate.push(perSecond);
      series?.latency.push(...latencies);
      series?.asker.push(askerPercent);
    }
  }
  return new Map(
    [...seen].map(([name, { rate, latency, asker }]) => [
      name,
      { rate: summarise(rate), latency: summarise(latency), asker: summarise(asker) },
    ]),
  );
}

/** We are set against go-judge and that against the bare spawn, which is the floor. */
function toRows(found: ReadonlyMap<string, Seen>, clients: Clients): ScenarioRow[] {
  const spawn = found.get(names.spawn);
  const rivals = new Map([
    [names.goJudge, spawn],
    [names.ours, found.get(names.goJudge) ?? spawn],
  ]);
  const of = (name: string, figure: keyof Seen) => {
    const rival = rivals.get(name);
    return rival === undefined ? {} : { against: rival[figure] };
  };
  return [...found].flatMap(([name, { rate, latency, asker }]) => [
    { label: rateLabel(name, clients), summary: rate, ...of(name, 'rate') },
    { label: latencyLabel(name, clients), summary: latency, unit: 'ms', ...of(name, 'latency') },
    { label: askerLabel(name, clients), summary: asker, unit: '% of a core', ...of(name, 'asker') },
  ]);
}

function toGoals(found: ReadonlyMap<string, Seen>, clients: Clients): Goal[] {
  const ours = found.get(names.ours)?.rate;
  if (ours === undefined || clients !== PROMISED_CLIENTS) return [];
  return promised.flatMap(({ name, times }) => {
    const theirs = found.get(name)?.rate;
    if (theirs === undefined) return [];
    return [
      {
        promise: `≥ ${times} × ${name}, ${clients} clients`,
        seen: `${(ours.p50 / theirs.p50).toFixed(2)} × (${ours.p50.toFixed(0)}/s against ${theirs.p50.toFixed(0)}/s)`,
        isReached: ours.p50 >= times * theirs.p50,
      },
    ];
  });
}

function toPlots(contenders: readonly Contender[]): Plot[] {
  const lines = (label: typeof rateLabel) =>
    contenders.map(({ name }) => ({
      label: name,
      points: CLIENTS.map((clients) => ({ x: clients, row: label(name, clients) })),
    }));
  return [
    { kind: 'curve', title: 'Programs a second by clients', x: 'clients', lines: lines(rateLabel) },
    { kind: 'curve', title: 'Time of a program by clients', x: 'clients', lines: lines(latencyLabel) },
  ];
}

function toAnswer(rows: readonly ScenarioRow[], rival: string): string {
  const of = (label: string) => rows.find((row) => row.label === label)?.summary;
  const rate = (name: string) => of(rateLabel(name, PROMISED_CLIENTS))?.p50 ?? Number.NaN;
  const most = Math.max(...CLIENTS.map((clients) => of(rateLabel(names.ours, clients))?.p50 ?? 0));
  const latency = of(latencyLabel(names.ours, PROMISED_CLIENTS));
  return [
    `${toFigure(rate(names.ours))} programs a second over HTTP with ${PROMISED_CLIENTS} clients`,
    toMultiple(rate(names.ours), rate(rival), rival, 'a second'),
    `, each in ${toDuration(latency?.p50 ?? Number.NaN)} (p99 ${toDuration(latency?.p99 ?? Number.NaN)}); at most ${toFigure(most)} with any number of clients.`,
  ].join('');
}

/** The scenario; the instance is warm and holds the base environment. */
export const httpThroughput: InstanceScenario = {
  name: 'http-throughput',
  needs: 'instance',
  question: 'How many programs per second over HTTP, and how long does each take, by clients?',
  async run(target, options: ScenarioOptions): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: Math.max(...CLIENTS), pipelining: 1 });
    const goJudge = await GoJudge.start();
    const spawner = new RuntimeSpawner();
    const contenders: readonly Contender[] = [
      { name: names.spawn, round: () => spawner.round('/bin/true') },
      ...(goJudge === null ? [] : [{ name: names.goJudge, round: () => judgeRound(goJudge, ['/bin/true']) }]),
      { name: names.ours, round: () => executeTrue(pool) },
    ];
    const rows: ScenarioRow[] = [];
    const goals: Goal[] = [];
    try {
      for (const { round } of contenders) for (let warmUp = 0; warmUp < options.warmUp; warmUp++) await round();
      for (const clients of CLIENTS) {
        const found = await measure(contenders, clients, options.isQuick);
        rows.push(...toRows(found, clients));
        goals.push(...toGoals(found, clients));
      }
      return {
        answer: toAnswer(rows, goJudge === null ? names.spawn : names.goJudge),
        ...{ unit: 'runs/s', rows, goals, absent: goJudge === null ? [noGoJudge] : [] },
        notes: [
          'A sample of a rate is one window; × is the p50 as a multiple of go-judge (us) or of the bare spawn (go-judge).',
          'Clients, coordinator and agent share the cores of this machine: what asking costs is taken from what is asked. The bare spawn is from a process that does nothing else, since what it costs grows with who calls it.',
        ],
        plots: toPlots(contenders),
      };
    } finally {
      await Promise.all([goJudge?.stop(), spawner.stop(), pool.close()]);
    }
  },
};
