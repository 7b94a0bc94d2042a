/**
 * Owns trying a recipe: its environment built, then its three programs run twice, the second time warm, and what became of them held against what
 * their folders say. Never starts an instance: it asks the one that it is given, by the client library, as anybody would.
 * Invariant: a difference is told by the field, with what was expected and what came.
 */
import { join } from 'node:path';
import type { EnvicutorClient } from '../../client/typescript/envicutor-client.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { Recipe, RecipeExpectation } from '../../shared/recipes/recipe.ts';
import { type RecipeProgramName, readRecipeProgram, recipePrograms } from '../../shared/recipes/recipe-folder.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';

/** What came of one program. */
export interface ProgramTrial {
  readonly program: RecipeProgramName;
  /** Empty: it is as it should be. */
  readonly differences: readonly string[];
  /** From request to answer, with everything there; milliseconds. */
  readonly warmMs: number;
  /** Of that, the compile script; null: there is none. */
  readonly compileMs: number | null;
}

/** What came of a recipe. */
export interface RecipeTrial {
  readonly recipe: string;
  /** From request to `ready`; milliseconds; null: it is not ready. */
  readonly buildMs: number | null;
  /** Its layers, compressed; bytes. */
  readonly bytes: number;
  /** Why it is not ready, with the end of the log. */
  readonly failure: string | null;
  readonly programs: readonly ProgramTrial[];
}

/** Builds and runs it; `folder` is where recipes are. Never rejects because of the recipe. */
export async function tryRecipe(client: EnvicutorClient, folder: string, recipe: Recipe): Promise<RecipeTrial> {
  const from = performance.now();
  const environment = await client.environments.build(recipe.environment);
  const buildMs = performance.now() - from;
  const bytes = environment.layers.reduce((sum, layer) => sum + layer.bytes, 0);
  if (environment.state !== 'ready') {
    const { endedIn, failure } = environment;
    const report = endedIn === null ? null : environment[endedIn];
    const end = `${report?.stdout ?? ''}${report?.stderr ?? ''}`.trimEnd().split('\n').slice(-12).join('\n');
    const why = failure === null ? `its ${endedIn} script ended with ${report?.verdict}:\n${end}` : failure.detail;
    return { recipe: recipe.name, buildMs: null, bytes, failure: why, programs: [] };
  }
  const programs: ProgramTrial[] = [];
  for (const program of recipePrograms)
    programs.push(await tryProgram(client, join(folder, recipe.name), recipe, program));
  return { recipe: recipe.name, buildMs, bytes, failure: null, programs };
}

async function tryProgram(
  client: EnvicutorClient,
  folder: string,
  recipe: Recipe,
  program: RecipeProgramName,
): Promise<ProgramTrial> {
  const { files, stdin, expectation } = readRecipeProgram(folder, program);
  const request = toExecutionRequest(recipe, { files, stdin });
  await client.run(request);
  const from = performance.now();
  const execution = await client.run(request);
  const warmMs = performance.now() - from;
  const compileMs = execution.compile?.usage.wallTimeMs ?? null;
  return { program, differences: differencesOf(expectation, execution), warmMs, compileMs };
}

/** What is not as expected, each as a sentence. */
export function differencesOf(expectation: RecipeExpectation, execution: Execution): string[] {
  const { endedIn } = execution;
  const report = endedIn === 'compile' ? execution.compile : execution.run;
  const seen = { verdict: execution.verdict, endedIn, exitCode: report?.exitCode, stdout: report?.stdout };
  const wrong = (['verdict', 'endedIn', 'exitCode', 'stdout'] as const).filter(
    (field) => expectation[field] !== undefined && expectation[field] !== seen[field],
  );
  const sentences = wrong.map(
    (field) => `${field} is ${JSON.stringify(seen[field])}, not ${JSON.stringify(expectation[field])}`,
  );
  const said = `${report?.stdout ?? ''}${report?.stderr ?? ''}`;
  const part = expectation.stderrIncludes;
  if (part !== undefined && !said.includes(part))
    sentences.push(`it said ${JSON.stringify(said.slice(-400))}, without ${JSON.stringify(part)}`);
  if (wrong.length > 0 && execution.failure !== null) sentences.push(execution.failure.detail);
  if (wrong.length > 0 && expectation.verdict === 'ok') sentences.push(`it said ${JSON.stringify(said.slice(-400))}`);
  return sentences;
}
