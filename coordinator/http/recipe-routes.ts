/**
 * Owns the routes of recipes: all of them, one by name. Never reads a folder: they are given when the server is made.
 */
import { Type } from '@sinclair/typebox';
import { SystemError } from '../../shared/errors.ts';
import { problems } from '../../shared/http/answers.ts';
import { nearestName } from '../../shared/http/nearest-name.ts';
import { Closed } from '../../shared/model/closed.ts';
import { Recipe, RecipeList } from '../../shared/recipes/recipe.ts';
import { findRecipe } from '../../shared/recipes/recipe-use.ts';
import type { HttpServer } from './server.ts';

/** Adds the routes. */
export function addRecipeRoutes(server: HttpServer, recipes: readonly Recipe[]): void {
  server.get(
    '/v1/recipes',
    {
      config: { scope: 'any' },
      schema: {
        operationId: 'listRecipes',
        summary: 'Environments that are kept ready, with the scripts that compile and run a source in them',
        errors: [],
        response: { 200: RecipeList, ...problems },
      },
    },
    () => ({ items: [...recipes] }),
  );

  server.get(
    '/v1/recipes/:name',
    {
      config: { scope: 'any' },
      schema: {
        operationId: 'getRecipe',
        summary: 'One recipe, by its name or another name of it',
        params: Closed({ name: Type.String({ maxLength: 64, description: 'Its name, or one of its aliases.' }) }),
        errors: ['recipe-not-found'],
        response: { 200: Recipe, ...problems },
      },
    },
    (request) => {
      const { name } = request.params;
      const found = findRecipe(recipes, name);
      if (found !== undefined) return found;
      const near = nearestName(
        name,
        recipes.flatMap((recipe) => [recipe.name, ...recipe.aliases]),
      );
      const remedy = near === null ? 'GET /v1/recipes lists them' : `did you mean ${near}?`;
      throw new SystemError('recipe-not-found', `there is no recipe ${name}; ${remedy}`);
    },
  );
}
