/**
 * Owns the recipe: an environment that is kept ready with the two scripts that turn a source into a program and run it, as the API answers it and
 * as recipe.json in its folder begins it. Never reads a folder (recipe-folder) and never makes a request (recipe-use).
 * Invariant: scripts of a recipe learn what they work on from variables and arguments alone: MAIN, COMPILER_OPTIONS, `"$@"`.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Variables } from '../model/closed.ts';
import { baseNames, EnvironmentRequest, File, Script } from '../model/environment.ts';
import { Limits } from '../model/limits.ts';

const RecipeName = Type.String({
  pattern: '^[a-z0-9]+([.+-][a-z0-9]+)*$',
  maxLength: 64,
  description: 'What it is asked for by, such as `python` or `python-3.11`: the name of its folder.',
});

const facts = {
  title: Type.String({ minLength: 1, maxLength: 100, description: 'For people: language, and what makes it run.' }),
  language: Type.String({
    minLength: 1,
    maxLength: 64,
    description: 'In small letters; several recipes may share it.',
  }),
  version: Type.String({ minLength: 1, maxLength: 64, description: 'Of the compiler or interpreter.' }),
  aliases: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    maxItems: 32,
    description: 'Other names that people use for it.',
  }),
  extensions: Type.Array(Type.String({ pattern: '^\\.[A-Za-z0-9_+]{1,16}$' }), {
    maxItems: 32,
    description: 'Endings of files that it is meant for, with their dot; the first is the usual one.',
  }),
  main: Type.String({
    minLength: 1,
    maxLength: 255,
    description: 'What the main source is called unless told otherwise.',
  }),
};

/** What recipe.json in a recipe's folder holds; the scripts are files beside it. */
export const RecipeHead = Closed(
  {
    ...facts,
    base: Type.Optional(OneOf(baseNames, { description: 'What the environment is built on; default: the first.' })),
    variables: Type.Optional(Variables),
    limits: Type.Optional(
      Closed(
        { environment: Type.Optional(Limits), compile: Type.Optional(Limits), run: Type.Optional(Limits) },
        { description: 'Where the defaults are not what it needs.' },
      ),
    ),
  },
  { title: 'RecipeHead', description: 'What recipe.json holds.' },
);
export type RecipeHead = Static<typeof RecipeHead>;

const RecipeScript = Closed(
  { script: Script, variables: Variables, limits: Type.Optional(Limits) },
  {
    title: 'RecipeScript',
    description: 'As an execution takes it. `MAIN` among the variables is the path of the main source.',
  },
);

/** A recipe as the API answers it: ready to be copied into a request. */
export const Recipe = Closed(
  {
    name: RecipeName,
    ...facts,
    environment: EnvironmentRequest,
    environmentId: Type.String({ description: 'The id of that environment, whether it was built or not.' }),
    compile: Nullable(RecipeScript, { description: 'Script 3; null: nothing is compiled.' }),
    run: RecipeScript,
    example: Closed(
      {
        files: Type.Array(File, { description: 'The sources of a first program.' }),
        stdin: Type.String({ description: 'What it reads.' }),
        stdout: Type.String({ description: 'What it writes.' }),
      },
      { title: 'RecipeExample', description: 'A first program.' },
    ),
  },
  {
    title: 'Recipe',
    description: 'An environment that is kept ready, with the scripts that compile and run a source in it.',
  },
);
export type Recipe = Static<typeof Recipe>;

/** All of them. */
export const RecipeList = Closed(
  { items: Type.Array(Recipe, { description: 'By name.' }) },
  { title: 'RecipeList', description: 'Recipes.' },
);

/** What becomes of one of a recipe's own programs (hello, library, failing): parts of an execution's answer. */
export const RecipeExpectation = Closed(
  {
    verdict: Type.String({ description: 'As the execution tells it.' }),
    endedIn: OneOf(['compile', 'run']),
    exitCode: Type.Optional(Type.Integer()),
    stdout: Type.Optional(Type.String({ description: 'All that it writes.' })),
    stderrIncludes: Type.Optional(Type.String({ description: 'Part of what it, or its compiler, says.' })),
  },
  { title: 'RecipeExpectation', description: 'What becomes of a program of a recipe.' },
);
export type RecipeExpectation = Static<typeof RecipeExpectation>;
