/**
 * Owns the proof that recipes are what they say: two small ones built and run in an instance of the test's own, by what make recipes does; and that a
 * recipe which is not as it says is told. Also that a program finds its source by another name, its neighbours and its arguments. All of them: test/deep.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EnvicutorClient } from '../../client/typescript/envicutor-client.ts';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { isGreen, toTable } from '../../ops/recipes/table.ts';
import { tryRecipe } from '../../ops/recipes/trial.ts';
import { ownRecipesFolder, readRecipe } from '../../shared/recipes/recipe-folder.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';

const instance = new PrivateInstance();
const folder = mkdtempSync(join(tmpdir(), 'envicutor-recipes-'));
let client: EnvicutorClient;

before(async () => {
  await instance.start();
  client = new EnvicutorClient({ url: instance.url });
});
after(async () => {
  await instance.stop();
  rmSync(folder, { recursive: true });
});

const own = (name: string) => readRecipe(join(ownRecipesFolder, name));

for (const name of ['bash', 'lua']) {
  test(`the recipe ${name} is built from nothing, and its three programs do what its folder says`, async () => {
    const trial = await tryRecipe(client, ownRecipesFolder, own(name));
    assert.ok(isGreen(trial), toTable([trial]));
    assert.deepEqual(
      trial.programs.map(({ program }) => program),
      ['hello', 'library', 'failing'],
    );
    assert.ok(trial.buildMs !== null && trial.bytes > 0);
  });
}

test('a source by another name, below a folder, with a neighbour and arguments, is run as well', async () => {
  const files = [
    { path: 'deep/start.lua', content: 'local other = require("deep.other")\nprint(other.say(...))\n' },
    { path: 'deep/other.lua', content: 'return { say = function(...) return table.concat({ ... }, "+") end }\n' },
  ];
  const request = toExecutionRequest(own('lua'), { files, main: 'deep/start.lua', arguments: ['a b', '$c'] });
  const { run } = await client.run(request);
  assert.equal(run?.stdout, 'a b+$c\n', run?.stderr);
});

test('what is not as the folder says is told by its field, and what is not built by the end of its log', async () => {
  cpSync(join(ownRecipesFolder, 'lua'), join(folder, 'lua'), { recursive: true });
  writeFileSync(join(folder, 'lua/hello/main.lua'), 'print("Hello, moon!")\n');
  const other = await tryRecipe(client, folder, readRecipe(join(folder, 'lua')));
  assert.equal(isGreen(other), false);
  assert.deepEqual(other.programs.find(({ program }) => program === 'hello')?.differences.slice(0, 1), [
    'stdout is "Hello, moon!\\n", not "Hello, world!\\n"',
  ]);
  writeFileSync(join(folder, 'lua/verify'), 'echo other >&2\nexit 3\n');
  const unverified = await tryRecipe(client, folder, readRecipe(join(folder, 'lua')));
  assert.equal(unverified.failure, 'its verify script ended with nonzero-exit:\nother');
  assert.match(toTable([unverified]), /^lua +WRONG/m);
});
