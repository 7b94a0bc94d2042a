/**
 * Owns the tests of recipes as folders: what is read from a good one, what is said of a bad one, and that those of this release keep the promises that
 * need no machine to be seen. Never builds one: test/integration/recipes.test.ts does.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SystemError } from '../../shared/errors.ts';
import { ownRecipesFolder, readRecipe, readRecipeProgram, readRecipes } from '../../shared/recipes/recipe-folder.ts';
import { recipeOfFile } from '../../shared/recipes/recipe-use.ts';

const own = readRecipes(ownRecipesFolder);
const head = { title: 'Words', language: 'words', version: '1.2', aliases: ['w'], extensions: ['.w'], main: 'main.w' };
const expected = '{ "verdict": "ok", "endedIn": "run", "stdout": "hi\\n" }';
const programs = (name: string) => ({ [`${name}/main.w`]: 'hi\n', [`${name}/expected.json`]: expected });
const good = {
  'recipe.json': JSON.stringify(head),
  run: 'cat "$MAIN"\n',
  ...programs('hello'),
  ...programs('library'),
  ...programs('failing'),
};

/** A folder with these recipes, each its files by path; null: the file is left out. */
function folderOf(t: TestContext, recipes: Readonly<Record<string, Readonly<Record<string, string | null>>>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-recipes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, files] of Object.entries(recipes)) {
    for (const [path, content] of Object.entries(files)) {
      if (content === null) continue;
      mkdirSync(dirname(join(folder, name, path)), { recursive: true });
      writeFileSync(join(folder, name, path), content);
    }
  }
  return folder;
}

/** What reading it says. */
function problemsOf(folder: string): string[] {
  try {
    readRecipes(folder);
  } catch (error) {
    assert.ok(error instanceof SystemError && error.code === 'configuration-invalid', String(error));
    return error.errors.map(({ detail }) => detail);
  }
  return [];
}

test('a folder with the least that is needed is a recipe: nothing is installed, nothing is compiled', (t) => {
  const [recipe, ...others] = readRecipes(folderOf(t, { words: good }));
  assert.deepEqual(others, []);
  assert.equal(recipe?.name, 'words');
  assert.deepEqual(recipe?.environment, {});
  assert.equal(recipe?.compile, null);
  assert.deepEqual(recipe?.run, { script: 'cat "$MAIN"\n', variables: { MAIN: 'main.w' } });
  assert.deepEqual(recipe?.example, { files: [{ path: 'main.w', content: 'hi\n' }], stdin: '', stdout: 'hi\n' });
});

test('scripts, files, base, variables and limits of a folder stand where a request has them', (t) => {
  const limits = { environment: { diskBytes: 3 }, compile: { processes: 4 }, run: { openFiles: 5 } };
  const full = {
    ...good,
    'recipe.json': JSON.stringify({ ...head, base: 'debian-12', variables: { A: 'b' }, limits }),
    setup: 'one\n',
    dependencies: 'two\n',
    verify: 'three\n',
    compile: 'four\n',
    'files/inner/list.txt': 'listed\n',
  };
  const [recipe] = readRecipes(folderOf(t, { words: full }));
  assert.deepEqual(recipe?.environment, {
    ...{ base: 'debian-12', setup: 'one\n', dependencies: 'two\n', verify: 'three\n' },
    files: [{ path: 'inner/list.txt', content: 'listed\n' }],
    variables: { A: 'b' },
    limits: { diskBytes: 3 },
  });
  const variables = { MAIN: 'main.w' };
  assert.deepEqual(recipe?.compile, { script: 'four\n', variables, limits: { processes: 4 } });
  assert.deepEqual(recipe?.run, { script: 'cat "$MAIN"\n', variables, limits: { openFiles: 5 } });
});

test('a program is its sources, what it reads and what is expected; bytes that are no text come as base64', (t) => {
  const folder = folderOf(t, { words: { ...good, 'hello/stdin': 'read\n' } });
  writeFileSync(join(folder, 'words/hello/more.bin'), Buffer.from([0xff, 0x00]));
  chmodSync(join(folder, 'words/hello/more.bin'), 0o755);
  const { files, stdin, expectation } = readRecipeProgram(join(folder, 'words'), 'hello');
  const binary = { path: 'more.bin', content: '/wA=', encoding: 'base64', executable: true };
  assert.deepEqual(files, [{ path: 'main.w', content: 'hi\n' }, binary]);
  assert.equal(stdin, 'read\n');
  assert.deepEqual(expectation, { verdict: 'ok', endedIn: 'run', stdout: 'hi\n' });
});

test('a folder without recipe.json, and a file, are nobody’s recipe', (t) => {
  const folder = folderOf(t, { words: good, notes: { 'readme.txt': 'x' } });
  writeFileSync(join(folder, 'list'), '');
  assert.deepEqual(
    readRecipes(folder).map(({ name }) => name),
    ['words'],
  );
});

test('every problem of every folder is told at once, each by its file', (t) => {
  const folder = folderOf(t, {
    'no-run': { ...good, run: null },
    'no-library': { ...good, 'library/main.w': null },
    'no-json': { ...good, 'recipe.json': '{' },
    'no-title': { ...good, 'recipe.json': JSON.stringify({ ...head, title: undefined }) },
    'odd-field': { ...good, 'recipe.json': JSON.stringify({ ...head, colour: 'red' }) },
    'odd-extension': { ...good, 'recipe.json': JSON.stringify({ ...head, extensions: ['w'] }) },
    'no-expectation': { ...good, 'hello/expected.json': null },
    'Odd Name': good,
  });
  const found = problemsOf(folder).filter((problem) => !problem.includes('both called'));
  const about = (part: string) => found.filter((problem) => problem.includes(part)).length;
  assert.equal(about('no-run/run is missing'), 1, found.join('\n'));
  assert.equal(about('no-json/recipe.json can'), 1, found.join('\n'));
  assert.equal(about('no-title/recipe.json: /title'), 1, found.join('\n'));
  assert.equal(about('odd-field/recipe.json: /colour'), 1, found.join('\n'));
  assert.equal(about('odd-extension/recipe.json: /extensions/0'), 1, found.join('\n'));
  assert.equal(about('no-expectation/hello/expected.json'), 1, found.join('\n'));
  assert.equal(about('Odd Name'), 1, found.join('\n'));
});

test('a program without a source is told when it is asked for', (t) => {
  const folder = folderOf(t, { words: { ...good, 'library/main.w': null } });
  assert.throws(() => readRecipeProgram(join(folder, 'words'), 'library'), /library holds no source/);
});

test('two recipes of one name, by name or alias, are refused', (t) => {
  const other = { ...good, 'recipe.json': JSON.stringify({ ...head, aliases: ['words'] }) };
  assert.deepEqual(problemsOf(folderOf(t, { words: good, zebra: other })), [
    'recipes words and zebra are both called words; rename one of them',
  ]);
});

test('a folder that is not there is told by its path', () => {
  assert.throws(
    () => readRecipes('/nowhere/recipes'),
    /the folder of recipes \/nowhere\/recipes can't be read \(ENOENT\)/,
  );
});

test('there are at least 32 recipes of this release, two versions of one language among them', () => {
  assert.ok(own.length >= 32, `${own.length}`);
  for (const pair of [
    ['python', 'python-3.11'],
    ['cpp', 'cpp-gcc-12'],
  ]) {
    const [one, two] = pair.map((name) => own.find((recipe) => recipe.name === name));
    assert.equal(one?.language, two?.language);
    assert.notEqual(one?.version, two?.version);
  }
});

for (const { name, version, environment, main, extensions } of own) {
  test(`the recipe ${name} holds its version, and has three programs that say what becomes of them`, () => {
    const folder = join(ownRecipesFolder, name);
    assert.ok(environment.verify !== undefined, 'it is verified');
    // In a pattern of grep the dots of a version are escaped.
    const said = environment.verify.replaceAll('\\.', '.');
    assert.ok(said.includes(version), `verify does not hold ${version}: ${environment.verify}`);
    const [hello, library, failing] = (['hello', 'library', 'failing'] as const).map((program) =>
      readRecipeProgram(folder, program),
    );
    const expectation = { verdict: 'ok', endedIn: 'run', exitCode: 0, stdout: 'Hello, world!\n' };
    assert.deepEqual(hello?.expectation, expectation);
    assert.equal(library?.expectation.verdict, 'ok');
    assert.notEqual(library?.stdin, '', 'the program with a library reads something');
    assert.notEqual(failing?.expectation.verdict, 'ok');
    for (const program of [hello, library, failing])
      assert.ok(
        program?.files.some(({ path }) => path === main),
        `no program of it has another main source than ${main}`,
      );
    if (extensions.length > 0) assert.ok(extensions.some((extension) => main.endsWith(extension)));
  });
}

test('no script of a recipe names a host or an address: clients know where their packages are', () => {
  for (const { name } of own) {
    for (const script of ['setup', 'dependencies', 'verify', 'compile', 'run']) {
      const path = join(ownRecipesFolder, name, script);
      // A name space of XML is no place.
      const text = (existsSync(path) ? readFileSync(path, 'utf8') : '').replaceAll(/ xmlns="[^"]*"/g, '');
      assert.doesNotMatch(text, /:\/\/|\b\d+\.\d+\.\d+\.\d+:\d|--index-url|--registry/, `${name}/${script}`);
    }
  }
});

test('the ending of a file leads to the usual recipe of its language', () => {
  const usual = {
    ...{ c: 'c', cpp: 'cpp', cc: 'cpp', java: 'java', kt: 'kotlin', scala: 'scala', py: 'python', pypy: 'pypy' },
    ...{ js: 'node', mjs: 'node', ts: 'typescript', go: 'go', rs: 'rust', cs: 'csharp', fs: 'fsharp', rb: 'ruby' },
    ...{
      php: 'php',
      pl: 'perl',
      prolog: 'prolog',
      lua: 'lua',
      hs: 'haskell',
      ml: 'ocaml',
      erl: 'erlang',
      exs: 'elixir',
    },
    ...{ lisp: 'lisp', scm: 'scheme', pas: 'pascal', f90: 'fortran', adb: 'ada', d: 'd', r: 'r', R: 'r', m: 'octave' },
    ...{
      mm: 'objective-c',
      sql: 'sqlite',
      sh: 'bash',
      asm: 'assembly',
      cob: 'cobol',
      tcl: 'tcl',
      zig: 'zig',
      nim: 'nim',
    },
    ...{ groovy: 'groovy', clj: 'clojure' },
  };
  const names = new Set(own.map(({ name }) => name));
  for (const [ending, name] of Object.entries(usual))
    if (names.has(name)) assert.equal(recipeOfFile(own, `program.${ending}`)?.name, name, ending);
  assert.equal(recipeOfFile(own, 'Makefile'), undefined);
  assert.equal(recipeOfFile(own, 'a.unheard'), undefined);
});

test('a recipe has the same id of its environment wherever it is read', () => {
  for (const { name, environmentId } of own.slice(0, 3))
    assert.equal(readRecipe(join(ownRecipesFolder, name)).environmentId, environmentId);
});
