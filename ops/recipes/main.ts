/**
 * Owns `make recipes`: builds and runs every recipe, or those that are named, and prints a table; exits with 1 when one is not as its folder says.
 * Never leaves anything behind: without ENVICUTOR_URL it starts an instance of its own for the time, with an empty cache, so that builds are from nothing.
 */

import { Type } from '@sinclair/typebox';
import { EnvicutorClient } from '../../client/typescript/envicutor-client.ts';
import { EXIT_USAGE, loadConfig } from '../../shared/config.ts';
import { Closed } from '../../shared/model/closed.ts';
import { ownRecipesFolder, readRecipes } from '../../shared/recipes/recipe-folder.ts';
import { PrivateInstance } from '../local/private-instance.ts';
import { isGreen, toTable } from './table.ts';
import { type RecipeTrial, tryRecipe } from './trial.ts';

const settings = loadConfig(
  Closed({
    url: Type.String({ default: '', description: 'An instance that is there; empty: one of its own.' }),
    key: Type.String({ default: '', description: 'A key of a tenant of it.', secret: true }),
    recipesDirectory: Type.String({ default: '', description: 'Folder of recipes; empty: those of this release.' }),
  }),
  'ENVICUTOR',
);
const folder = settings.recipesDirectory || ownRecipesFolder;
const recipes = readRecipes(folder);
const names = process.argv.slice(2);
const unknown = names.filter((name) => !recipes.some((recipe) => recipe.name === name));
if (unknown.length > 0) {
  console.error(
    `recipes: there is no recipe ${unknown.join(', ')} in ${folder}; there are ${recipes.map(({ name }) => name).join(', ')}`,
  );
  process.exit(EXIT_USAGE);
}
const chosen = names.length === 0 ? recipes : recipes.filter(({ name }) => names.includes(name));

/** Tries them one after the other, saying each as it is over. */
async function tryAll(url: string, key: string | undefined): Promise<RecipeTrial[]> {
  const client = new EnvicutorClient({ url, ...(key === undefined ? {} : { key }) });
  const trials: RecipeTrial[] = [];
  for (const recipe of chosen) {
    const trial = await tryRecipe(client, folder, recipe);
    console.error(
      `recipes: ${recipe.name} ${isGreen(trial) ? 'ok' : 'WRONG'} (${trials.length + 1} of ${chosen.length})`,
    );
    trials.push(trial);
  }
  return trials;
}

async function tryThere(): Promise<RecipeTrial[]> {
  if (settings.url !== '') return tryAll(settings.url, settings.key || undefined);
  const instance = new PrivateInstance();
  try {
    await instance.start();
    return await tryAll(instance.url, undefined);
  } finally {
    await instance.stop();
  }
}

const trials = await tryThere();
console.log(toTable(trials));
process.exitCode = trials.every(isGreen) ? 0 : 1;
