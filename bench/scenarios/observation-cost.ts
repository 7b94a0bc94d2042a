/**
 * Question: what does being looked at cost a warm execution?
 * `true` through a whole instance that was told of a collector: requests that their client does not trace, the same while somebody scrapes the metrics every
 * second, and the same traced as well. Blocks of rounds, in turn. Counting itself can't be left out: it is in all three.
 * Beside the times stands what coordinator and agent used of a processor, which others on the machine change less.
 */
import { randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import type { Execution } from '../../shared/model/execution.ts';
import { cpuMs } from '../gauges/process-time.ts';
import { postsTo, startSpanSink } from '../peers/span-sink.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const BLOCK = 25;
const PERCENT_MAX = 3;
const SCRAPE_MS = 1000;

interface Way {
  readonly label: string;
  readonly isScraped: boolean;
  readonly isTraced: boolean;
  readonly samples: number[];
  /** Of coordinator and agent, by execution: one of each block, in milliseconds. */
  readonly used: number[];
}

const body = JSON.stringify({ environment: {}, run: { script: '#!/bin/true\n' } });

async function execute(pool: Pool, isTraced: boolean): Promise<number> {
  const place = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}`;
  const headers = { 'content-type': 'application/json', traceparent: `${place}-0${isTraced ? 1 : 0}` };
  const from = performance.now();
  const answer = await pool.request({ method: 'POST', path: '/v1/executions?wait=true', body, headers });
  const { verdict } = (await answer.body.json()) as Execution;
  if (verdict !== 'ok') throw new Error(`'true' ended as ${verdict}`);
  return performance.now() - from;
}

/** Reads the metrics now and every second until it is stopped. */
function scrape(url: string): () => Promise<void> {
  let reading: Promise<unknown> = Promise.resolve();
  const read = () => {
    reading = fetch(`${url}/metrics`).then((answer) => answer.text());
  };
  read();
  const timer = setInterval(read, SCRAPE_MS);
  return async () => {
    clearInterval(timer);
    await reading;
  };
}

async function block(
  url: string,
  pool: Pool,
  { isScraped, isTraced, samples, used }: Way,
  pids: readonly number[],
): Promise<void> {
  const stop = isScraped ? scrape(url) : null;
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = cpu();
  try {
    for (let round = 0; round < BLOCK; round += 1) samples.push(await execute(pool, isTraced));
  } finally {
    await stop?.();
    used.push((cpu() - before) / BLOCK);
  }
}

/** The scenario; only for an instance of our own, which is started again with a collector, and then without. */
export const observationCost: InstanceScenario = {
  needs: 'instance',
  name: 'observation-cost',
  question: 'What do metrics that are scraped and traces cost a warm execution?',
  async run({ instance, url }, { warmUp, rounds }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const alone: Way = { label: 'nobody looks', isScraped: false, isTraced: false, samples: [], used: [] };
    const scraped: Way = { label: 'scraped every second', isScraped: true, isTraced: false, samples: [], used: [] };
    const traced: Way = { label: 'scraped, and traced', isScraped: true, isTraced: true, samples: [], used: [] };
    const sink = await startSpanSink();
    const pool = new Pool(url, { connections: 1, pipelining: 1 });
    let posts = 0;
    try {
      await instance.restart({ ENVICUTOR_TRACES_URL: sink.url, ENVICUTOR_AGENT_TRACES_URL: sink.url });
      const pids = (['coordinator/main.ts', 'agent/main.ts'] as const).map((program) => instance.processId(program));
      for (let round = 0; round <= warmUp; round += 1) await execute(pool, true);
      for (let done = 0; done < rounds; done += BLOCK)
        for (const way of [alone, scraped, traced]) await block(url, pool, way, pids);
    } finally {
      await pool.close();
      // Their last spans leave with them.
      await instance.restart();
      posts = await postsTo(sink);
      await sink.stop();
    }
    if (posts === 0) throw new Error('the collector has heard nothing');
    const [bare, read, all] = [alone, scraped, traced].map(({ samples }) => summarise(samples)) as [
      ...[ReturnType<typeof summarise>, ReturnType<typeof summarise>, ReturnType<typeof summarise>],
    ];
    const percent = (all.p50 / bare.p50 - 1) * 100;
    const [bareLabel, readLabel, allLabel] = [alone.label, scraped.label, traced.label];
    return {
      answer: `A warm execution takes ${toDuration(all.p50)} scraped and traced, ${toDuration(bare.p50)} while nobody looks: ${percent.toFixed(1)} % more (p50).`,
      plots: [{ kind: 'distribution', title: 'A warm true', rows: [bareLabel, readLabel, allLabel] }],
      rows: [
        { label: bareLabel, summary: bare },
        { label: readLabel, summary: read, against: bare },
        { label: allLabel, summary: all, against: bare },
        ...[alone, scraped, traced].map(({ label, used }) => ({
          label: `processor time of coordinator and agent, ${label}`,
          summary: summarise(used),
        })),
      ],
      goals: [
        {
          promise: `metrics and traces cost a warm execution ≤ ${PERCENT_MAX} % at p50`,
          seen: `${percent.toFixed(1)} %`,
          isReached: percent <= PERCENT_MAX,
        },
      ],
      notes: [
        `Processor time in all, by execution: ${[alone, scraped, traced].map(({ label, used }) => `${label} ${toDuration(used.reduce((sum, ms) => sum + ms, 0) / used.length)}`).join(', ')}.`,
        `Blocks of ${BLOCK}, in turn, one connection. The collector took ${posts} requests; it is a process of its own and keeps nothing.`,
      ],
    };
  },
};
