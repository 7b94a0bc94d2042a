/**
 * Question: how old is a line of output when a client hears of it?
 * A program writes the monotonic clock now and then, which is one for the whole machine. The rival is Node itself, which reads the same program's pipe
 * with nothing between; ours go through launcher, agent, coordinator and HTTP (server-sent events), or WebSocket (a terminal). Runs interleaved.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { Pool } from 'undici';
import { WebSocket } from 'ws';
import { TERMINAL_PROTOCOL } from '../../shared/model/terminal.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';
import { executeTrue } from '../workloads/execute-true.ts';

const LINES = 40;
const GAPS_MS = [5, 30] as const;
/** Until whoever listens is there. */
const BEGIN_MS = 900;
const PROMISED_MS = 3;

/** Ages of the lines in a text, at this moment; milliseconds. */
function agesOf(text: string): number[] {
  const nowNs = process.hrtime.bigint();
  return [...text.matchAll(/^(\d+)\r?$/gm)].map(([, ns]) => Number(nowNs - BigInt(ns ?? 0)) / 1e6);
}

async function throughPipe(program: string, gapMs: number): Promise<number[]> {
  const ages: number[] = [];
  const child = spawn(program, [LINES, gapMs, BEGIN_MS].map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (data) => ages.push(...agesOf(String(data))));
  await once(child, 'close');
  return ages;
}

async function post(pool: Pool, program: string, gapMs: number, isInteractive: boolean): Promise<string> {
  const answer = await pool.request({
    ...{ method: 'POST', path: '/v1/executions', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({
      environment: {},
      files: [{ path: 'main', content: program, encoding: 'base64', executable: true }],
      run: { script: `exec ./main ${LINES} ${gapMs} ${BEGIN_MS}` },
      ...(isInteractive && { interactive: true }),
    }),
  });
  return ((await answer.body.json()) as { id: string }).id;
}

async function throughEvents(url: string, id: string): Promise<number[]> {
  const ages: number[] = [];
  const asked = get(`${url}/v1/executions/${id}/events`, { agent: false });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  for await (const chunk of answer) {
    for (const [, data] of String(chunk).matchAll(/^event: stdout\ndata: (.*)$/gm))
      ages.push(...agesOf(Buffer.from(JSON.parse(data ?? '{}').data, 'base64').toString()));
  }
  return ages;
}

async function throughTerminal(url: string, id: string): Promise<number[]> {
  const ages: number[] = [];
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/executions/${id}/terminal`, TERMINAL_PROTOCOL);
  socket.on('message', (data, isBinary) => {
    if (isBinary) ages.push(...agesOf(String(data)));
  });
  await once(socket, 'close');
  return ages;
}

interface Series {
  readonly pipe: number[];
  readonly events: number[];
  readonly terminal: number[];
}

async function measure(url: string, pool: Pool, gapMs: number, runs: number): Promise<Series> {
  const path = compiledProgram('programs/clock-lines.c');
  const program = readFileSync(path).toString('base64');
  const series: Series = { pipe: [], events: [], terminal: [] };
  for (let run = 0; run < runs; run += 1) {
    series.pipe.push(...(await throughPipe(path, gapMs)));
    series.events.push(...(await throughEvents(url, await post(pool, program, gapMs, false))));
    series.terminal.push(...(await throughTerminal(url, await post(pool, program, gapMs, true))));
  }
  return series;
}

const labels = {
  pipe: (gapMs: number) => `Node reading the pipe, a line every ${gapMs} ms`,
  event: (gapMs: number) => `envicutor, event over HTTP, ${gapMs} ms`,
  terminal: (gapMs: number) => `envicutor, terminal over WebSocket, ${gapMs} ms`,
};

/** The scenario; the instance is warm and holds the base environment. */
export const eventLatency: InstanceScenario = {
  needs: 'instance',
  name: 'event-latency',
  question: 'How old is a line of output when a client hears of it?',
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    const rows: { label: string; summary: Summary; against?: Summary }[] = [];
    const goals = [];
    try {
      for (let warmUp = 0; warmUp < options.warmUp; warmUp += 1) await executeTrue(pool);
      for (const gapMs of GAPS_MS) {
        const series = await measure(
          target.url,
          pool,
          gapMs,
          options.isQuick ? 1 : Math.ceil(options.rounds / LINES) + 1,
        );
        const [pipe, events, terminal] = [series.pipe, series.events, series.terminal].map((ages) =>
          summarise(ages),
        ) as [...[Summary, Summary, Summary]];
        rows.push({ label: labels.pipe(gapMs), summary: pipe });
        rows.push({ label: labels.event(gapMs), summary: events, against: pipe });
        rows.push({ label: labels.terminal(gapMs), summary: terminal, against: pipe });
        for (const [way, { p50 }] of [
          ['event', events],
          ['terminal', terminal],
        ] as const)
          goals.push({
            promise: `from the write to the client by ${way} p50 ≤ ${PROMISED_MS} ms, a line every ${gapMs} ms`,
            seen: `${p50.toFixed(2)} ms`,
            isReached: p50 <= PROMISED_MS,
          });
      }
      const ages = GAPS_MS.map((gapMs) => {
        const of = (label: string) => rows.find((row) => row.label === label)?.summary.p50 ?? Number.NaN;
        return `${toDuration(of(labels.event(gapMs)))} by event and ${toDuration(of(labels.terminal(gapMs)))} by terminal with a line every ${gapMs} ms`;
      });
      const plots = GAPS_MS.map((gapMs) => ({
        kind: 'distribution' as const,
        title: `Age of a line, one every ${gapMs} ms`,
        rows: Object.values(labels).map((label) => label(gapMs)),
      }));
      return {
        answer: `A line is ${ages.join(', ')} old (p50).`,
        plots,
        rows,
        goals,
        notes: ['× is the p50 as a multiple of the pipe of the same series.'],
      };
    } finally {
      await pool.close();
    }
  },
};
