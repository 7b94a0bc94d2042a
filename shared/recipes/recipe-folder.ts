/**
 * Owns reading recipes from their folders: recipe.json, one file for each script, what the build reads in files/, and three programs that show it
 * (hello, library, failing), each with expected.json. Never runs one.
 * Invariant: what is wrong with a folder is one sentence that names the file; a recipe that was read can be asked for.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Static, TSchema } from '@sinclair/typebox';
import { SystemError } from '../errors.ts';
import { findPlaces } from '../http/validation.ts';
import type { EnvironmentRequest, File } from '../model/environment.ts';
import { describeEnvironment } from '../model/environment-description.ts';
import { Recipe, RecipeExpectation, RecipeHead } from './recipe.ts';
import { MAIN_VARIABLE } from './script-variables.ts';

const isCheckout = import.meta.filename.endsWith('.ts');

/** The folder of the recipes that come with a release. */
export const ownRecipesFolder = join(import.meta.dirname, isCheckout ? '../..' : '../../..', 'ops/environments');

/** The programs that each recipe has. */
export const recipePrograms = ['hello', 'library', 'failing'] as const;
export type RecipeProgramName = (typeof recipePrograms)[number];

/** A program of a recipe, and what becomes of it. */
export interface RecipeProgram {
  readonly files: File[];
  readonly stdin: string;
  readonly expectation: RecipeExpectation;
}

/** All recipes of a folder, by name; SystemError `configuration-invalid` with every problem. */
export function readRecipes(folder: string): Recipe[] {
  const problems: string[] = [];
  const recipes: Recipe[] = [];
  for (const name of namesOf(folder)) {
    try {
      recipes.push(readRecipe(join(folder, name)));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      problems.push(error.message);
    }
  }
  const named = new Map<string, string>();
  for (const { name, aliases } of recipes) {
    for (const word of [name, ...aliases]) {
      const other = named.get(word);
      if (other !== undefined)
        problems.push(`recipes ${other} and ${name} are both called ${word}; rename one of them`);
      named.set(word, name);
    }
  }
  if (problems.length === 0) return recipes;
  const errors = problems.map((detail) => ({ pointer: '/recipesDirectory', detail }));
  throw new SystemError('configuration-invalid', problems.join('\n'), { errors });
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'recipe.json')))
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    throw invalid(`the folder of recipes ${folder} can't be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

/** One recipe; SystemError `configuration-invalid`. */
export function readRecipe(folder: string): Recipe {
  const { base, variables, limits = {}, ...facts } = readChecked(RecipeHead, join(folder, 'recipe.json'));
  const script = (name: string) => readText(join(folder, name));
  const environment: EnvironmentRequest = {
    ...pick('base', base),
    ...pick('setup', script('setup')),
    ...pick('dependencies', script('dependencies')),
    ...pick('verify', script('verify')),
    ...pick('files', readFiles(join(folder, 'files'))),
    ...pick('variables', variables),
    ...pick('limits', limits.environment),
  };
  const toScript = (text: string, of: typeof limits.run) => ({
    ...{ script: text, variables: { [MAIN_VARIABLE]: facts.main } },
    ...pick('limits', of),
  });
  const compile = script('compile');
  const run = script('run');
  if (run === undefined) throw invalid(`${join(folder, 'run')} is missing: a recipe says how a program is run`);
  const { files, stdin, expectation } = readRecipeProgram(folder, 'hello');
  const recipe = {
    ...{ name: basename(folder), ...facts, environment },
    environmentId: describeEnvironment(environment, null).id,
    compile: compile === undefined ? null : toScript(compile, limits.compile),
    run: toScript(run, limits.run),
    example: { files, stdin, stdout: expectation.stdout ?? '' },
  };
  return checked(Recipe, recipe, folder);
}

/** One of its programs. */
export function readRecipeProgram(folder: string, name: RecipeProgramName): RecipeProgram {
  const place = join(folder, name);
  const files = readFiles(place)?.filter(({ path }) => path !== 'expected.json' && path !== 'stdin') ?? [];
  if (files.length === 0)
    throw invalid(`${place} holds no source: a recipe shows itself by ${recipePrograms.join(', ')}`);
  const expectation = readChecked(RecipeExpectation, join(place, 'expected.json'));
  return { files, stdin: readText(join(place, 'stdin')) ?? '', expectation };
}

function pick<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Everything below a folder as files of a request; undefined: there is no such folder. */
function readFiles(folder: string): File[] | undefined {
  if (!existsSync(folder)) return undefined;
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return paths.flatMap((path) => {
    const facts = statSync(join(folder, path));
    if (!facts.isFile()) return [];
    const bytes = readFileSync(join(folder, path));
    const isText = Buffer.from(bytes.toString('utf8')).equals(bytes);
    const content = isText
      ? { content: bytes.toString('utf8') }
      : { content: bytes.toString('base64'), encoding: 'base64' as const };
    return [{ path, ...content, ...((facts.mode & 0o111) === 0 ? {} : { executable: true }) }];
  });
}

function readChecked<Schema extends TSchema>(schema: Schema, path: string) {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw invalid(`${path} can't be read as JSON (${(cause as Error).message})`, cause);
  }
  return checked(schema, value, path);
}

function checked<Schema extends TSchema>(schema: Schema, value: unknown, path: string) {
  const [first] = findPlaces(schema, value);
  if (first !== undefined) throw invalid(`${path}: ${first.pointer || 'all of it'} ${first.detail}`);
  return value as Static<Schema>;
}

function invalid(sentence: string, cause?: unknown): SystemError {
  return new SystemError('configuration-invalid', sentence, { cause });
}
