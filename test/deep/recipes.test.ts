/**
 * Owns the proof that every recipe of this release is what its folder says: built from nothing and run, one after the other, in an instance of its own.
 * Runs in make test-deep only; takes the better part of an hour on two cores, most of it packages on their way. The table goes to the ledger.
 */
import assert from 'node:assert/strict';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { EnvicutorClient } from '../../client/typescript/envicutor-client.ts';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { isGreen, toTable } from '../../ops/recipes/table.ts';
import { tryRecipe } from '../../ops/recipes/trial.ts';
import { ownRecipesFolder, readRecipes } from '../../shared/recipes/recipe-folder.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';
import { noteInLedger } from '../support/ledger.ts';
import { neighbourPrograms } from '../support/recipe-neighbours.ts';

const instance = new PrivateInstance();
before(() => instance.start());
after(() => instance.stop());

for (const recipe of readRecipes(ownRecipesFolder)) {
  test(`the recipe ${recipe.name} is built from nothing, and its three programs do what its folder says`, {
    timeout: 1_500_000,
  }, async () => {
    const trial = await tryRecipe(new EnvicutorClient({ url: instance.url }), ownRecipesFolder, recipe);
    const hello = trial.programs.find(({ program }) => program === 'hello');
    const seconds = ((trial.buildMs ?? 0) / 1000).toFixed(1);
    noteInLedger(`recipe ${recipe.name}`, { seconds, warmMs: hello?.warmMs.toFixed(0) ?? '-' });
    assert.ok(isGreen(trial), `${join(ownRecipesFolder, recipe.name)}\n${toTable([trial])}`);
  });

  // A module of Erlang is called as its file: the one of the hello program can't have another name.
  const isNamed = recipe.name === 'erlang';
  if (!isNamed)
    test(`the recipe ${recipe.name} finds its main source by another name, and takes arguments`, async () => {
      const ending = extname(recipe.main);
      const files = recipe.example.files.map((file) =>
        file.path === recipe.main ? { ...file, path: `a/start${ending}` } : file,
      );
      const use = { files, main: `a/start${ending}`, arguments: ['two words', '$HOME'], compilerOptions: '' };
      const { run, compile } = await new EnvicutorClient({ url: instance.url }).run(toExecutionRequest(recipe, use));
      assert.equal(run?.stdout, recipe.example.stdout, compile?.stderr ?? run?.stderr);
    });

  const program = neighbourPrograms[recipe.name];
  if (program === undefined) continue;
  test(`the recipe ${recipe.name} makes one program of several sources, with words for the compiler`, async () => {
    const files = Object.entries(program.files).map(([path, content]) => ({ path, content }));
    const use = { files, main: program.main, arguments: ['word'], compilerOptions: program.compilerOptions };
    const { run, compile } = await new EnvicutorClient({ url: instance.url }).run(toExecutionRequest(recipe, use));
    assert.equal(run?.stdout, '42 word\n', compile?.stderr ?? run?.stderr);
  });
}
