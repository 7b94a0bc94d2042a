/**
 * Owns what a Piston client sees as runtimes: recipes under the names that it knows, and which of them a language and a range of versions mean.
 * Never reads a recipe's folder and never runs one.
 * Invariants: a language and a version stand for one recipe; every version can be compared (semver), whatever a recipe calls its own.
 */
import semver from 'semver';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { type PublicName, publicNames } from './public-names.ts';

/** A runtime as it is answered. */
export interface RuntimeAnswer {
  readonly language: string;
  readonly version: string;
  readonly aliases: readonly string[];
  /** Name of what it comes from, when that is not the language's. */
  readonly runtime?: string;
}

/** A runtime and what it runs by. */
export interface Runtime extends RuntimeAnswer {
  readonly recipe: Recipe;
}

/** A recipe's version as one that can be compared. */
export function toVersion({ version }: Pick<Recipe, 'version'>): string {
  return semver.valid(version) ?? semver.coerce(version)?.version ?? '0.0.0';
}

/** All of these versions that a range means, the highest first; none for what is no range. */
function matching<Versioned>(all: readonly Versioned[], range: string, versionOf: (one: Versioned) => string) {
  return all
    .filter((one) => semver.satisfies(versionOf(one), range))
    .sort((one, other) => semver.rcompare(versionOf(one), versionOf(other)));
}

/** See the head of this file. */
export class Runtimes {
  readonly all: readonly Runtime[];
  readonly #byName = new Map<string, Runtime[]>();
  readonly #recipes: readonly Recipe[];

  /** `isStrict`: without versions that clients of the public instance ask for and nobody has. */
  constructor(recipes: readonly Recipe[], isStrict: boolean) {
    this.#recipes = recipes;
    this.all = toRuntimes(recipes, isStrict);
    for (const runtime of this.all) {
      for (const name of [runtime.language, ...runtime.aliases]) {
        const named = this.#byName.get(name);
        if (named === undefined) this.#byName.set(name, [runtime]);
        else named.push(runtime);
      }
    }
  }

  /** The runtime of the highest version in this range; null: there is none. */
  find(language: string, range: string): Runtime | null {
    return matching(this.#byName.get(language) ?? [], range, ({ version }) => version)[0] ?? null;
  }

  /** The recipe that is meant as a package: by its own name and version, or as a runtime; null: there is none. */
  findPackage(name: string, range: string): Recipe | null {
    const named = this.#recipes.filter((recipe) => recipe.name === name);
    return matching(named, range, toVersion)[0] ?? this.find(name, range)?.recipe ?? null;
  }
}

function toRuntimes(recipes: readonly Recipe[], isStrict: boolean): Runtime[] {
  const names = nameAll(recipes);
  const aliases = aliasesOf(recipes, names);
  const known = new Set<string>();
  const runtimes: Runtime[] = [];
  const add = (recipe: Recipe, version: string) => {
    const name = names.get(recipe.name);
    const language = name?.language ?? recipe.name;
    if (known.has(`${language} ${version}`)) return;
    known.add(`${language} ${version}`);
    const runtime = name?.runtime ?? (recipe.name === language ? undefined : recipe.name);
    const from = runtime === undefined || runtime === language ? {} : { runtime };
    runtimes.push({ language, version, aliases: aliases.get(language) ?? [], ...from, recipe });
  };
  // What is there comes first: no name of the public instance takes a version's place.
  for (const recipe of recipes) add(recipe, toVersion(recipe));
  if (!isStrict) {
    for (const { recipe: name, versions } of publicNames) {
      const recipe = recipes.find((one) => one.name === name);
      if (recipe !== undefined) for (const version of versions) add(recipe, version);
    }
  }
  return runtimes.sort((one, other) => {
    const byLanguage = one.language < other.language ? -1 : Number(one.language > other.language);
    return byLanguage || semver.compare(one.version, other.version);
  });
}

/** Which language each recipe is: as the public instance calls it, or its own word unless another recipe has it. */
function nameAll(recipes: readonly Recipe[]): Map<string, Pick<PublicName, 'language' | 'aliases' | 'runtime'>> {
  const found = new Map<string, Pick<PublicName, 'language' | 'aliases' | 'runtime'>>();
  for (const name of publicNames) {
    if (recipes.some((recipe) => recipe.name === name.recipe)) found.set(name.recipe, name);
  }
  const taken = new Set([...found.values()].map(({ language }) => language));
  // The plainest name of a language is its usual recipe; what else there is of it goes by its own name.
  for (const recipe of [...recipes].sort((one, other) => one.name.length - other.name.length)) {
    if (found.has(recipe.name)) continue;
    const word = recipe.language.toLowerCase();
    const language = taken.has(word) || word === '' ? recipe.name : word;
    taken.add(language);
    found.set(recipe.name, { language, aliases: [] });
  }
  return found;
}

/** Other names of each language; what is a language's name, or came first for another, is none. */
function aliasesOf(recipes: readonly Recipe[], names: ReturnType<typeof nameAll>): Map<string, readonly string[]> {
  const languages = new Set([...names.values()].map(({ language }) => language));
  const owners = new Map<string, string>();
  const aliases = new Map<string, string[]>();
  for (const recipe of recipes) {
    const name = names.get(recipe.name);
    if (name === undefined) continue;
    const own = aliases.get(name.language) ?? [];
    aliases.set(name.language, own);
    for (const alias of [...name.aliases, ...recipe.aliases, recipe.name]) {
      if (languages.has(alias) || owners.has(alias)) continue;
      owners.set(alias, name.language);
      own.push(alias);
    }
  }
  return aliases;
}
