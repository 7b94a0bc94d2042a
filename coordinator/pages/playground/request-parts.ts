/**
 * Owns what of an execution's request the playground can edit, and how recipes and requests become each other. Pure; never asks for anything.
 * Invariant: a request that is a recipe's is the recipe's own scripts, so that whoever tries it shares its layers with everybody who uses it.
 */
import type { ExecutionRequest } from '../../../shared/model/execution.ts';
import type { Limits } from '../../../shared/model/limits.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';

/** A file whose content is in the request. */
export interface DraftFile {
  readonly path: string;
  readonly content: string;
  readonly encoding?: 'utf8' | 'base64';
  readonly executable?: boolean;
}

/** An environment that is described, without secrets: those have no place in what may become a link. */
export interface DraftEnvironment {
  readonly base?: 'debian-13' | 'debian-12';
  readonly setup?: string;
  readonly dependencies?: string;
  readonly files?: readonly DraftFile[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly verify?: string;
  readonly limits?: Limits;
}

/** Script 3 or 4. */
export interface DraftScript {
  readonly script: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly limits?: Limits;
}

/** See the head of this file: an ExecutionRequest with nothing that the page does not show. */
export interface Draft {
  readonly environment: DraftEnvironment;
  readonly files: readonly DraftFile[];
  readonly compile?: DraftScript;
  readonly run: DraftScript & { readonly arguments?: readonly string[]; readonly stdin?: string };
}

/** What is given to a program of a recipe. */
export interface RecipeInput {
  readonly files: readonly DraftFile[];
  readonly stdin: string;
  readonly arguments: readonly string[];
  readonly compileLimits: Limits;
  readonly runLimits: Limits;
}

/** The variable by which scripts of recipes learn which source is the main one (docs/recipes.md). */
const MAIN = 'MAIN';

/** Which of these is the main one: called as the recipe calls it, or the first that ends as its sources do, or the first. */
export function mainOf({ main, extensions }: Pick<Recipe, 'main' | 'extensions'>, paths: readonly string[]): string {
  if (paths.includes(main)) return main;
  return paths.find((path) => extensions.some((extension) => path.endsWith(extension))) ?? paths[0] ?? main;
}

const withLimits = (limits: Limits) => (Object.keys(limits).length === 0 ? {} : { limits });

/** Only what says something. */
export function toInput(stdin: string, words: readonly string[]): Pick<Draft['run'], 'stdin' | 'arguments'> {
  return { ...(words.length === 0 ? {} : { arguments: words }), ...(stdin === '' ? {} : { stdin }) };
}

/** The request by which a recipe runs these files. */
export function toDraft(recipe: Recipe, input: RecipeInput): Draft {
  const main = mainOf(
    recipe,
    input.files.map(({ path }) => path),
  );
  const toScript = ({ script, variables }: Recipe['run'], limits: Limits) => ({
    ...{ script, variables: { ...variables, [MAIN]: main } },
    ...withLimits(limits),
  });
  return {
    environment: recipe.environment as DraftEnvironment,
    files: input.files,
    ...(recipe.compile === null ? {} : { compile: toScript(recipe.compile, input.compileLimits) }),
    run: { ...toScript(recipe.run, input.runLimits), ...toInput(input.stdin, input.arguments) },
  };
}

/** What a recipe shows itself by. */
export function toExample(recipe: Recipe): Draft {
  return toDraft(recipe, {
    ...{ files: recipe.example.files as readonly DraftFile[], stdin: recipe.example.stdin, arguments: [] },
    ...{ compileLimits: recipe.compile?.limits ?? {}, runLimits: recipe.run.limits ?? {} },
  });
}

/** The same text for the same value, in whatever order its members came. */
export function toStableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toStableText).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${toStableText(member)}`).join()}}`;
}

/** All of a draft that its recipe decides. */
function toFixed({ environment, compile, run }: Draft): string {
  const bare = (script: DraftScript | undefined) => script && { script: script.script, variables: script.variables };
  return toStableText([environment, bare(compile), bare(run)]);
}

/** The recipe whose request this is; undefined: it has scripts of its own. */
export function recipeOf(draft: Draft, recipes: readonly Recipe[]): Recipe | undefined {
  const { stdin = '', arguments: words = [], limits = {} } = draft.run;
  const compileLimits = draft.compile?.limits ?? {};
  const input = { files: draft.files, stdin, arguments: words, compileLimits, runLimits: limits };
  const fixed = toFixed(draft);
  return recipes.find((recipe) => toFixed(toDraft(recipe, input)) === fixed);
}

/** As the API takes it. */
export function toRequest(draft: Draft): ExecutionRequest {
  return draft as unknown as ExecutionRequest;
}
