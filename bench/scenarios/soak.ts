/**
 * Question: does an hour of mixed executions leave anything behind, or make the instance slower or larger?
 * Four clients at an even rate of half of what was measured just before; programs that end well, fail, crash, are ended by each limit, are judged by tests
 * or do not compile. One client of them is durable. Meanwhile and afterwards, from outside: memory and descriptors of every process, the disk, cgroups, mounts.
 * Latency counts from when an execution was due. Growth is the median of all slopes between two looks, once the first sixth is over.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateInstance } from '../../ops/local/private-instance.ts';
import {
  cgroupsOf,
  descriptorsOf,
  diskBytesOf,
  mountsOf,
  type ProcessRole,
  processesOf,
  processRoles,
} from '../gauges/instance-processes.ts';
import { residentBytes } from '../gauges/process-memory.ts';
import { type Arrived, openLoop } from '../load/open-loop.ts';
import { choose, isAsKnown, mixedSubmissions } from '../load/submissions.ts';
import { Submitter } from '../load/submitter.ts';
import { perSecond } from '../load/windows.ts';
import type { Goal } from '../recording/recording.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult, type ScenarioRow } from '../scenario.ts';
import { Generator } from '../statistics/generator.ts';
import { percentile, summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const CLIENTS = 4;
const RATE_OF_CAPACITY = 0.5;
const MEBIBYTE = 1024 * 1024;
const HOUR_MS = 3_600_000;
const DRIFT_MAX = 1.5;
const GROWTH_MEBIBYTES_MAX = 10;
/** A connection of somebody who looks, or a sandbox that is being prepared. */
const DESCRIPTORS_MORE_MAX = 8;
/** Agents tell their counts every three seconds. */
const SETTLING_MS = 4000;
const SETTLED_LOOKS_MAX = 10;

interface Extent {
  readonly settlingMs: number;
  readonly durationMs: number;
  readonly capacityMs: number;
  /** How often it is looked at, and into how many stretches latencies are divided. */
  readonly looks: number;
}

/** What the instance is at a moment. */
interface Look {
  readonly atMs: number;
  readonly residents: ReadonlyMap<ProcessRole, number>;
  readonly descriptors: ReadonlyMap<ProcessRole, number>;
  readonly diskMebibytes: number;
}

/** What became of one execution; what it wrote is not kept for an hour. */
type Outcome = 'as known' | 'refused' | `wrong: ${string}`;

interface Soaked {
  readonly perSecond: number;
  readonly arrived: readonly Arrived<Outcome>[];
  readonly looks: readonly Look[];
  readonly before: Rest;
  readonly after: Rest;
}

/** What is there while nothing runs. */
interface Rest {
  /** Without those of prepared sandboxes, which come and go. */
  readonly cgroups: number;
  readonly mounts: number;
  readonly look: Look;
}

function look(instance: PrivateInstance, fromMs: number): Look {
  const found = processesOf(instance);
  const of = (figure: (pid: number) => number) => new Map([...found].map(([role, pid]) => [role, figure(pid)]));
  return {
    atMs: performance.now() - fromMs,
    residents: of((pid) => residentBytes(pid) / MEBIBYTE),
    descriptors: of(descriptorsOf),
    diskMebibytes: diskBytesOf(instance.stateDirectory) / MEBIBYTE,
  };
}

/** Waits until nothing runs or is swept, then looks. */
async function rest(instance: PrivateInstance, settlingMs: number): Promise<Rest> {
  for (let attempt = 1; ; attempt += 1) {
    await pause(settlingMs);
    const client = new Submitter(instance.url);
    const [stock = 0, wanted, running, sweeping] = await Promise.all(
      ['stock', 'stock_wanted', 'running', 'sweeping'].map((name) => client.metric(`envicutor_sandbox_${name}`)),
    ).finally(() => client.close());
    const isSettled = stock === wanted && running === 0 && sweeping === 0;
    if (!isSettled && attempt < SETTLED_LOOKS_MAX) continue;
    const launcher = processesOf(instance).get("agent's launcher") ?? 0;
    return {
      cgroups: cgroupsOf(instance).length - stock,
      mounts: mountsOf(launcher),
      look: look(instance, performance.now()),
    };
  }
}

class Clients {
  readonly #clients: readonly Submitter[];
  readonly #numbers = new Generator(1);
  #submitted = 0;

  constructor(url: string) {
    this.#clients = Array.from({ length: CLIENTS }, () => new Submitter(url));
  }

  /** The next one of all; the last client's are durable. */
  async submit(): Promise<Outcome> {
    const number = this.#submitted++;
    const submission = choose(this.#numbers, mixedSubmissions);
    const isDurable = number % CLIENTS === CLIENTS - 1;
    const options = isDurable ? { idempotencyKey: `soak-${performance.timeOrigin}-${number}` } : {};
    const client = this.#clients[number % CLIENTS] as Submitter;
    const { execution } = await client.submit(submission.request, options);
    if (execution === null) return 'refused';
    return isAsKnown(submission, execution) ? 'as known' : `wrong: ${submission.what}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

async function soakFor(
  instance: PrivateInstance,
  { durationMs, capacityMs, looks: count, settlingMs }: Extent,
): Promise<Soaked> {
  const warming = new Clients(instance.url);
  const rate = await perSecond(CLIENTS, capacityMs, () => warming.submit())
    .then((capacity) => RATE_OF_CAPACITY * capacity)
    .finally(() => warming.close());
  const before = await rest(instance, settlingMs);
  const clients = new Clients(instance.url);
  const from = performance.now();
  const looks: Look[] = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      looks.push(look(instance, from));
      await pause(durationMs / count);
    }
  })();
  const due = Array.from({ length: Math.floor((rate * durationMs) / 1000) }, (_, index) => (index * 1000) / rate);
  const arrived = await openLoop(due, () => clients.submit()).finally(() => clients.close());
  isOver = true;
  await looking;
  return { perSecond: rate, arrived, looks, before, after: await rest(instance, settlingMs) };
}

/** The median of the slopes between all pairs (Theil and Sen), per hour; NaN of fewer than two. */
function growthPerHour(points: readonly (readonly [atMs: number, value: number])[]): number {
  const slopes = points.flatMap(([x, y], index) =>
    points.slice(index + 1).map(([laterX, laterY]) => ((laterY - y) * HOUR_MS) / (laterX - x)),
  );
  return percentile(slopes, 0.5);
}

function growths({ looks }: Soaked): ReadonlyMap<ProcessRole, number> {
  const settled = looks.slice(Math.floor(looks.length / 6));
  return new Map(
    processRoles.map((role) => [
      role,
      growthPerHour(settled.map(({ atMs, residents }) => [atMs, residents.get(role) ?? Number.NaN] as const)),
    ]),
  );
}

function fastestGrowing(soaked: Soaked): readonly [role: ProcessRole, mebibytesPerHour: number] {
  const [most] = [...growths(soaked)].toSorted(([, a], [, b]) => b - a);
  return most ?? ['coordinator', Number.NaN];
}

const tookOf = (arrived: readonly Arrived<Outcome>[]) => arrived.map(({ tookMs }) => tookMs);

interface Stretches {
  readonly seconds: number;
  readonly all: readonly (readonly Arrived<Outcome>[])[];
}

/** Executions by when they were due. */
function toStretches({ arrived }: Soaked, { durationMs, looks }: Extent): Stretches {
  const isIn = (index: number) => (each: Arrived<Outcome>) => Math.floor((each.dueMs * looks) / durationMs) === index;
  return {
    seconds: durationMs / looks / 1000,
    all: Array.from({ length: looks }, (_, index) => arrived.filter(isIn(index))).filter(({ length }) => length > 0),
  };
}

function toGoals(soaked: Soaked, drift: number, isQuick: boolean): Goal[] {
  const { arrived, before, after } = soaked;
  const bad = arrived.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'as known');
  const [cgroups, mounts] = [after.cgroups - before.cgroups, after.mounts - before.mounts];
  const more = processRoles.map(
    (role) => (after.look.descriptors.get(role) ?? 0) - (before.look.descriptors.get(role) ?? 0),
  );
  const most = Math.max(...more);
  const [grower, grown] = fastestGrowing(soaked);
  const kept: Goal[] = [
    {
      promise: 'no verdict is wrong, nothing is refused',
      seen: `${bad.length} of ${arrived.length}${bad.length > 0 ? ` (${[...new Set(bad)].join('; ')})` : ''}`,
      isReached: bad.length === 0,
    },
    {
      promise: 'no cgroup and no mount more than before',
      seen: `${cgroups} cgroups, ${mounts} mounts`,
      isReached: cgroups <= 0 && mounts <= 0,
    },
    {
      promise: `no process has more than ${DESCRIPTORS_MORE_MAX} descriptors more than before`,
      seen: `${most} more at the most`,
      isReached: most <= DESCRIPTORS_MORE_MAX,
    },
  ];
  if (isQuick) return kept;
  return [
    ...kept,
    {
      promise: `p99 of the last quarter ≤ ${DRIFT_MAX} × that of the first`,
      seen: `${drift.toFixed(2)} ×`,
      isReached: drift <= DRIFT_MAX,
    },
    {
      promise: `no process grows by more than ${GROWTH_MEBIBYTES_MAX} MiB in an hour`,
      seen: `${grower}: ${grown.toFixed(1)} MiB/h`,
      isReached: grown <= GROWTH_MEBIBYTES_MAX,
    },
  ];
}

function toRows(soaked: Soaked, { seconds, all }: Stretches): ScenarioRow[] {
  const { looks, before, after } = soaked;
  const by = `by ${toFigure(seconds)} s`;
  const grown = growths(soaked);
  const ends = [before.look, ...looks, after.look];
  return [
    { label: 'due to answer', summary: summarise(tookOf(soaked.arrived)) },
    { label: `p50 ${by}`, summary: summarise(all.map((each) => percentile(tookOf(each), 0.5))) },
    { label: `p99 ${by}`, summary: summarise(all.map((each) => percentile(tookOf(each), 0.99))) },
    { label: `executions ${by}`, unit: '/s', summary: summarise(all.map(({ length }) => length / seconds)) },
    ...processRoles.flatMap((role): ScenarioRow[] => [
      {
        ...{ label: `${role}: resident`, unit: 'MiB' },
        summary: summarise(ends.map(({ residents }) => residents.get(role) ?? Number.NaN)),
      },
      {
        ...{ label: `${role}: descriptors`, unit: 'open' },
        summary: summarise(ends.map(({ descriptors }) => descriptors.get(role) ?? Number.NaN)),
      },
    ]),
    ...processRoles.map((role) => ({
      ...{ label: `${role}: growth`, unit: 'MiB/hour' },
      summary: summarise([grown.get(role) ?? Number.NaN]),
    })),
    {
      ...{ label: 'state on the disk', unit: 'MiB' },
      summary: summarise(ends.map(({ diskMebibytes }) => diskMebibytes)),
    },
  ];
}

function toResult(soaked: Soaked, extent: Extent, isQuick: boolean): ScenarioResult {
  const { arrived, before, after, looks } = soaked;
  const quarter = (index: number) =>
    arrived.filter(({ dueMs }) => Math.floor((4 * dueMs) / extent.durationMs) === index);
  const drift = percentile(tookOf(quarter(3)), 0.99) / percentile(tookOf(quarter(0)), 0.99);
  const stretches = toStretches(soaked, extent);
  const rows = toRows(soaked, stretches);
  const quarters = [0, 1, 2, 3].map((index) => ({
    label: `due to answer, quarter ${index + 1} of 4`,
    summary: summarise(tookOf(quarter(index))),
  }));
  const [grower, grown] = fastestGrowing(soaked);
  const [disk, hours] = [after.look.diskMebibytes - before.look.diskMebibytes, extent.durationMs / HOUR_MS];
  return {
    answer: `After ${toDuration(extent.durationMs)} of mixed executions, ${toFigure(soaked.perSecond)} a second, p99 is ${toFigure(drift)} × that of the first quarter, ${after.cgroups - before.cgroups} cgroups and ${after.mounts - before.mounts} mounts are left, and the ${grower} grows most, by ${toFigure(grown)} MiB an hour.`,
    rows: [...rows.slice(0, 1), ...quarters, ...rows.slice(1)],
    goals: toGoals(soaked, drift, isQuick),
    plots: [
      {
        ...{ kind: 'curve', title: 'From due to answer, over time', x: 'minutes' },
        lines: [
          {
            label: 'latency',
            points: quarters.map(({ label }, index) => ({
              x: ((index + 0.5) * extent.durationMs) / 4 / 60_000,
              row: label,
            })),
          },
        ],
      },
      {
        ...{ kind: 'distribution', title: 'Resident memory of each process, over all looks' },
        rows: processRoles.map((role) => `${role}: resident`),
      },
    ],
    notes: [
      `${arrived.length} executions by ${CLIENTS} clients, evenly spaced at ${RATE_OF_CAPACITY} of what they had done as fast as they could; every fourth is durable: ${mixedSubmissions.map(({ what }) => what).join(', ')}.`,
      `${looks.length} looks; samples of memory, descriptors and disk are in the order of time, before and after among them. The disk holds ${toFigure(disk)} MiB more, ${toFigure(disk / hours)} MiB for an hour.`,
      ...(isQuick ? ['Too short for growth and drift: these figures are noise.'] : []),
    ],
  };
}

/** The scenario; only for an instance of our own. */
export const soak: InstanceScenario = {
  needs: 'instance',
  name: 'soak',
  question: 'Does an hour of mixed executions leave anything behind, or make the instance slower or larger?',
  isLong: true,
  async run({ instance }, { isQuick }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const extent: Extent = isQuick
      ? { durationMs: 6000, capacityMs: 1000, looks: 5, settlingMs: 500 }
      : { durationMs: HOUR_MS, capacityMs: 20_000, looks: 60, settlingMs: SETTLING_MS };
    return toResult(await soakFor(instance, extent), extent, isQuick);
  },
};
