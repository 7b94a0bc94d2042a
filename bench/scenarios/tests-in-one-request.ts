/**
 * Question: what do tests cost in one request, next to a request with a compile for each of them?
 * A C++ program that adds two numbers, compiled by g++ and run on 50 inputs: once as one execution with 50 tests, and as 50 executions that compile and run
 * each, as an API without tests has it; interleaved. Then 1 and 50 tests of `true` after a compile step that only copies: what one test adds.
 */
import { Pool } from 'undici';
import type { Execution, ExecutionRequest } from '../../shared/model/execution.ts';
import type { InstanceScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const TESTS = 50;
const RATIO_MIN = 10;
const ADDED_MS_MAX = 1.5;
const TRUE_ROUNDS = 10;
const QUICK_ROUNDS = 2;
const BUILD_MS_MAX = 900_000;
const environment = {
  base: 'debian-13' as const,
  setup: 'apt-get update && apt-get install -y --no-install-recommends g++',
};
const cppSum: ExecutionRequest = {
  environment,
  files: [
    {
      path: 'main.cpp',
      content: '#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }\n',
    },
  ],
  compile: { script: 'g++ -O2 main.cpp -o main' },
  run: { script: './main' },
};
const inputs = Array.from({ length: TESTS }, (_, index) => ({ stdin: `${index} 1\n`, expected: `${index + 1}\n` }));
/** The same without a compiler, for a quick run. */
const quickSum: ExecutionRequest = {
  environment: { base: 'debian-13' },
  compile: { script: "printf '#!/bin/sh\\nread a b\\necho $((a + b))\\n' > main && chmod +x main" },
  run: { script: './main' },
};
const nothing: ExecutionRequest = {
  environment: { base: 'debian-13' },
  compile: { script: 'cp /bin/true main' },
  run: { script: './main' },
};

async function execute(pool: Pool, request: ExecutionRequest, verdict: string): Promise<number> {
  const from = performance.now();
  const { statusCode, body } = await pool.request({
    ...{ path: '/v1/executions?wait=300', method: 'POST', body: JSON.stringify(request) },
    ...{ headers: { 'content-type': 'application/json' }, headersTimeout: BUILD_MS_MAX },
  });
  const answer = (await body.json()) as Execution;
  const ms = performance.now() - from;
  if (statusCode !== 200 || answer.verdict !== verdict) {
    throw new Error(`${statusCode} instead of ${verdict}: ${JSON.stringify(answer).slice(0, 2000)}`);
  }
  return ms;
}

/** All tests by requests of their own, one after the other. */
async function executeEach(pool: Pool, sum: ExecutionRequest): Promise<number> {
  let ms = 0;
  for (const { stdin } of inputs) ms += await execute(pool, { ...sum, run: { ...sum.run, stdin } }, 'ok');
  return ms;
}

/** What one of many tests of nothing adds to one test, in milliseconds; `script` is what each of them runs. */
async function measureAdded(pool: Pool, script: string, rounds: number): Promise<number[]> {
  const request = { ...nothing, run: { script } };
  const withTests = (count: number) =>
    execute(pool, { ...request, tests: Array.from({ length: count }, () => ({})) }, 'accepted');
  const added: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const one = await withTests(1);
    added.push(((await withTests(TESTS)) - one) / (TESTS - 1));
  }
  return added;
}

/** The scenario. */
export const testsInOneRequest: InstanceScenario = {
  needs: 'instance',
  name: 'tests-in-one-request',
  question: `What do a compile and ${TESTS} tests cost in one request, next to ${TESTS} requests with a compile each?`,
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    const sum = options.isQuick ? quickSum : cppSum;
    try {
      // Builds the environment, or finds it built.
      await execute(pool, { ...sum, tests: inputs }, 'accepted');
      const [together, spread, each]: [number[], number[], number[]] = [[], [], []];
      for (let round = 0; round < (options.isQuick ? 1 : 5); round += 1) {
        together.push(await execute(pool, { ...sum, tests: inputs }, 'accepted'));
        spread.push(await execute(pool, { ...sum, tests: inputs, testsAtOnce: 2 }, 'accepted'));
        each.push(await executeEach(pool, sum));
      }
      const rounds = options.isQuick ? QUICK_ROUNDS : TRUE_ROUNDS;
      const [added, started] = [
        summarise(await measureAdded(pool, '#!/bin/true\n', rounds)),
        summarise(await measureAdded(pool, './main', rounds)),
      ];
      const rival = summarise(each);
      const ours = summarise(together);
      const ratio = rival.p50 / ours.p50;
      return {
        answer: `${TESTS} tests in one request take ${toDuration(ours.p50)}, ${toFigure(ratio)} × less than ${TESTS} requests; one more test of \`true\` takes ${toDuration(added.p50)}.`,
        rows: [
          { label: `${TESTS} requests, each compiles and runs`, summary: rival },
          { label: `one request, ${TESTS} tests on one slot`, summary: ours, against: rival },
          { label: `one request, ${TESTS} tests, two at a time`, summary: summarise(spread), against: rival },
          { label: 'one more test of `true`', summary: added },
          { label: 'one more test of a shell that starts `true`', summary: started },
        ],
        goals: [
          {
            promise: `≥ ${RATIO_MIN} × less wall time than a request for each`,
            seen: `${ratio.toFixed(1)} ×`,
            isReached: ratio >= RATIO_MIN,
          },
          {
            promise: `a test of \`true\` adds ≤ ${ADDED_MS_MAX} ms`,
            seen: `${added.p50.toFixed(2)} ms p50`,
            isReached: added.p50 <= ADDED_MS_MAX,
          },
        ],
        notes: [
          `g++ -O2 of a program with <iostream>; what a test adds is (time of ${TESTS} − time of 1) / ${TESTS - 1}.`,
        ],
      };
    } finally {
      await pool.close();
    }
  },
};
