/**
 * Owns turning a recipe and somebody's sources into an execution's request: which of them is the main one, and the variables that the scripts read.
 * Pure; never decides which recipe is meant when a name does not say so.
 * Invariant: the request holds the recipe's scripts as they are, so that whoever uses a recipe shares its layers with everybody else who does.
 */
import type { ExecutionRequest } from '../model/execution.ts';
import type { InputFile } from '../model/file.ts';
import type { Limits } from '../model/limits.ts';
import type { Recipe } from './recipe.ts';
import { COMPILER_OPTIONS_VARIABLE, MAIN_VARIABLE } from './script-variables.ts';

/** What is run in a recipe. */
export interface RecipeUse {
  readonly files: readonly InputFile[];
  /** Path of the main source; absent: what `mainOf` finds. */
  readonly main?: string | undefined;
  /** Words for the compiler, separated by spaces. */
  readonly compilerOptions?: string | undefined;
  readonly arguments?: readonly string[] | undefined;
  readonly stdin?: string | undefined;
  readonly stdinEncoding?: 'utf8' | 'base64' | 'file' | undefined;
  /** Over the recipe's own; those have the defaults below them. */
  readonly compileLimits?: Limits | undefined;
  readonly runLimits?: Limits | undefined;
}

/** The request. */
export function toExecutionRequest(recipe: Recipe, use: RecipeUse): ExecutionRequest {
  const main = use.main ?? mainOf(recipe, use.files) ?? recipe.main;
  const variables = { ...recipe.run.variables, [MAIN_VARIABLE]: main };
  const compileVariables =
    use.compilerOptions === undefined ? variables : { ...variables, [COMPILER_OPTIONS_VARIABLE]: use.compilerOptions };
  const { compile, run } = recipe;
  return {
    environment: recipe.environment,
    files: [...use.files],
    ...(compile === null
      ? {}
      : {
          compile: { script: compile.script, variables: compileVariables, ...over(compile.limits, use.compileLimits) },
        }),
    run: {
      ...{ script: run.script, variables, ...over(run.limits, use.runLimits) },
      ...(use.arguments === undefined ? {} : { arguments: [...use.arguments] }),
      ...(use.stdin === undefined ? {} : { stdin: use.stdin }),
      ...(use.stdinEncoding === undefined ? {} : { stdinEncoding: use.stdinEncoding }),
    },
  };
}

function over(own: Limits | undefined, given: Limits | undefined): { limits?: Limits } {
  return own === undefined && given === undefined ? {} : { limits: { ...own, ...given } };
}

/** The main one of these: called as the recipe calls it, or the first that ends as its sources do, or the only one; null: none can be told. */
export function mainOf(recipe: Recipe, files: readonly { readonly path: string }[]): string | null {
  const paths = files.map(({ path }) => path);
  if (paths.includes(recipe.main)) return recipe.main;
  const fitting = paths.find((path) => recipe.extensions.some((extension) => path.endsWith(extension)));
  return fitting ?? (paths.length === 1 ? (paths[0] ?? null) : null);
}

/** The recipe of this name or alias; undefined: there is none. */
export function findRecipe(recipes: readonly Recipe[], word: string): Recipe | undefined {
  const small = word.toLowerCase();
  return recipes.find(({ name }) => name === small) ?? recipes.find(({ aliases }) => aliases.includes(small));
}

/** The first recipe that says it is for files like this one; undefined: none does. */
export function recipeOfFile(recipes: readonly Recipe[], path: string): Recipe | undefined {
  const ending = /\.[^./]+$/.exec(path)?.[0];
  if (ending === undefined) return undefined;
  const isExact = recipes.some(({ extensions }) => extensions.includes(ending));
  const wanted = isExact ? ending : ending.toLowerCase();
  const fitting = recipes.filter(({ extensions }) => extensions.includes(wanted));
  // What has the ending first among its own is meant for it most; then what is called as its language, then what has the plainest name.
  const rank = ({ name, language, extensions }: Recipe) =>
    extensions.indexOf(wanted) * 1000 + (name === language ? 0 : 100) + name.length;
  return fitting.sort((a, b) => rank(a) - rank(b))[0];
}
