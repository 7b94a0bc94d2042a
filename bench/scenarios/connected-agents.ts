/**
 * Question: what do a thousand agents cost the coordinator that only are there: how much of a processor, and how much memory?
 * The coordinator of a whole instance, asked by /proc; the agents in a process of their own, with keys, enrolment, handshake, heartbeats and a
 * report with 40 layers every three seconds. In turn with it: the same coordinator without them, and a bare server that drops their messages.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Crowd } from '../crowd/crowd.ts';
import { residentBytes } from '../gauges/process-memory.ts';
import { cpuPercent } from '../gauges/process-time.ts';
import { startBareServer } from '../peers/bare-server.ts';
import type { Goal } from '../recording/recording.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult, type ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';

const AGENTS = 1000;
const CPU_PERCENT_MAX = 5;
const MEBIBYTES_MAX = 300;
const MEBIBYTE = 1024 * 1024;
/** Until what the handshakes left behind is gone. */
const SETTLING_MS = 10_000;
const QUICK_MS = 1000;

/** What one process used and held in each window. */
class Series {
  readonly percents: number[] = [];
  readonly mebibytes: number[] = [];

  async look(pid: number, windowMs: number): Promise<void> {
    this.percents.push(await cpuPercent(pid, windowMs));
    this.mebibytes.push(residentBytes(pid) / MEBIBYTE);
  }

  rows(label: string): ScenarioRow[] {
    return [
      { label: `${label}: processor`, unit: '% of a core', summary: summarise(this.percents) },
      { label: `${label}: resident`, unit: 'MiB', summary: summarise(this.mebibytes) },
    ];
  }
}

async function withCrowd(url: string, api: string, settlingMs: number, use: () => Promise<void>): Promise<void> {
  const crowd = await Crowd.start({ url, api }, AGENTS);
  try {
    await pause(settlingMs);
    await use();
  } finally {
    await crowd.stop();
  }
}

/** The scenario; only for an instance of our own. */
export const connectedAgents: InstanceScenario = {
  needs: 'instance',
  name: 'connected-agents',
  question: 'What do 1,000 connected agents cost the coordinator while nothing is asked for?',
  async run({ instance, url }, { isQuick }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const [windows, windowMs, settlingMs] = isQuick ? [1, QUICK_MS, QUICK_MS] : [3, 60_000, SETTLING_MS];
    const coordinator = instance.processId('coordinator/main.ts');
    const [alone, floor, crowded] = [new Series(), new Series(), new Series()];
    for (let window = 0; window < windows; window += 1) {
      await alone.look(coordinator, windowMs);
      const bare = await startBareServer();
      await withCrowd(bare.url, '', settlingMs, () => floor.look(bare.pid, windowMs)).finally(() => bare.stop());
      await withCrowd(`${url.replace('http', 'ws')}/agents`, url, settlingMs, () =>
        crowded.look(coordinator, windowMs),
      );
    }
    const [cpu, memory] = [summarise(crowded.percents), summarise(crowded.mebibytes)];
    const goals: Goal[] = [
      {
        promise: `≤ ${CPU_PERCENT_MAX} % of one core with ${AGENTS} idle agents`,
        seen: `${cpu.p50.toFixed(2)} %`,
        isReached: cpu.p50 <= CPU_PERCENT_MAX,
      },
      {
        promise: `≤ ${MEBIBYTES_MAX} MiB resident with them`,
        seen: `${memory.p99.toFixed(0)} MiB`,
        isReached: memory.p99 <= MEBIBYTES_MAX,
      },
    ];
    const labels = [
      'coordinator with its one agent',
      `bare ws server, ${AGENTS} agents`,
      `coordinator, ${AGENTS} agents more`,
    ];
    const [cpuRows, memoryRows] = ['processor', 'resident'].map((what) =>
      labels.map((label) => `${label}: ${what}`),
    ) as [string[], string[]];
    const [first = 0] = alone.mebibytes;
    const perAgent = (((crowded.mebibytes[0] ?? 0) - first) * 1024) / AGENTS;
    return {
      answer: `${AGENTS} idle agents cost the coordinator ${toFigure(cpu.p50)} % of a core and ${toFigure(memory.p99)} MiB in all, ${toFigure(perAgent)} KiB for each.`,
      plots: [
        { kind: 'bars', title: 'Processor time', rows: cpuRows },
        { kind: 'bars', title: 'Resident memory', rows: memoryRows },
      ],
      rows: [
        ...alone.rows('coordinator with its one agent'),
        ...floor.rows(`bare ws server, ${AGENTS} agents`),
        ...crowded.rows(`coordinator, ${AGENTS} agents more`),
      ],
      goals,
      notes: [
        `${windows} windows of ${windowMs / 1000} s each, ${settlingMs / 1000} s after the last agent was let in; user and system time of all threads.`,
        `Memory per agent: ${perAgent.toFixed(0)} KiB, by the first window with them and the one before it.`,
      ],
    };
  },
};
