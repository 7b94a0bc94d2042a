/**
 * Owns the menu of benchmarks: starts what the chosen scenarios need (a private instance, a launcher, nothing), runs them and prints Markdown.
 * Never asserts a figure: it reports what was seen and on which machine.
 * Invariant: what one scenario needs is stopped before another kind is started, so that no idle process is in anybody's figures.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { PrivateInstance } from '../ops/local/private-instance.ts';
import { BenchLauncher } from './bench-launcher.ts';
import { machineFacts, toProvenance } from './machine.ts';
import { toMarkdown } from './report.ts';
import type { InstanceScenario, LauncherScenario, Scenario, ScenarioOptions, ScenarioResult } from './scenario.ts';
import { artefactStore } from './scenarios/artefact-store.ts';
import { cacheHit } from './scenarios/cache-hit.ts';
import { compileOnce } from './scenarios/compile-once.ts';
import { connectedAgents } from './scenarios/connected-agents.ts';
import { cpuAccuracy } from './scenarios/cpu-accuracy.ts';
import { durableAccepts } from './scenarios/durable-accepts.ts';
import { environmentBuild } from './scenarios/environment-build.ts';
import { eventLatency } from './scenarios/event-latency.ts';
import { executionOverhead } from './scenarios/execution-overhead.ts';
import { httpThroughput } from './scenarios/http-throughput.ts';
import { idleMemory } from './scenarios/idle-memory.ts';
import { killOvershoot } from './scenarios/kill-overshoot.ts';
import { launcherThroughput } from './scenarios/launcher-throughput.ts';
import { layerForms } from './scenarios/layer-forms.ts';
import { layerPull } from './scenarios/layer-pull.ts';
import { leftBehind } from './scenarios/left-behind.ts';
import { placement } from './scenarios/placement.ts';
import { residentMemory } from './scenarios/resident-memory.ts';
import { sandboxOverhead } from './scenarios/sandbox-overhead.ts';
import { secondStart } from './scenarios/second-start.ts';
import { testsInOneRequest } from './scenarios/tests-in-one-request.ts';

const scenarios: readonly Scenario[] = [
  sandboxOverhead,
  launcherThroughput,
  killOvershoot,
  cpuAccuracy,
  idleMemory,
  leftBehind,
  compileOnce,
  layerForms,
  layerPull,
  cacheHit,
  placement,
  durableAccepts,
  httpThroughput,
  testsInOneRequest,
  executionOverhead,
  eventLatency,
  // Before all that build: its store is to be empty at first.
  artefactStore,
  environmentBuild,
  secondStart,
  residentMemory,
  connectedAgents,
];

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    url: { type: 'string' },
    launcher: { type: 'string' },
    output: { type: 'string', default: join(import.meta.dirname, 'results/latest.md') },
  },
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

const [before, startedAt] = [machineFacts(), new Date()];
const asked = ['node bench/run.ts', ...process.argv.slice(2)].join(' ');
const sections: string[] = [];

/** Written after every answer, so that a run that is cut short leaves what it knows. */
function write(): string {
  const provenance = toProvenance(before, machineFacts(), asked, startedAt);
  mkdirSync(dirname(values.output), { recursive: true });
  writeFileSync(values.output, ['# Results', '', provenance, ...sections].join('\n'));
  return provenance;
}

/** A scenario that breaks says so in its place; the others are asked all the same. */
async function ask(scenario: Scenario, run: () => Promise<ScenarioResult>): Promise<void> {
  try {
    sections.push(toMarkdown(scenario.question, await run()));
  } catch (error) {
    sections.push(`## ${scenario.question}\n\n- did not finish: ${String(error)}\n`);
    process.exitCode = 1;
  }
  process.stdout.write(`${sections.at(-1)}\n`);
  write();
}

/** A launcher for each, so that none finds what another left. */
async function askLauncher(scenario: LauncherScenario): Promise<void> {
  const launcher = await BenchLauncher.start(values.launcher);
  try {
    await ask(scenario, () => scenario.run(launcher, options));
  } finally {
    await launcher.stop();
  }
}

async function askInstance(list: readonly InstanceScenario[]): Promise<void> {
  if (list.length === 0) return;
  const instance = values.url === undefined ? new PrivateInstance() : null;
  try {
    await instance?.start();
    for (const scenario of list)
      await ask(scenario, () => scenario.run({ url: instance?.url ?? values.url ?? '', instance }, options));
  } finally {
    await instance?.stop();
  }
}

for (const scenario of chosen) {
  if (scenario.needs === 'nothing') await ask(scenario, () => scenario.run(options));
  else if (scenario.needs === 'launcher') await askLauncher(scenario);
}
await askInstance(chosen.filter((scenario) => scenario.needs === 'instance'));
process.stdout.write(write());
