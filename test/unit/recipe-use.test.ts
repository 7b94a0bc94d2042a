/**
 * Owns the tests of using a recipe: which source is the main one, what the request holds, which recipe a word means. Never reads a folder.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { findRecipe, mainOf, recipeOfFile, toExecutionRequest } from '../../shared/recipes/recipe-use.ts';

const environment = { setup: 'apt-get update\n' };
function makeRecipe(facts: Partial<Recipe> = {}): Recipe {
  return {
    ...{ name: 'words', title: 'Words', language: 'words', version: '1', aliases: ['w'], extensions: ['.w', '.ww'] },
    ...{ main: 'main.w', environment, environmentId: describeEnvironment(environment, null).id },
    compile: { script: 'build\n', variables: { MAIN: 'main.w' } },
    run: { script: 'go\n', variables: { MAIN: 'main.w' } },
    example: { files: [], stdin: '', stdout: '' },
    ...facts,
  };
}

test('the main source is the one of the usual name, else the first that ends as sources do, else the only file', () => {
  const recipe = makeRecipe();
  const of = (...paths: string[]) =>
    mainOf(
      recipe,
      paths.map((path) => ({ path })),
    );
  assert.equal(of('a.w', 'main.w'), 'main.w');
  assert.equal(of('notes.txt', 'b.ww', 'a.w'), 'b.ww');
  assert.equal(of('program'), 'program');
  assert.equal(of('one.txt', 'two.txt'), null);
  assert.equal(of(), null);
});

test('a request has the recipe’s scripts as they are, and the main source, options and arguments as variables and words', () => {
  const request = toExecutionRequest(makeRecipe(), {
    files: [{ path: 'deep/start.w', content: 'x' }],
    ...{ compilerOptions: '-O3 -g', arguments: ['a b'], stdin: 'aGk=', stdinEncoding: 'base64' as const },
  });
  assert.deepEqual(request, {
    environment,
    files: [{ path: 'deep/start.w', content: 'x' }],
    compile: { script: 'build\n', variables: { MAIN: 'deep/start.w', COMPILER_OPTIONS: '-O3 -g' } },
    run: {
      script: 'go\n',
      variables: { MAIN: 'deep/start.w' },
      ...{ arguments: ['a b'], stdin: 'aGk=', stdinEncoding: 'base64' },
    },
  });
});

test('whoever says which source is the main one is believed, and nothing is compiled where the recipe compiles nothing', () => {
  const files = [
    { path: 'main.w', content: 'x' },
    { path: 'other.w', content: 'y' },
  ];
  const request = toExecutionRequest(makeRecipe({ compile: null }), { files, main: 'other.w', compilerOptions: '-x' });
  assert.equal('compile' in request, false);
  assert.deepEqual(request.run.variables, { MAIN: 'other.w' });
});

test('limits that are given lie over those of the recipe, field by field', () => {
  const run = { script: 'go\n', variables: {}, limits: { processes: 9, openFiles: 8 } };
  const use = { files: [], runLimits: { processes: 1 }, compileLimits: { openFiles: 2 } };
  const request = toExecutionRequest(makeRecipe({ run }), use);
  assert.deepEqual(request.run.limits, { processes: 1, openFiles: 8 });
  assert.deepEqual(request.compile?.limits, { openFiles: 2 });
});

test('a recipe is found by its name before anybody’s alias, and large letters don’t matter', () => {
  const words = makeRecipe();
  const other = makeRecipe({ name: 'other', aliases: ['words2'] });
  assert.equal(findRecipe([other, words], 'WORDS'), words);
  assert.equal(findRecipe([other, words], 'Words2'), other);
  assert.equal(findRecipe([other, words], 'neither'), undefined);
});

test('a file leads to who has its ending first, then to who is called as the language, then to the plainest name', () => {
  const first = makeRecipe({ name: 'a-long-name' });
  const second = makeRecipe({ name: 'b', extensions: ['.x', '.w'] });
  const usual = makeRecipe({ name: 'words' });
  const shorter = makeRecipe({ name: 'w9' });
  assert.equal(recipeOfFile([second, first], 'p.w'), first);
  assert.equal(recipeOfFile([first, shorter, usual], 'p.w'), usual);
  assert.equal(recipeOfFile([first, shorter], 'p.w'), shorter);
  assert.equal(recipeOfFile([first], 'P.W'), first);
  assert.equal(recipeOfFile([first], 'w'), undefined);
});
