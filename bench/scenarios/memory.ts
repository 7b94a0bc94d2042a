/**
 * Question: how much memory does each process of an instance hold, and how much does a slot more cost?
 * Resident bytes from /proc, once it serves and after a hundred executions; then, with 2 and with 8 slots in turn, what agent, launcher and prepared
 * sandboxes hold for themselves after all slots were used at the same time: the difference by 6.
 * What a thousand agents cost the coordinator is asked by connected-agents, and what the kernel holds for a prepared sandbox by idle-memory.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateInstance } from '../../ops/local/private-instance.ts';
import { processesOf, processRoles } from '../gauges/instance-processes.ts';
import { anonymousBytes, descendantsOf, residentBytes } from '../gauges/process-memory.ts';
import { Submitter } from '../load/submitter.ts';
import type { Goal } from '../recording/recording.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult, type ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';

const EXECUTIONS = 100;
const MEBIBYTE = 1024 * 1024;
const [FEW_SLOTS, MANY_SLOTS] = [2, 8] as const;
const SLOT_MEBIBYTES_MAX = 1;
/** Until what work has left is tidied up and the stock is full; agents report every three seconds. */
const SETTLING_MS = 3000;
const QUICK_SETTLING_MS = 300;
const ROUNDS_AT_ONCE = 3;

const mebibytes = (bytes: number) => bytes / MEBIBYTE;

/** What each process holds now, in the order of the roles. */
function residents(instance: PrivateInstance): number[] {
  const found = processesOf(instance);
  return processRoles.map((role) => mebibytes(residentBytes(found.get(role) ?? 0)));
}

/** What the agent holds for itself, and its launcher with the sandboxes that wait. */
function agentSide(instance: PrivateInstance): { readonly agent: number; readonly sandboxes: number } {
  const found = processesOf(instance);
  const launcher = found.get("agent's launcher") ?? 0;
  const sandboxes = [launcher, ...descendantsOf(launcher)].reduce((sum, pid) => sum + anonymousBytes(pid), 0);
  return { agent: mebibytes(anonymousBytes(found.get('agent') ?? 0)), sandboxes: mebibytes(sandboxes) };
}

async function execute(client: Submitter, script: string): Promise<void> {
  const { status, execution } = await client.submit({ environment: {}, run: { script } });
  if (execution?.verdict !== 'ok') throw new Error(`${script}: ${status} ${execution?.verdict}`);
}

/** All slots at the same time, so that the stock of sandboxes is as large as they want it. */
async function useAll(client: Submitter, slots: number, settlingMs: number): Promise<void> {
  for (let round = 0; round < ROUNDS_AT_ONCE; round += 1)
    await Promise.all(Array.from({ length: slots }, () => execute(client, 'sleep 0.3')));
  await pause(settlingMs);
}

class Samples {
  /** By role. */
  readonly fresh: number[][] = [];
  readonly worked: number[][] = [];
  /** With few slots, and with many. */
  readonly agent: [number[], number[]] = [[], []];
  readonly sandboxes: [number[], number[]] = [[], []];

  side(which: 0 | 1, { agent, sandboxes }: ReturnType<typeof agentSide>): void {
    this.agent[which].push(agent);
    this.sandboxes[which].push(sandboxes);
  }

  /** In each round, what a slot more costs of one of them. */
  perSlot(side: 'agent' | 'sandboxes'): number[] {
    const [few, many] = this[side];
    return few.map((held, round) => ((many[round] ?? Number.NaN) - held) / (MANY_SLOTS - FEW_SLOTS));
  }
}

/** Then the instance is as it was. */
async function measure(instance: PrivateInstance, client: Submitter, isQuick: boolean): Promise<Samples> {
  const [rounds, settlingMs] = isQuick ? [1, QUICK_SETTLING_MS] : [5, SETTLING_MS];
  const samples = new Samples();
  try {
    for (let round = 0; round < rounds; round += 1) {
      await instance.restart({ ENVICUTOR_AGENT_SLOTS: String(FEW_SLOTS) });
      samples.fresh.push(residents(instance));
      for (let count = 0; count < EXECUTIONS; count += 1) await execute(client, 'echo hello');
      samples.worked.push(residents(instance));
      await useAll(client, FEW_SLOTS, settlingMs);
      samples.side(0, agentSide(instance));
      await instance.restart({ ENVICUTOR_AGENT_SLOTS: String(MANY_SLOTS) });
      await useAll(client, MANY_SLOTS, settlingMs);
      samples.side(1, agentSide(instance));
    }
  } finally {
    await instance.restart();
  }
  return samples;
}

function slotRows({ agent, sandboxes }: Samples): ScenarioRow[] {
  const named = [
    ['agent itself', agent],
    ['launcher and prepared sandboxes', sandboxes],
  ] as const;
  return named.flatMap(([label, [few, many]]) => {
    const against = summarise(few);
    return [
      { label: `${label}, ${FEW_SLOTS} slots idle`, summary: against },
      { label: `${label}, ${MANY_SLOTS} slots idle`, summary: summarise(many), against },
    ];
  });
}

function toResult(samples: Samples): ScenarioResult {
  const { fresh, worked } = samples;
  const of = (series: readonly number[][], index: number) => summarise(series.map((one) => one[index] ?? Number.NaN));
  const byProcess: ScenarioRow[] = processRoles.flatMap((role, index) => [
    { label: `${role}, it serves`, summary: of(fresh, index) },
    { label: `${role}, after ${EXECUTIONS} executions`, summary: of(worked, index) },
  ]);
  const all = summarise(worked.map((one) => one.reduce((sum, each) => sum + each, 0)));
  const [ofAgent, ofSandboxes] = [summarise(samples.perSlot('agent')), summarise(samples.perSlot('sandboxes'))];
  const perSlot = ofAgent.p50 + ofSandboxes.p50;
  const goals: Goal[] = [
    {
      promise: `a slot more, idle: ≤ ${SLOT_MEBIBYTES_MAX} MiB`,
      seen: `${perSlot.toFixed(2)} MiB (sandboxes ${ofSandboxes.p50.toFixed(2)}, agent ${ofAgent.p50.toFixed(2)})`,
      isReached: perSlot <= SLOT_MEBIBYTES_MAX,
    },
  ];
  return {
    answer: `After ${EXECUTIONS} executions all processes hold ${toFigure(all.p50)} MiB, the coordinator ${toFigure(of(worked, 0).p50)} MiB and the agent ${toFigure(of(worked, 1).p50)} MiB of them; an idle slot more costs ${toFigure(ofSandboxes.p50)} MiB of prepared sandboxes.`,
    ...{ unit: 'MiB', goals },
    rows: [
      ...byProcess,
      { label: `all of them, after ${EXECUTIONS} executions`, summary: all },
      ...slotRows(samples),
      { label: 'a slot more, idle: launcher and prepared sandboxes', summary: ofSandboxes },
      { label: 'a slot more, idle: agent itself', summary: ofAgent },
    ],
    plots: [
      {
        kind: 'bars',
        title: `Resident memory by process, after ${EXECUTIONS} executions`,
        rows: byProcess.filter((_, index) => index % 2 === 1).map(({ label }) => label),
      },
    ],
    notes: [
      'By process: resident, shared pages with them. By slots: what no file is behind, shared pages by their proportion.',
      `A slot more: the difference between ${MANY_SLOTS} and ${FEW_SLOTS} slots after all were used at once, by ${MANY_SLOTS - FEW_SLOTS}; what the kernel holds for a prepared sandbox is in idle-memory. The agent's heap differs by some MiB from start to start.`,
      'A coordinator with a thousand agents more is in connected-agents.',
    ],
  };
}

/** The scenario; only for an instance of our own. */
export const memory: InstanceScenario = {
  needs: 'instance',
  name: 'memory',
  question: 'How much memory does each process of an instance hold, and how much does a slot more cost?',
  async run({ instance, url }, { isQuick }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const client = new Submitter(url);
    try {
      return toResult(await measure(instance, client, isQuick));
    } finally {
      await client.close();
    }
  },
};
