/**
 * Owns the way from an invocation of `run` to an execution's request: sources, recipe, limits, standard input, tests.
 * Never submits it. Everything that can be wrong with words and files is told before anything is asked.
 */
import { resolve } from 'node:path';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { Limits } from '../../shared/model/limits.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';
import { exitCodes } from './exit-codes.ts';
import {
  findFiles,
  type GivenFile,
  type GivenInput,
  readStandardInput,
  toInput,
  toInputFiles,
  toWorkspacePath,
} from './given-files.ts';
import type { Invocation } from './invocation.ts';
import { readLimits } from './limit-words.ts';
import { chooseRecipe } from './recipe-choice.ts';
import type { Session } from './session.ts';
import { CommandError, type Surroundings } from './surroundings.ts';
import { findTests, type GivenTest, readComparison, toTests } from './test-folder.ts';

/** What of the words is good before anybody is asked. */
export interface RunPlan {
  readonly files: readonly GivenFile[];
  /** Path of the main source in the workspace. */
  readonly main: string;
  readonly tests: readonly GivenTest[];
  readonly runLimits: Limits;
  readonly compileLimits: Limits;
}

/** A request that can be submitted, and what was learned on the way. */
export interface PreparedRun {
  readonly request: ExecutionRequest;
  readonly environmentId: string;
}

const wrong = (sentence: string) => new CommandError(exitCodes.usage, sentence);

/** Reads the words and looks at the files; CommandError for whatever is wrong. */
export function planRun({ operands, flags }: Invocation, { folder }: Surroundings): RunPlan {
  const named = flags.text('main');
  const sources = named === null || operands.includes(named) ? operands : [named, ...operands];
  if (sources.length === 0) throw wrong('envicutor run needs a source: envicutor run main.cpp');
  const test = flags.text('test');
  for (const other of ['stdin', 'interactive', 'collect'] as const)
    if (test !== null && flags.has(other)) throw wrong(`--test and --${other} contradict each other`);
  if (flags.has('interactive') && flags.has('json')) throw wrong('--interactive and --json contradict each other');
  if (flags.has('interactive') && flags.has('stdin')) throw wrong('--interactive and --stdin contradict each other');
  if (flags.has('compare') && test === null) throw wrong('--compare goes with --test');
  const files = findFiles(folder, sources, flags.texts('file'));
  const main = toWorkspacePath(folder, resolve(folder, named ?? sources[0] ?? ''));
  const limits = (flag: 'limits' | 'compile-limits') => {
    const { limits: read, problems } = readLimits(flags.text(flag) ?? '');
    if (problems.length > 0) throw wrong(`--${flag}: ${problems.join('; ')}`);
    return read;
  };
  const tests = test === null ? [] : findTests(resolve(folder, test), test);
  return { files, main, tests, runLimits: limits('limits'), compileLimits: limits('compile-limits') };
}

/** Finds the recipe, sends what is large, and puts the request together. */
export async function prepareRun(
  plan: RunPlan,
  invocation: Invocation,
  surroundings: Surroundings,
  { quick, patient }: Session,
): Promise<PreparedRun> {
  const { flags, rest } = invocation;
  const { signal, folder } = surroundings;
  const { main, runLimits, compileLimits } = plan;
  const { recipe, environmentId } = await chooseRecipe(quick, folder, { word: flags.text('env'), main }, signal);
  const files = await toInputFiles(patient, plan.files, signal);
  const isAlone = flags.has('interactive') || plan.tests.length > 0;
  const input: GivenInput = isAlone
    ? {}
    : await toInput(patient, await readStandardInput(surroundings, flags.text('stdin')), signal);
  const words = [...flags.texts('arg'), ...rest];
  const base = toExecutionRequest(recipe, {
    ...{ files, main, ...input },
    compilerOptions: flags.text('compiler-options') ?? undefined,
    arguments: words.length === 0 ? undefined : words,
    ...(Object.keys(runLimits).length === 0 ? {} : { runLimits }),
    ...(Object.keys(compileLimits).length === 0 ? {} : { compileLimits }),
  });
  const patterns = flags.texts('collect');
  const request: ExecutionRequest = {
    ...base,
    ...(environmentId === null ? {} : { environment: environmentId }),
    run: { ...base.run, ...(patterns.length === 0 ? {} : { collect: [...patterns] }) },
    ...(flags.has('interactive') ? { interactive: true } : {}),
    ...(plan.tests.length === 0
      ? {}
      : { tests: await toTests(patient, plan.tests, signal), check: readComparison(flags.text('compare')) }),
  };
  return { request, environmentId: environmentId ?? recipe.environmentId };
}
