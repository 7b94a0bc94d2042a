/**
 * Owns `envicutor run`: an execution submitted and followed to its end, its output on ours, its exit code ours. Never decides what is run (run-request).
 * Invariant: whatever interrupts it cancels the execution at the coordinator.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { Execution } from '../../shared/model/execution.ts';
import type { ExecutionEvent } from '../typescript/events.ts';
import { BuildBoard, toPlainText } from './build-board.ts';
import { describeBuildFailure, describeEnd, describeTiming, tellBuildFailure } from './closing-line.ts';
import { exitCodes, toExitCode } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { LiveOutput } from './live-output.ts';
import { type PreparedRun, planRun, prepareRun, type RunPlan } from './run-request.ts';
import { type Session, withSession } from './session.ts';
import { paintFor, type Surroundings, say, writeAll } from './surroundings.ts';
import { toFirstWrong, toRow, toSum } from './test-table.ts';

/** Runs it; the exit code. */
export async function runCommand(invocation: Invocation, surroundings: Surroundings): Promise<number> {
  const plan = planRun(invocation, surroundings);
  return await withSession(surroundings, invocation.flags, async (session) => {
    const prepared = await prepareRun(plan, invocation, surroundings, session);
    if (invocation.flags.has('interactive')) {
      const { runInteractively } = await import('./interactive-run.ts');
      return await runInteractively(prepared, invocation, surroundings, session);
    }
    return await new Run(plan, prepared, invocation, surroundings).run(session);
  });
}

class Run {
  readonly #plan: RunPlan;
  readonly #prepared: PreparedRun;
  readonly #invocation: Invocation;
  readonly #surroundings: Surroundings;
  readonly #board: BuildBoard;
  readonly #output: LiveOutput;

  constructor(plan: RunPlan, prepared: PreparedRun, invocation: Invocation, surroundings: Surroundings) {
    this.#plan = plan;
    this.#prepared = prepared;
    this.#invocation = invocation;
    this.#surroundings = surroundings;
    const { flags } = invocation;
    this.#board = new BuildBoard(surroundings, { isVerbose: flags.has('verbose'), isQuiet: flags.has('quiet') });
    this.#output = new LiveOutput(surroundings);
  }

  get #isJson(): boolean {
    return this.#invocation.flags.has('json');
  }

  async run({ patient }: Session): Promise<number> {
    const { signal, stdout } = this.#surroundings;
    const onEvent = (event: ExecutionEvent) => this.#hear(event);
    let execution: Execution;
    try {
      execution = await patient.run(this.#prepared.request, { signal, onEvent });
    } catch (error) {
      // What is drawn stays where an error is told below it.
      this.#board.rest(false);
      throw error;
    }
    if (this.#isJson) await writeAll(stdout, `${JSON.stringify(execution, null, 2)}\n`);
    else {
      await this.#output.finish(execution);
      if (this.#plan.tests.length > 0) await this.#tellTests(execution);
    }
    await this.#bring(execution, patient);
    this.#close(execution);
    return toExitCode(execution);
  }

  async #hear(event: ExecutionEvent): Promise<void> {
    this.#board.hear(event);
    if (event.type === 'stage') this.#enter(event.data);
    if (this.#isJson) return;
    if (event.type === 'test' && event.data.outcome !== 'skipped' && this.#surroundings.stdout.isTTY)
      await this.#tellTest(event.data);
    await this.#output.hear(event);
  }

  #enter({ stage, cause }: { readonly stage: string; readonly cause: string | null }): void {
    if (stage !== 'building') this.#board.rest(stage === 'queued');
    if (cause === 'requeued')
      say(this.#surroundings, 'it could not go on where it was: it runs again, from its beginning');
  }

  get #width(): number {
    return Math.max(4, ...this.#plan.tests.map(({ name }) => name.length));
  }

  async #tellTest(result: Execution['tests'][number]): Promise<void> {
    const { stdout, variables } = this.#surroundings;
    await writeAll(stdout, `${toRow(result, this.#width, paintFor(stdout, variables))}\n`);
  }

  async #tellTests(execution: Execution): Promise<void> {
    // What does not compile has no tests to tell of.
    if (execution.endedIn !== 'tests') return;
    const { stdout, variables } = this.#surroundings;
    const paint = paintFor(stdout, variables);
    // On a terminal they came one by one.
    if (!stdout.isTTY) for (const result of execution.tests) await this.#tellTest(result);
    const expectedOf = (index: number) => readFileSync(this.#plan.tests[index]?.answer ?? '/dev/null', 'utf8');
    const wrong = toFirstWrong(execution.tests, expectedOf, paint);
    const lines = [toSum(execution, paint), ...(wrong.length === 0 ? [] : ['', ...wrong])];
    await writeAll(stdout, `${lines.join('\n')}\n`);
  }

  /** Files that it left come to this machine. */
  async #bring({ files, uncollected = [] }: Execution, patient: Session['patient']): Promise<void> {
    const { signal, folder } = this.#surroundings;
    const into = resolve(folder, this.#invocation.flags.text('collect-into') ?? '.');
    for (const { path, file } of files) {
      if (isAbsolute(path) || path.split('/').includes('..'))
        say(this.#surroundings, `'${toPlainText(path)}' was not brought: its path leads outside`);
      else replaceFile(join(into, path), await patient.files.download(file, { signal }));
    }
    for (const { path, state } of uncollected)
      say(this.#surroundings, `'${toPlainText(path)}' was not brought: ${state}`);
  }

  #close(execution: Execution): void {
    const { flags } = this.#invocation;
    if (flags.has('quiet')) return;
    const isBuild = toExitCode(execution) === exitCodes.buildFailed;
    const failure = isBuild
      ? describeBuildFailure(execution, this.#board.tail, this.#prepared.environmentId)
      : { log: [], told: describeEnd(execution) };
    tellBuildFailure(this.#surroundings, failure);
    if (flags.has('verbose')) for (const line of describeTiming(execution)) say(this.#surroundings, line);
  }
}

/** A new file takes the old one's place, whatever that is. */
function replaceFile(path: string, content: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.envicutor-new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, content, { flag: 'wx' });
  renameSync(fresh, path);
}
