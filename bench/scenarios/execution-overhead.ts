/**
 * Question: what does Envicutor add to a program that does nothing?
 * Warm `true` through HTTP, coordinator, WebSocket, agent and launcher, next to a bare child_process.spawn of the same program,
 * interleaved round by round, back to back and with idle gaps (a gap shows costs that a tight loop hides).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Execution } from '../../shared/model/execution.ts';
import { executeTrue } from '../execute-true.ts';
import { runtimeSpawn } from '../peers/runtime-spawn.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const GAP_MS = 30;
const WHENS = [
  ['back to back', 0],
  [`${GAP_MS} ms gaps`, GAP_MS],
] as const;

async function execute(pool: Pool): Promise<{ ms: number; execution: Execution }> {
  const from = performance.now();
  const execution = await executeTrue(pool);
  return { ms: performance.now() - from, execution };
}

interface Series {
  readonly ours: number[];
  readonly bare: number[];
  readonly split: Record<string, number[]>;
}

async function measure(pool: Pool, rounds: number, gapMs: number): Promise<Series> {
  const series: Series = {
    ours: [],
    bare: [],
    split: { queued: [], prepare: [], execute: [], collect: [], overhead: [], wall: [] },
  };
  for (let round = 0; round < rounds; round++) {
    if (gapMs > 0) await pause(gapMs);
    series.bare.push(await runtimeSpawn('/bin/true'));
    if (gapMs > 0) await pause(gapMs);
    const { ms, execution } = await execute(pool);
    series.ours.push(ms);
    const { timing } = execution;
    series.split['queued']?.push(timing.queuedMs);
    series.split['prepare']?.push(timing.fetchMs + timing.prepareMs);
    series.split['execute']?.push(timing.executeMs);
    series.split['collect']?.push(timing.collectMs);
    series.split['overhead']?.push(timing.overheadMs);
    series.split['wall']?.push(execution.run?.usage.wallTimeMs ?? 0);
  }
  return series;
}

/** The scenario; the instance is warm and holds the base environment. */
export const executionOverhead: InstanceScenario = {
  needs: 'instance',
  name: 'execution-overhead',
  question: 'What does a warm `true` cost over HTTP, next to a bare spawn?',
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    // Alone, before anything of ours has run: between our rounds a spawn competes with the sandbox that we tidy up and make ready.
    const alone: number[] = [];
    while (alone.length < options.rounds) alone.push(await runtimeSpawn('/bin/true'));
    const rows: { label: string; summary: Summary }[] = [{ label: 'bare spawn, alone', summary: summarise(alone) }];
    for (let warmUp = 0; warmUp < options.warmUp; warmUp++) await execute(pool);
    for (const [label, gapMs] of WHENS) {
      const series = await measure(pool, options.rounds, gapMs);
      rows.push({ label: `envicutor, ${label}`, summary: summarise(series.ours) });
      rows.push({ label: `bare spawn, ${label}`, summary: summarise(series.bare) });
      for (const [part, samples] of Object.entries(series.split)) {
        rows.push({ label: `of which ${part}, ${label}`, summary: summarise(samples) });
      }
    }
    await pool.close();
    const of = (label: string) => rows.find((row) => row.label === label)?.summary.p50 ?? Number.NaN;
    const [tight, apart] = [WHENS[0][0], WHENS[1][0]].map((when) => of(`envicutor, ${when}`)) as [number, number];
    return {
      answer: `A warm \`true\` takes ${toDuration(tight)} back to back and ${toDuration(apart)} with gaps, of which ${toDuration(of(`of which overhead, ${WHENS[0][0]}`))} and ${toDuration(of(`of which overhead, ${WHENS[1][0]}`))} are ours (p50).`,
      rows,
      plots: WHENS.map(([when]) => ({
        kind: 'distribution' as const,
        title: `A warm \`true\`, ${when}`,
        rows: [`envicutor, ${when}`, `bare spawn, ${when}`],
      })),
    };
  },
};
