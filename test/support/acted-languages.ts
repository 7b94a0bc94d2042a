/**
 * Owns recipes for tests of rooms that speak other systems' protocols: shell scripts that play a language, so that they run on any base, and nothing is
 * to be built. Never one of those that come with a release.
 */
import type { EnvironmentRequest } from '../../shared/model/environment.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';

const environment: EnvironmentRequest = { base: 'debian-13' };

/** A recipe of this name whose programs are shell scripts; `compile`: script 3. */
export function shellRecipe(name: string, changes: Partial<Recipe> = {}): Recipe {
  const main = changes.main ?? 'main.sh';
  const variables = { MAIN: main };
  return {
    ...{ name, title: `${name} for tests`, language: name, version: '1.2.3', aliases: [], extensions: ['.sh'], main },
    ...{ environment, environmentId: 'env_none', compile: null },
    run: { script: 'exec sh "$MAIN" "$@"', variables },
    example: { files: [{ path: main, content: 'echo hello' }], stdin: '', stdout: 'hello\n' },
    ...changes,
  };
}

/** One language that is compiled: what is compiled must not say `mistake`. */
export const compiledRecipe = shellRecipe('cpp', {
  ...{ main: 'main.cpp', extensions: ['.cpp'] },
  compile: {
    script:
      'case "$(cat "$MAIN")" in *mistake*) echo "$MAIN: a mistake" >&2; exit 1;; esac; cp "$MAIN" program; echo "options $COMPILER_OPTIONS"',
    variables: { MAIN: 'main.cpp' },
  },
  run: { script: 'exec sh ./program "$@"', variables: { MAIN: 'main.cpp' } },
});

/** One of each kind. */
export const shellRecipes: readonly Recipe[] = [
  compiledRecipe,
  shellRecipe('python', { main: 'main.py', extensions: ['.py'] }),
  shellRecipe('bash'),
];
