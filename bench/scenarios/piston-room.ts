/**
 * Question: what does Piston's protocol cost on top of the native one?
 * The same shell program, with the same limits and input, over /api/v2/execute and over /v1/executions?wait=true, on one connection each, in pairs whose
 * order changes. The difference is taken pair by pair: what the machine does meanwhile is in both. Beside the times stands what coordinator and agent used
 * of a processor, in blocks, which others on the machine change less.
 */
import { Pool } from 'undici';
import type { Execution } from '../../shared/model/execution.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';
import { cpuMs } from '../gauges/process-time.ts';
import type { InstanceScenario, ScenarioResult, ScenarioRow, Target } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const MILLISECONDS_MAX = 0.3;
const BLOCK = 25;
const program = 'read -r line; echo "hello $line"';
const headers = { 'content-type': 'application/json' };

interface Way {
  readonly label: string;
  readonly path: string;
  readonly body: string;
  readonly stdoutOf: (answer: never) => string | undefined;
  readonly samples: number[];
}

/** The same program as both protocols say it. */
async function toWays(pool: Pool): Promise<{ native: Way; piston: Way }> {
  const found = await pool.request({ method: 'GET', path: '/v1/recipes/bash' });
  const recipe = (await found.body.json()) as Recipe;
  const times = { wallTimeMs: 3000, cpuTimeMs: 3000 };
  const request = toExecutionRequest(recipe, {
    ...{ files: [{ path: 'main.sh', content: program }], arguments: [], stdin: 'world\n' },
    runLimits: { ...times, outputBytes: 65_536 },
  });
  const asked = {
    ...{ language: 'bash', version: '*', stdin: 'world\n', args: [] },
    ...{ files: [{ name: 'main.sh', content: program }], run_timeout: 3000, run_cpu_time: 3000 },
  };
  const native: Way = {
    ...{ label: 'natively', path: '/v1/executions?wait=true', body: JSON.stringify(request), samples: [] },
    stdoutOf: ({ run }: Execution) => run?.stdout,
  };
  const piston: Way = {
    ...{ label: "by Piston's protocol", path: '/api/v2/execute', body: JSON.stringify(asked), samples: [] },
    stdoutOf: ({ run }: { run?: { stdout: string } }) => run?.stdout,
  };
  return { native, piston };
}

async function ask(pool: Pool, { path, body, stdoutOf }: Way): Promise<number> {
  const from = performance.now();
  const answer = await pool.request({ method: 'POST', path, body, headers });
  const said = (await answer.body.json()) as never;
  const passedMs = performance.now() - from;
  if (stdoutOf(said) !== 'hello world\n') throw new Error(`${path} answered ${JSON.stringify(said)}`);
  return passedMs;
}

/** Processor time of coordinator and agent for one of each way; none of an instance that is not ours. */
async function useOf(ways: readonly Way[], pool: Pool, instance: Target['instance'], rounds: number) {
  if (instance === null) return [];
  const pids = (['coordinator/main.ts', 'agent/main.ts'] as const).map((program) => instance.processId(program));
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const used = ways.map(() => [] as number[]);
  for (let done = 0; done < rounds; done += BLOCK) {
    for (const [index, way] of ways.entries()) {
      const before = cpu();
      for (let round = 0; round < BLOCK; round += 1) await ask(pool, way);
      used[index]?.push((cpu() - before) / BLOCK);
    }
  }
  return ways.map(
    ({ label }, index): ScenarioRow => ({
      label: `processor time of coordinator and agent, ${label}`,
      summary: summarise(used[index] ?? []),
    }),
  );
}

/** The scenario. */
export const pistonRoom: InstanceScenario = {
  needs: 'instance',
  name: 'piston-room',
  question: "What does Piston's protocol cost on top of the native one?",
  async run({ instance, url }, { warmUp, rounds }): Promise<ScenarioResult> {
    const pool = new Pool(url, { connections: 1, pipelining: 1 });
    const differences: number[] = [];
    let use: readonly ScenarioRow[] = [];
    const { native, piston } = await toWays(pool);
    try {
      // The first one waits for the environment.
      for (let round = 0; round <= warmUp; round += 1) for (const way of [native, piston]) await ask(pool, way);
      for (let round = 0; round < rounds; round += 1) {
        for (const way of round % 2 === 0 ? [native, piston] : [piston, native]) way.samples.push(await ask(pool, way));
        differences.push((piston.samples[round] ?? 0) - (native.samples[round] ?? 0));
      }
      use = await useOf([native, piston], pool, instance, rounds);
    } finally {
      await pool.close();
    }
    const [own, room, more] = [native.samples, piston.samples, differences].map((samples) => summarise(samples)) as [
      ...[ReturnType<typeof summarise>, ReturnType<typeof summarise>, ReturnType<typeof summarise>],
    ];
    return {
      answer: `A warm program takes ${toDuration(room.p50)} by Piston's protocol and ${toDuration(own.p50)} natively; of pairs the room's is ${more.p50.toFixed(3)} ms longer (p50).`,
      plots: [{ kind: 'distribution', title: 'A warm shell program', rows: [native.label, piston.label] }],
      rows: [
        { label: native.label, summary: own },
        { label: piston.label, summary: room, against: own },
        { label: 'difference of each pair', summary: more },
        ...use,
      ],
      goals: [
        {
          promise: `the room costs ≤ ${MILLISECONDS_MAX} ms on top of native (p50 of pairs)`,
          seen: `${more.p50.toFixed(3)} ms`,
          isReached: more.p50 <= MILLISECONDS_MAX,
        },
      ],
      notes: [
        'One connection, pairs in changing order. The room has its output told as it comes, for the order of both streams.',
      ],
    };
  },
};
