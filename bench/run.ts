/**
 * Owns the menu of benchmarks: starts a private instance (or asks one that runs), warms it, runs the scenarios and prints Markdown.
 * Never asserts a figure: it reports what was seen and on which machine.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PrivateInstance } from '../ops/local/private-instance.ts';
import { machineFacts } from './machine.ts';
import { toRow } from './samples.ts';
import type { ScenarioOptions, ScenarioResult } from './scenario.ts';
import { environmentBuild } from './scenarios/environment-build.ts';
import { executionOverhead } from './scenarios/execution-overhead.ts';
import { residentMemory } from './scenarios/resident-memory.ts';
import { secondStart } from './scenarios/second-start.ts';

const scenarios = [executionOverhead, environmentBuild, secondStart, residentMemory];

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, url: { type: 'string' } },
  allowPositionals: true,
});
const options: ScenarioOptions = values.quick ? { warmUp: 5, rounds: 20 } : { warmUp: 100, rounds: 400 };
const chosen = scenarios.filter((scenario) => positionals.length === 0 || positionals.includes(scenario.name));
const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `no scenario '${unknown.join("', '")}'; there are: ${scenarios.map((each) => each.name).join(', ')}\n`,
  );
  process.exit(64);
}

/** The answer to one question, as Markdown. */
function toMarkdown(question: string, result: ScenarioResult): string {
  const unit = result.unit ?? 'ms';
  const rows = result.rows.map(({ label, summary }) =>
    toRow([label, String(summary.count), summary.p50, summary.p90, summary.p99]),
  );
  return [
    `## ${question}`,
    '',
    toRow(['', 'samples', `p50 ${unit}`, `p90 ${unit}`, `p99 ${unit}`]),
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const instance = values.url === undefined ? new PrivateInstance() : null;
try {
  await instance?.start();
  const url = instance?.url ?? values.url ?? '';
  const before = machineFacts();
  const sections: string[] = [];
  for (const scenario of chosen) {
    const result = await scenario.run({ url: instance?.url ?? url, instance }, options);
    sections.push(toMarkdown(scenario.question, result));
    process.stdout.write(`${sections.at(-1)}\n`);
  }
  const after = machineFacts();
  const machine = `${before.processor}, ${before.cores} cores, ${before.memoryGiB} GiB, Linux ${before.kernel}, Node ${before.node}, governor ${before.governor}`;
  const steal = `steal during the run: ${after.stealTicks - before.stealTicks} ticks`;
  process.stdout.write(`${machine}; ${steal}\n`);
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.md'), `${sections.join('\n')}\n${machine}; ${steal}\n`);
} finally {
  await instance?.stop();
}
