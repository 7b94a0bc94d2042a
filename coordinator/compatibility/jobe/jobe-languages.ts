/**
 * Owns the languages of Jobe's protocol: which recipe each is, and how the protocol treats it: what is looked at before it runs, its limits where nothing
 * is said. Never runs one. Invariant: a language without its recipe is one that is not known.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { findRecipe } from '../../../shared/recipes/recipe-use.ts';

/** Limits of the protocol where a request says nothing: MB, seconds, counts. */
export interface JobeLimits {
  readonly disklimit: number;
  readonly streamsize: number;
  readonly cputime: number;
  readonly memorylimit: number;
  readonly numprocs: number;
}

/** A language that can run. */
export interface JobeLanguage {
  readonly id: string;
  readonly recipe: Recipe;
  /** Finds errors before anything runs, where the recipe compiles nothing; null: that shows when it runs. */
  readonly lint: string | null;
  readonly limits: JobeLimits;
  /** What the compiler is told before anything that the client says: the protocol compiles without optimising. */
  readonly compilerOptions: readonly string[];
  /** What it is told where the client says nothing. */
  readonly compileargs: readonly string[];
  /** Is memory also bounded by addresses, as the protocol does, so that a program's allocation fails? Virtual machines map more than they use. */
  readonly boundsAddresses: boolean;
}

const limits: JobeLimits = { disklimit: 20, streamsize: 2, cputime: 5, memorylimit: 400, numprocs: 30 };

interface Row {
  readonly id: string;
  readonly recipe: string;
  readonly lint?: string;
  readonly limits?: Partial<JobeLimits>;
  readonly compilerOptions?: readonly string[];
  readonly compileargs?: readonly string[];
  readonly boundsAddresses?: boolean;
}

const rows: readonly Row[] = [
  { id: 'c', recipe: 'c', compilerOptions: ['-O0'], compileargs: ['-Wall', '-Werror', '-std=c99'] },
  { id: 'cpp', recipe: 'cpp', compilerOptions: ['-O0'], compileargs: ['-Wall', '-Werror'] },
  { id: 'java', recipe: 'java', limits: { memorylimit: 0, numprocs: 256 }, boundsAddresses: false },
  { id: 'nodejs', recipe: 'node', limits: { memorylimit: 0 }, boundsAddresses: false },
  { id: 'octave', recipe: 'octave', limits: { memorylimit: 500 }, boundsAddresses: false },
  { id: 'pascal', recipe: 'pascal' },
  { id: 'php', recipe: 'php', lint: 'php -l "$MAIN" >&2', boundsAddresses: false },
  { id: 'python3', recipe: 'python', lint: 'python3 -m py_compile "$MAIN"', limits: { memorylimit: 1000 } },
];

/** Those that can run with these recipes, by id. */
export function toJobeLanguages(recipes: readonly Recipe[]): ReadonlyMap<string, JobeLanguage> {
  const found = rows.flatMap(({ id, recipe: name, lint = null, limits: own, boundsAddresses = true, ...row }) => {
    const recipe = findRecipe(recipes, name);
    const { compilerOptions = [], compileargs = [] } = row;
    const facts = { id, lint, limits: { ...limits, ...own }, compilerOptions, compileargs, boundsAddresses };
    return recipe === undefined ? [] : [{ ...facts, recipe }];
  });
  return new Map(found.map((language) => [language.id, language]));
}
