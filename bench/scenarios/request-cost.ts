/**
 * Question: what does a request cost before any service hears of it: routing, key, JSON, schema, rules, and the answer's own check?
 * A submission of 8 KiB over a connection that stays open, to a server of our routes whose service answers at once; in turn with it the same body to a
 * bare Fastify route without a schema. What the first takes longer is ours.
 */
import { Client } from 'undici';
import { startRouteServer } from '../peers/route-server.ts';
import type { FreeScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const BODY_BYTES = 8192;
const MILLISECONDS_MAX = 0.3;
const BLOCK = 25;

/** As a judge would send it: a program, an input, limits, and a few words of its own. */
function makeBody(): string {
  const request = {
    environment: { base: 'debian-13', setup: 'apt-get update && apt-get install -y g++', variables: { LANG: 'C' } },
    files: [{ path: 'main.cpp', content: '' }],
    compile: { script: 'g++ -O2 main.cpp -o main', limits: { cpuTimeMs: 10_000 } },
    run: { script: './main', arguments: ['a', 'b'], stdin: '1 2\n'.repeat(500), limits: { memoryBytes: 268_435_456 } },
    metadata: { submission: 12_345, contest: 'spring' },
  };
  const left = BODY_BYTES - JSON.stringify(request).length;
  const [source] = request.files;
  if (source !== undefined) source.content = '// "quoted" \\ and not\n'.repeat(1000).slice(0, Math.floor(left * 0.8));
  return JSON.stringify(request).padEnd(BODY_BYTES, ' ');
}

const bareLabel = 'bare Fastify route, no schema';
const oursLabel = 'ours: carriage, key, JSON, schema, rules, answer checked';

class Asker {
  readonly #client: Client;
  readonly #body = makeBody();
  readonly samples: number[] = [];

  constructor(url: string) {
    this.#client = new Client(url);
  }

  async ask(): Promise<number> {
    const from = performance.now();
    const answer = await this.#client.request({
      ...{ method: 'POST', path: '/v1/executions', body: this.#body },
      headers: { 'content-type': 'application/json' },
    });
    await answer.body.text();
    if (answer.statusCode !== 202) throw new Error(`${answer.statusCode}`);
    return performance.now() - from;
  }

  async block(): Promise<void> {
    for (let round = 0; round < BLOCK; round += 1) this.samples.push(await this.ask());
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** The scenario. */
export const requestCost: FreeScenario = {
  needs: 'nothing',
  name: 'request-cost',
  question: 'What does a submission of 8 KiB cost before any service hears of it?',
  async run({ warmUp, rounds }): Promise<ScenarioResult> {
    const servers = await Promise.all([startRouteServer('ours'), startRouteServer('bare')]);
    const [ours, bare] = servers.map(({ url }) => new Asker(url)) as [Asker, Asker];
    try {
      for (let round = 0; round < warmUp * 20; round += 1) await Promise.all([ours.ask(), bare.ask()]);
      for (let block = 0; block * BLOCK < rounds * 10; block += 1) {
        await bare.block();
        await ours.block();
      }
    } finally {
      await Promise.all([ours, bare].map((asker) => asker.close()));
      await Promise.all(servers.map((server) => server.stop()));
    }
    const [all, floor] = [summarise(ours.samples), summarise(bare.samples)];
    return {
      answer: `A submission of 8 KiB takes ${toDuration(all.p50)}, ${toDuration(all.p50 - floor.p50)} more than a route that checks nothing (p50).`,
      plots: [{ kind: 'distribution', title: 'A submission of 8 KiB', rows: [bareLabel, oursLabel] }],
      rows: [
        { label: bareLabel, summary: floor },
        { label: oursLabel, summary: all, against: floor },
      ],
      goals: [
        {
          promise: `validation and routing: p50 ≤ ${MILLISECONDS_MAX} ms at 8 KiB, the connection's own time with it`,
          seen: `${all.p50.toFixed(3)} ms, ${(all.p50 - floor.p50).toFixed(3)} ms more than the bare route`,
          isReached: all.p50 <= MILLISECONDS_MAX,
        },
      ],
      notes: [`Blocks of ${BLOCK}, in turn; each server is a process of its own, the client another.`],
    };
  },
};
