/**
 * Question: what does one tenant notice of another that asks for a hundred times its share, and does each get what its weight says?
 * A whole instance with eight slots and programs that sleep, so that slots are what is scarce and not this machine's processors. The victim's programs
 * arrive by chance at half of its share, timed from when each was due; the aggressor always has a hundred outstanding for each slot of its share.
 * Windows alone and beside it take turns. Then three tenants of weights 1, 2 and 4, all with more than they can get.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateInstance } from '../../ops/local/private-instance.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { Backlog } from '../load/backlog.ts';
import { arrivals, openLoop } from '../load/open-loop.ts';
import { Submitter } from '../load/submitter.ts';
import type { Goal } from '../recording/recording.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioOptions, type ScenarioResult } from '../scenario.ts';
import { Generator } from '../statistics/generator.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const SLOTS = 8;
const PROGRAM_MS = 200;
/** How far the aggressor's programs are from that at most, so that slots do not become free together. */
const SPREAD_MS = 100;
const TIMES_ITS_SHARE = 100;
const P99_RATIO_MAX = 1.5;
const WEIGHTS = [1, 2, 4] as const;
const BACKLOG = 64;
const ERROR_PERCENT_MAX = 5;
/** Until the queue is as it stays, or is empty again. */
const SETTLING_MS = 1000;
const MEMORY_BYTES = 64 * 1024 ** 2;

const shareOfTwo = SLOTS / 2;
const victimPerSecond = (shareOfTwo / 2) * (1000 / PROGRAM_MS);

const sleeping = (ms: number): ExecutionRequest => ({
  environment: {},
  run: { script: `sleep ${(ms / 1000).toFixed(3)}`, limits: { memoryBytes: MEMORY_BYTES } },
});

interface Windows {
  readonly count: number;
  readonly ms: number;
}

/** The tenants of this scenario and their keys, which are worth nothing anywhere else. */
const keyOf = (tenant: string) => `bench-${tenant}`;
const tenants = [
  { id: 'operator', isOperator: true, weight: 1 },
  { id: 'victim', isOperator: false, weight: 1 },
  { id: 'aggressor', isOperator: false, weight: 1 },
  ...WEIGHTS.map((weight) => ({ id: `weight-${weight}`, isOperator: false, weight })),
].map((tenant) => ({ ...tenant, keys: [{ name: 'bench', sha256: digestHex(digestOf(keyOf(tenant.id))) }] }));

/** The instance with these tenants and slots while `use` runs; as it was afterwards. */
async function withTenants<Result>(instance: PrivateInstance, use: () => Promise<Result>): Promise<Result> {
  const file = join(instance.stateDirectory, 'bench-tenants.json');
  writeFileSync(file, JSON.stringify({ tenants }));
  try {
    await instance.restart({
      ...{ ENVICUTOR_TENANTS_FILE: file, ENVICUTOR_AGENT_SLOTS: String(SLOTS) },
      // Layers are not built a second time meanwhile.
      ENVICUTOR_REPRODUCE_BUILDS: 'off',
    });
    return await use();
  } finally {
    await instance.restart();
    rmSync(file);
  }
}

interface Beside {
  readonly alone: number[];
  readonly beside: number[];
  readonly victimRefused: number;
  readonly aggressorDone: number;
  readonly aggressorRefused: number;
}

async function besideAggressor(url: string, { count, ms }: Windows, warmUp: number): Promise<Beside> {
  const [victim, aggressor] = [new Submitter(url, keyOf('victim')), new Submitter(url, keyOf('aggressor'))];
  const numbers = new Generator(1);
  const seen = { alone: [] as number[], beside: [] as number[] };
  const refusals = { victim: 0, aggressor: 0 };
  let done = 0;
  const window = async (into: number[]): Promise<void> => {
    const arrived = await openLoop(arrivals(numbers, ms, victimPerSecond), () => victim.submit(sleeping(PROGRAM_MS)));
    for (const { tookMs, outcome } of arrived) {
      if (outcome.execution?.verdict === 'ok') into.push(tookMs);
      else refusals.victim += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: warmUp }, () => victim.submit(sleeping(0))));
    for (let index = 0; index < count; index += 1) {
      await window(seen.alone);
      const spread = () => sleeping(PROGRAM_MS + numbers.below(2 * SPREAD_MS + 1) - SPREAD_MS);
      const backlog = new Backlog(aggressor, TIMES_ITS_SHARE * shareOfTwo, spread);
      await pause(SETTLING_MS);
      await window(seen.beside).finally(() => backlog.stop());
      refusals.aggressor += backlog.refused;
      done += backlog.done;
      await pause(SETTLING_MS);
    }
  } finally {
    await Promise.all([victim.close(), aggressor.close()]);
  }
  const { victim: victimRefused, aggressor: aggressorRefused } = refusals;
  return { ...seen, victimRefused, aggressorRefused, aggressorDone: done };
}

interface Shares {
  /** For each weight, its percent of the service in each window. */
  readonly percents: readonly number[][];
  /** Of a tenant's due in each window, the furthest off. */
  readonly errors: number[];
  /** The same of all windows together. */
  readonly error: number;
  readonly refused: number;
}

const weightSum = WEIGHTS.reduce((sum, weight) => sum + weight, 0);
const dueOf = (weight: number) => (100 * weight) / weightSum;

function toPercents(served: readonly number[]): number[] {
  const all = served.reduce((sum, each) => sum + each, 0);
  if (all === 0) throw new Error('no program of any tenant ended in a window');
  return served.map((each) => (100 * each) / all);
}

function furthestOff(percents: readonly number[]): number {
  return Math.max(
    ...percents.map((percent, index) => Math.abs((100 * percent) / dueOf(WEIGHTS[index] ?? Number.NaN) - 100)),
  );
}

async function sharesByWeight(url: string, { count, ms }: Windows): Promise<Shares> {
  const clients = WEIGHTS.map((weight) => new Submitter(url, keyOf(`weight-${weight}`)));
  const backlogs = clients.map((client) => new Backlog(client, BACKLOG, () => sleeping(PROGRAM_MS)));
  const served = () => backlogs.map(({ servedMs }) => servedMs);
  const between = (before: readonly number[], after: readonly number[]) =>
    toPercents(after.map((each, index) => each - (before[index] ?? 0)));
  try {
    await pause(SETTLING_MS);
    const begin = served();
    const windows: number[][] = [];
    for (let index = 0; index < count; index += 1) {
      const before = served();
      await pause(ms);
      windows.push(between(before, served()));
    }
    return {
      percents: WEIGHTS.map((_, index) => windows.map((percents) => percents[index] ?? Number.NaN)),
      errors: windows.map(furthestOff),
      error: furthestOff(between(begin, served())),
      refused: backlogs.reduce((sum, { refused }) => sum + refused, 0),
    };
  } finally {
    await Promise.all(backlogs.map((backlog) => backlog.stop()));
    await Promise.all(clients.map((client) => client.close()));
  }
}

function toResult(windows: Windows, seen: Beside, shares: Shares): ScenarioResult {
  const [alone, beside] = [summarise(seen.alone), summarise(seen.beside)];
  const ratio = beside.p99 / alone.p99;
  const labels = { alone: 'victim alone', beside: `victim beside an aggressor at ${TIMES_ITS_SHARE} × its share` };
  const byWeight = WEIGHTS.map((weight, index) => ({
    label: `weight ${weight}: share, ${dueOf(weight).toFixed(1)} % is due`,
    unit: '% of service',
    summary: summarise(shares.percents[index] ?? []),
  }));
  const goals: Goal[] = [
    {
      promise: `the victim's p99 ≤ ${P99_RATIO_MAX} × its p99 alone`,
      seen: `${ratio.toFixed(2)} × (${beside.p99.toFixed(0)} ms against ${alone.p99.toFixed(0)} ms)`,
      isReached: ratio <= P99_RATIO_MAX,
    },
    {
      promise: 'nothing of the victim is refused',
      seen: `${seen.victimRefused} refused`,
      isReached: seen.victimRefused === 0,
    },
    {
      promise: `shares of weights ${WEIGHTS.join(' : ')} are within ${ERROR_PERCENT_MAX} % of what is due`,
      seen: `${shares.error.toFixed(1)} % off at the most`,
      isReached: shares.error <= ERROR_PERCENT_MAX,
    },
  ];
  return {
    answer: `Beside an aggressor at ${TIMES_ITS_SHARE} × its share the victim's p99 is ${toDuration(beside.p99)}, ${toFigure(ratio)} × its p99 alone; shares by weight are ${toFigure(shares.error)} % off at the most.`,
    rows: [
      { label: labels.alone, summary: alone },
      { label: labels.beside, summary: beside, against: alone },
      ...byWeight,
      { label: 'furthest from what is due, by window', unit: '%', summary: summarise(shares.errors) },
    ],
    goals,
    plots: [
      { kind: 'distribution', title: "The victim's latency", rows: [labels.alone, labels.beside] },
      { kind: 'bars', title: 'Service by weight', rows: byWeight.map(({ label }) => label) },
    ],
    notes: [
      `${SLOTS} slots; programs sleep ${PROGRAM_MS} ms (the aggressor's ± ${SPREAD_MS} ms); ${windows.count} windows of ${windows.ms / 1000} s each way; the victim ${victimPerSecond} a second by chance, from when each was due.`,
      `A program is not interrupted for another tenant's: what the victim waits for is a slot that becomes free, one every ${PROGRAM_MS / SLOTS} ms on average.`,
      `The aggressor had ${TIMES_ITS_SHARE * shareOfTwo} outstanding; ${seen.aggressorDone} of its programs ran, ${seen.aggressorRefused} were refused; of the three with weights ${shares.refused} were refused.`,
      'Service is the real time of the programs that ended in a window.',
    ],
  };
}

/** The scenario; only for an instance of our own. */
export const fairness: InstanceScenario = {
  needs: 'instance',
  name: 'fairness',
  question: `What does a tenant notice of another at ${TIMES_ITS_SHARE} times its share, and does each get what its weight says?`,
  async run({ instance, url }, { isQuick, warmUp }: ScenarioOptions): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const windows: Windows = isQuick ? { count: 1, ms: 1500 } : { count: 5, ms: 12_000 };
    return await withTenants(instance, async () => {
      const seen = await besideAggressor(url, windows, warmUp);
      return toResult(windows, seen, await sharesByWeight(url, windows));
    });
  },
};
