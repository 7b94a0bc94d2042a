/**
 * Owns the tests of the recipes' routes: the list, one by its name or another name, and what is said of one that is not there. A whole coordinator.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownRecipesFolder, readRecipes } from '../../shared/recipes/recipe-folder.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

const recipes = readRecipes(ownRecipesFolder);

test('the list holds every recipe by name, each with all that a request takes', async (t) => {
  const { ask } = await startCoordinator(t, {}, null, { recipes });
  const answer = await ask('GET', '/v1/recipes');
  assert.equal(answer.status, 200);
  const { items } = await answer.json();
  assert.deepEqual(items, recipes);
  assert.deepEqual(
    items.map(({ name }: { name: string }) => name),
    recipes.map(({ name }) => name).sort(),
  );
});

test('one recipe is found by its name and by each other name of it, in any case', async (t) => {
  const { ask } = await startCoordinator(t, {}, null, { recipes });
  for (const recipe of recipes) {
    for (const word of [recipe.name, ...recipe.aliases, recipe.name.toUpperCase()]) {
      const answer = await ask('GET', `/v1/recipes/${encodeURIComponent(word)}`);
      assert.equal(answer.status, 200, word);
      assert.deepEqual(await answer.json(), recipe, word);
    }
  }
});

test('a recipe that is not there is a 404 that names the nearest one, or where to look', async (t) => {
  const { ask } = await startCoordinator(t, {}, null, { recipes });
  const near = await ask('GET', '/v1/recipes/pyhton');
  assert.equal(near.status, 404);
  const { code, detail } = await near.json();
  assert.equal(code, 'recipe-not-found');
  assert.equal(detail, 'there is no recipe pyhton; did you mean python?');
  const far = await (await ask('GET', '/v1/recipes/zzzzzzzzzzzzzzzzzz')).json();
  assert.equal(far.detail, 'there is no recipe zzzzzzzzzzzzzzzzzz; GET /v1/recipes lists them');
});

test('what the list answers can be copied into a request: it is taken, and is the environment of that id', async (t) => {
  const { ask } = await startCoordinator(t, {}, null, { recipes });
  for (const { environment, environmentId, compile, run, example } of recipes) {
    const request = { environment, files: example.files, run, ...(compile === null ? {} : { compile }) };
    const answer = await ask('POST', '/v1/executions', request);
    assert.equal(answer.status, 202, await answer.text());
    const { id } = await (await ask('POST', '/v1/environments', environment)).json();
    assert.equal(id, environmentId);
  }
});

test('a coordinator without recipes answers an empty list', async (t) => {
  const { ask } = await startCoordinator(t);
  assert.deepEqual(await (await ask('GET', '/v1/recipes')).json(), { items: [] });
});
