/**
 * Recipes of this machine's own shell, for tests of whatever runs by recipes: one whose sources are run as they are, and one that is compiled by being
 * checked and copied. Never needs a registry: their environments are what the fake builder hands out.
 */
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';

function toRecipe(
  facts: Pick<Recipe, 'name' | 'language' | 'version' | 'aliases' | 'extensions' | 'main'>,
  scripts: { readonly compile?: string; readonly run: string },
): Recipe {
  const environment = { base: 'debian-13' as const, variables: { RECIPE: facts.name } };
  const toScript = (script: string) => ({ script, variables: { MAIN: facts.main } });
  return {
    ...facts,
    title: `Shell as ${facts.name}`,
    environment,
    environmentId: describeEnvironment(environment, null).id,
    compile: scripts.compile === undefined ? null : toScript(scripts.compile),
    run: toScript(scripts.run),
    example: { files: [{ path: facts.main, content: 'echo hello' }], stdin: '', stdout: 'hello\n' },
  };
}

/** Run as it is; called as one that everybody knows. */
export const shellRecipe = toRecipe(
  { name: 'bash', language: 'bash', version: '5.2.37', aliases: ['shell'], extensions: ['.sh'], main: 'main.sh' },
  { run: 'exec sh "$MAIN" "$@"' },
);

/** Checked and copied first. */
export const compiledRecipe = toRecipe(
  { name: 'cpp', language: 'c++', version: '14.2', aliases: ['g++'], extensions: ['.cpp'], main: 'main.cpp' },
  { compile: 'echo checking; sh -n "$MAIN"; cp "$MAIN" program', run: 'exec sh ./program "$@"' },
);

/** Of another version, and another of the same language. */
export const olderRecipe = toRecipe(
  { name: 'cpp-gcc-12', language: 'c++', version: '12.2.0', aliases: [], extensions: ['.cpp'], main: 'main.cpp' },
  { compile: 'cp "$MAIN" program', run: 'exec sh ./program "$@"' },
);

/** All of them. */
export const shellRecipes: readonly Recipe[] = [shellRecipe, compiledRecipe, olderRecipe];
