/**
 * Owns which recipe a program is run by: the one that is named, a folder's, or the one for the file's ending. Never guesses beyond that.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { recipeOfFile } from '../../shared/recipes/recipe-use.ts';
import type { EnvicutorClient } from '../typescript/envicutor-client.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './surroundings.ts';

/** The recipe, and the environment instead of its own if its id was given. */
export interface RecipeChoice {
  readonly recipe: Recipe;
  readonly environmentId: string | null;
}

/** Is this the id of an environment? */
export const isEnvironmentId = (word: string) => /^env_[0-9a-z]{8,64}$/.test(word);

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** A recipe by name, or of a folder; a word with a slash, or a dot before it, is a folder. */
export async function findNamedRecipe(
  client: EnvicutorClient,
  folder: string,
  word: string,
  signal: AbortSignal,
): Promise<Recipe> {
  const isPath = word.includes('/') || word.startsWith('.');
  const path = resolve(folder, word);
  if (!isPath) return await client.recipes.get(word, { signal });
  if (!isFolder(path))
    throw new CommandError(exitCodes.usage, `there is no folder ${word}; envicutor recipe init ${word} writes one`);
  // Only who brings a folder needs the checks of one.
  const { readRecipe } = await import('../../shared/recipes/recipe-folder.ts');
  try {
    return readRecipe(path);
  } catch (cause) {
    throw new CommandError(exitCodes.usage, (cause as Error).message, cause);
  }
}

/** The recipe for a program whose main source is this file. */
export async function chooseRecipe(
  client: EnvicutorClient,
  folder: string,
  { word, main }: { readonly word: string | null; readonly main: string },
  signal: AbortSignal,
): Promise<RecipeChoice> {
  if (word !== null && !isEnvironmentId(word))
    return { recipe: await findNamedRecipe(client, folder, word, signal), environmentId: null };
  const recipes = await client.recipes.list({ signal });
  const recipe = recipeOfFile(recipes, main);
  if (recipe === undefined) throw new CommandError(exitCodes.usage, unknownKind(main, word));
  return { recipe, environmentId: word };
}

function unknownKind(main: string, word: string | null): string {
  const nobody = `no recipe of the coordinator is for files like ${main}`;
  const write =
    '`envicutor recipe init ./NAME --from RECIPE` writes a folder to be changed, --env ./NAME uses it (docs/recipes.md)';
  if (word !== null)
    return `${nobody}, so that nothing says how it is run in ${word}; name a recipe instead, or write one: ${write}`;
  return `${nobody}; name one with --env (\`envicutor recipe list\` shows them), or write one: ${write}`;
}
