/**
 * Owns `envicutor recipe …`: the coordinator's recipes as a table, and one of them as a folder to be changed. Never writes over a folder that holds anything.
 * Invariant: what is written can be read again by shared/recipes/recipe-folder.ts, with the same scripts.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { File } from '../../shared/model/environment.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { MAIN_VARIABLE } from '../../shared/recipes/script-variables.ts';
import { toPlainText } from './build-board.ts';
import { toColumns } from './columns.ts';
import { exitCodes } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { withSession } from './session.ts';
import { CommandError, paintFor, type Surroundings, say, writeAll } from './surroundings.ts';

/** `recipe list`. */
export function listRecipes({ flags }: Invocation, surroundings: Surroundings): Promise<number> {
  return withSession(surroundings, flags, async ({ quick }) => {
    const { signal, stdout, variables } = surroundings;
    const recipes = await quick.recipes.list({ signal });
    const rows = recipes.map(({ name, title, version, aliases, extensions }) =>
      [name, title, version, extensions.join(' '), aliases.join(' ')].map(toPlainText),
    );
    if (recipes.length === 0)
      say(surroundings, 'the coordinator has no recipes; --env ./FOLDER brings your own (docs/recipes.md)');
    const table = toColumns(['NAME', 'TITLE', 'VERSION', 'FILES', 'ALSO'], rows, paintFor(stdout, variables));
    await writeAll(stdout, flags.has('json') ? `${JSON.stringify(recipes, null, 2)}\n` : table);
    return exitCodes.ok;
  });
}

/** `recipe init`. */
export function initRecipe({ operands, flags }: Invocation, surroundings: Surroundings): Promise<number> {
  const [word = ''] = operands;
  const folder = resolve(surroundings.folder, word);
  const name = basename(folder);
  if (!/^[a-z0-9]+([.+-][a-z0-9]+)*$/.test(name))
    throw new CommandError(
      exitCodes.usage,
      `'${name}' can't be a recipe's name: small letters and digits, with . + - between them`,
    );
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandError(exitCodes.usage, `${word} is there already and holds something: name another folder`);
  return withSession(surroundings, flags, async ({ quick }) => {
    const recipe = await quick.recipes.get(flags.text('from') ?? name, { signal: surroundings.signal });
    writeRecipe(folder, recipe);
    const shown = relative(surroundings.folder, folder);
    say(
      surroundings,
      `${shown} is a copy of ${recipe.name}: change its scripts, then envicutor run --env ./${shown} ${shown}/hello/${recipe.main}`,
    );
    return exitCodes.ok;
  });
}

/** Writes a recipe as a folder. */
export function writeRecipe(folder: string, recipe: Recipe): void {
  const { environment, compile, run, example } = recipe;
  const { title, language, version, extensions, main } = recipe;
  const limits = {
    ...(environment.limits === undefined ? {} : { environment: environment.limits }),
    ...(compile?.limits === undefined ? {} : { compile: compile.limits }),
    ...(run.limits === undefined ? {} : { run: run.limits }),
  };
  const head = {
    // Other names stay those of the one that was copied.
    ...{ title, language, version, aliases: [], extensions, main: run.variables[MAIN_VARIABLE] ?? main },
    ...(environment.base === undefined ? {} : { base: environment.base }),
    ...(environment.variables === undefined ? {} : { variables: environment.variables }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  write(folder, { path: 'recipe.json', content: json(head) });
  const scripts = { setup: environment.setup, dependencies: environment.dependencies, verify: environment.verify };
  for (const [path, content] of Object.entries({ ...scripts, compile: compile?.script, run: run.script })) {
    if (content !== undefined) write(folder, { path, content });
  }
  for (const file of environment.files ?? []) write(join(folder, 'files'), file);
  for (const file of example.files) write(join(folder, 'hello'), file);
  if (example.stdin !== '') write(folder, { path: 'hello/stdin', content: example.stdin });
  const expected = { verdict: 'ok', endedIn: 'run', exitCode: 0, stdout: example.stdout };
  write(folder, { path: 'hello/expected.json', content: json(expected) });
}

function write(folder: string, { path, content, encoding, executable }: File): void {
  const place = resolve(folder, path);
  if (relative(folder, place).startsWith('..'))
    throw new CommandError(exitCodes.ours, `the recipe names a file outside of its folder: '${path}'`);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, Buffer.from(content, encoding ?? 'utf8'), {
    flag: 'wx',
    mode: executable === true ? 0o755 : 0o644,
  });
}
