/**
 * Owns the command that asks: starts what the chosen scenarios need (a private instance, a launcher, nothing), asks one after the other, prints each answer
 * as it comes and keeps the recording on disk up to date.
 * Never asserts a figure: it reports what was seen, on which machine, and how noisy that was.
 * Invariant: what one scenario needs is stopped before another kind is started, so that no idle process is in anybody's figures; an interrupted run leaves
 * a recording that says so.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PrivateInstance } from '../ops/local/private-instance.ts';
import { chooseScenarios, scenarios } from './catalogue.ts';
import { type Compared, compareRecordings } from './compare.ts';
import { ExitCode } from './exit-code.ts';
import { readRecording } from './recording/recording.ts';
import { RunRecorder } from './recording/run-recorder.ts';
import { answerToMarkdown, comparisonToText, provenanceToMarkdown } from './report/markdown.ts';
import type { InstanceScenario, LauncherScenario, Scenario, ScenarioOptions, ScenarioResult } from './scenario.ts';
import { BenchLauncher } from './workloads/bench-launcher.ts';

/** How long an interrupted scenario may take to put away its rivals. */
const PUT_AWAY_MS = 5000;

const shapes = {
  quick: { warmUp: 3, rounds: 10, isQuick: true },
  whole: { warmUp: 100, rounds: 400, isQuick: false },
} as const satisfies Record<string, ScenarioOptions>;

interface Settings {
  readonly options: ScenarioOptions;
  readonly url: string | undefined;
  readonly launcher: string | undefined;
  readonly signal: AbortSignal;
}

/** Asks the chosen scenarios into a recording. */
class Asking {
  readonly #recorder: RunRecorder;
  readonly #settings: Settings;
  hasProblem = false;

  constructor(recorder: RunRecorder, settings: Settings) {
    this.#recorder = recorder;
    this.#settings = settings;
  }

  async all(chosen: readonly Scenario[]): Promise<void> {
    const { options } = this.#settings;
    for (const scenario of chosen) {
      if (scenario.needs === 'nothing') await this.#ask(scenario, () => scenario.run(options));
      else if (scenario.needs === 'launcher') await this.#askLauncher(scenario);
    }
    await this.#askInstance(chosen.filter((scenario) => scenario.needs === 'instance'));
  }

  /** A scenario that breaks says so in its place; the others are asked all the same. */
  async #ask(scenario: Scenario, run: () => Promise<ScenarioResult>, stop?: () => Promise<void>): Promise<void> {
    const { signal } = this.#settings;
    if (signal.aborted) return;
    process.stderr.write(`asking ${scenario.name}\n`);
    const answer = await this.#recorder.answer(scenario, async () => {
      const running = run();
      await Promise.race([running, interrupted(signal)]);
      if (!signal.aborted) return running;
      // What it asks goes away beneath it, so that it ends and puts away what it had started.
      await stop?.();
      await Promise.race([running.catch(() => undefined), pause(PUT_AWAY_MS)]);
      throw new Error('interrupted');
    });
    this.hasProblem ||= answer.problem !== null;
    process.stdout.write(`${answerToMarkdown(answer)}\n`);
  }

  /** A launcher for each, so that none finds what another left. */
  async #askLauncher(scenario: LauncherScenario): Promise<void> {
    if (this.#settings.signal.aborted) return;
    const launcher = await BenchLauncher.start(this.#settings.launcher);
    const stop = once(() => launcher.stop());
    try {
      await this.#ask(scenario, () => scenario.run(launcher, this.#settings.options), stop);
    } finally {
      await stop();
    }
  }

  async #askInstance(list: readonly InstanceScenario[]): Promise<void> {
    if (list.length === 0 || this.#settings.signal.aborted) return;
    const { url } = this.#settings;
    const instance = url === undefined ? new PrivateInstance() : null;
    const stop = once(async () => instance?.stop());
    try {
      await instance?.start();
      const target = { url: url ?? instance?.url ?? '', instance };
      for (const scenario of list) await this.#ask(scenario, () => scenario.run(target, this.#settings.options), stop);
    } finally {
      await stop();
    }
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function once(act: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => {
    done ??= act();
    return done;
  };
}

/** `bench list`. */
export function listCommand(): number {
  const width = Math.max(...scenarios.map(({ name }) => name.length));
  for (const { name, needs, question } of scenarios)
    process.stdout.write(`${name.padEnd(width)}  ${needs.padEnd(8)}  ${question}\n`);
  return ExitCode.fine;
}

/** `bench run`: the exit code; 1 when a scenario did not finish or something is worse than the baseline. */
export async function runCommand(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      url: { type: 'string' },
      launcher: { type: 'string' },
      output: { type: 'string', default: join(import.meta.dirname, 'results/latest.json') },
      against: { type: 'string' },
    },
    allowPositionals: true,
  });
  const { chosen, unknown } = chooseScenarios(positionals, values.quick);
  if (unknown.length > 0) {
    process.stderr.write(`no scenario '${unknown.join("', '")}'; 'bench list' says which there are\n`);
    return ExitCode.usage;
  }
  // Read before anything is measured: a baseline that can't be read is known at once.
  const baseline = values.against === undefined ? null : readRecording(values.against);
  const options = values.quick ? shapes.quick : shapes.whole;
  const recorder = new RunRecorder(values.output, ['bench run', ...args].join(' '), options.isQuick);
  process.stdout.write(`${provenanceToMarkdown(recorder.recording)}\n`);
  const asking = new Asking(recorder, { options, url: values.url, launcher: values.launcher, signal });
  await asking.all(chosen);
  if (signal.aborted) return ExitCode.interrupted;
  recorder.complete();
  process.stdout.write(`recorded in ${values.output}; 'bench report ${values.output}' draws it\n`);
  const compared: readonly Compared[] = baseline === null ? [] : compareRecordings(baseline, recorder.recording);
  if (baseline !== null) process.stdout.write(comparisonToText(compared));
  return asking.hasProblem || compared.some(({ judgement }) => judgement === 'worse')
    ? ExitCode.problem
    : ExitCode.fine;
}
