/**
 * Owns what the playground makes of recipes, words and links: requests that are a recipe's own, arguments, limits, links that are read as they were written.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { toLine, toWords } from '../../coordinator/pages/playground/argument-words.ts';
import {
  fromFieldText,
  limitFields,
  toFieldDetail,
  toFieldText,
  withLimit,
} from '../../coordinator/pages/playground/limit-fields.ts';
import { searchRecipes } from '../../coordinator/pages/playground/recipe-search.ts';
import { type Draft, recipeOf, toDraft, toExample } from '../../coordinator/pages/playground/request-parts.ts';
import {
  fromFragment,
  SHARE_CHARACTERS_MAX,
  SHARED_BYTES_MAX,
  toFragment,
} from '../../coordinator/pages/playground/share-link.ts';
import { readDraft } from '../../coordinator/pages/playground/shared-draft.ts';
import { findPlaces } from '../../shared/http/validation.ts';
import { ExecutionRequest } from '../../shared/model/execution.ts';
import { limitNames } from '../../shared/model/limits.ts';
import { ownRecipesFolder, readRecipe } from '../../shared/recipes/recipe-folder.ts';
import { toExecutionRequest } from '../../shared/recipes/recipe-use.ts';

const recipes = ['bash', 'cpp', 'python'].map((name) => readRecipe(join(ownRecipesFolder, name)));
const [bash, cpp, python] = recipes as [(typeof recipes)[0], (typeof recipes)[0], (typeof recipes)[0]];
const plain: Draft = { environment: {}, files: [], run: { script: 'true' } };

/** The fragment of anything at all, as a stranger may make it. */
const toAnyFragment = (value: string | Buffer) => `#share=1.${deflateRawSync(value).toString('base64url')}`;

test('a request that a recipe makes is one that the API takes, the same that others make of it, and known again', () => {
  for (const recipe of recipes) {
    const example = toExample(recipe);
    assert.deepEqual(findPlaces(ExecutionRequest, example), [], recipe.name);
    const { files, stdin } = recipe.example;
    assert.deepEqual(
      { ...example, run: { stdin: '', ...example.run } },
      {
        ...toExecutionRequest(recipe, { files, stdin }),
      },
    );
    assert.equal(recipeOf(example, recipes), recipe);
  }
  const input = { stdin: 'a', arguments: ['b'], compileLimits: { processes: 2 }, runLimits: { cpuTimeMs: 1 } };
  const draft = toDraft(cpp, { ...input, files: [{ path: 'other.cpp', content: '' }] });
  assert.equal(draft.run.variables?.['MAIN'], 'other.cpp');
  assert.equal(recipeOf(draft, recipes), cpp, 'its files and limits are not what makes it a recipe');
  assert.equal(recipeOf({ ...draft, run: { ...draft.run, script: 'own' } }, recipes), undefined);
});

test('a recipe is found by any of its names, by the beginning of one first', () => {
  const names = (typed: string) => searchRecipes(recipes, typed).map(({ name }) => name);
  assert.deepEqual(names(''), ['bash', 'cpp', 'python']);
  assert.deepEqual(names('py3'), ['python']);
  assert.deepEqual(names('GCC c++'), ['cpp']);
  assert.deepEqual(names('.sh'), ['bash']);
  assert.deepEqual(names('cobol'), []);
  assert.deepEqual(
    searchRecipes([{ ...bash, title: 'Jupyter' }, python], 'py').map(({ name }) => name),
    ['python', 'bash'],
  );
});

test('arguments are words between spaces, quoted as in shells, and any words can be written', () => {
  assert.deepEqual(toWords(`  one 'two words' "three \\" quotes" fo"u"r \\  ''  `), [
    ...['one', 'two words', 'three " quotes', 'four', ' ', ''],
  ]);
  assert.deepEqual(toWords(`it's`), [`it's`]);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => assert.deepEqual(toWords(toLine(words)), words)),
  );
});

test('limits are written in the unit of their field, all of them, and refusals are told in it', () => {
  assert.deepEqual(limitFields.map(({ name }) => name).sort(), [...limitNames].sort());
  const [cpu] = limitFields;
  assert.ok(cpu?.name === 'cpuTimeMs');
  assert.deepEqual(
    ['1.5', ' 2 ', '0,25', '', '0', 'x', '-1', '1e3'].map((text) => fromFieldText(cpu, text)),
    [...[1500, 2000, 250, undefined, null, null, null, null]],
  );
  assert.equal(toFieldText(cpu, 1500), '1.5');
  assert.equal(toFieldText(cpu, undefined), '');
  assert.deepEqual(withLimit({ cpuTimeMs: 1, processes: 2 }, 'cpuTimeMs', undefined), { processes: 2 });
  const detail = 'is 400000; the operator allows at most 300000';
  assert.equal(toFieldDetail('/run/limits/cpuTimeMs', detail), 'is 400 s; the operator allows at most 300 s');
  assert.equal(toFieldDetail('/run/limits/processes', detail), detail);
  assert.equal(toFieldDetail('/files/12/path', 'is 400000'), 'is 400000');
});

const text = fc.string({ unit: 'binary' });
const limits = fc.record(
  { cpuTimeMs: fc.integer({ min: 1 }), memoryBytes: fc.integer({ min: 1 }) },
  { requiredKeys: [] },
);
const variables = fc.dictionary(
  text.filter((name) => name !== '__proto__'),
  text,
  { noNullPrototype: true },
);
const file = fc.record({ path: text, content: text, executable: fc.boolean() }, { requiredKeys: ['path', 'content'] });
const draft: fc.Arbitrary<Draft> = fc.record(
  {
    environment: fc.record(
      { base: fc.constant('debian-12' as const), setup: text, files: fc.array(file) },
      { requiredKeys: [] },
    ),
    files: fc.array(file, { maxLength: 4 }),
    compile: fc.record({ script: text, variables, limits }, { requiredKeys: ['script'] }),
    run: fc.record({ script: text, arguments: fc.array(text), stdin: text, limits }, { requiredKeys: ['script'] }),
  },
  { requiredKeys: ['environment', 'files', 'run'], noNullPrototype: true },
);

test('a link is read as the request that it was made of', async () => {
  await fc.assert(
    fc.asyncProperty(draft, async (request) => {
      const fragment = await toFragment(request);
      assert.match(fragment, /^#share=1\.[A-Za-z0-9_-]+$/);
      assert.deepEqual(JSON.stringify(await fromFragment(fragment)), JSON.stringify(request));
    }),
    { numRuns: 60 },
  );
  assert.equal(await fromFragment('#/other'), null);
  assert.equal(await fromFragment(''), null);
});

test('a request that makes too long a link is told how long it is', async () => {
  const noise = Array.from({ length: 1000 }, (_, at) => createHash('sha256').update(String(at)).digest('hex')).join('');
  const large = { ...plain, files: [{ path: 'noise', content: noise }] };
  await assert.rejects(toFragment(large), new RegExp(`link of \\d{5} characters, and at most ${SHARE_CHARACTERS_MAX}`));
});

test('a link that is cut, that holds too much or anything strange is refused in a sentence', async () => {
  const whole = await toFragment(toExample(python));
  await assert.rejects(fromFragment(whole.slice(0, -40)), /damaged/);
  await assert.rejects(fromFragment('#share=1.%%%'), /damaged/);
  await assert.rejects(fromFragment(toAnyFragment('{')), /damaged/);
  await assert.rejects(fromFragment(toAnyFragment(Buffer.from([0xff, 0xfe]))), /damaged/);
  const bomb = toAnyFragment(Buffer.alloc(SHARED_BYTES_MAX + 1, 0x20));
  assert.ok(bomb.length < SHARE_CHARACTERS_MAX);
  await assert.rejects(fromFragment(bomb), /holds more than/);
  const strange: readonly (readonly [unknown, RegExp])[] = [
    [[], /it holds no members/],
    [{ ...plain, run: undefined }, /\/run is missing/],
    [{ ...plain, webhook: { url: 'http://there' } }, /no place for \/webhook/],
    [{ ...plain, environment: { secrets: { TOKEN: 'a' } } }, /no place for \/environment\/secrets/],
    [{ ...plain, environment: 'env_1' }, /\/environment holds no members/],
    [{ ...plain, files: [{ path: 'a', file: 'file_1' }] }, /\/files\/0\/content is missing/],
    [{ ...plain, run: { script: 1 } }, /\/run\/script is no text/],
    [{ ...plain, run: { script: '', limits: { cpuTimeMs: '1' } } }, /cpuTimeMs is no amount/],
  ];
  for (const [value, sentence] of strange)
    await assert.rejects(fromFragment(toAnyFragment(JSON.stringify(value))), sentence);
  await assert.rejects(
    fromFragment(toAnyFragment('{"environment":{},"files":[],"run":{"script":""},"__proto__":{}}')),
    /no place for \/__proto__/,
  );
  assert.deepEqual(readDraft(plain), plain);
});
