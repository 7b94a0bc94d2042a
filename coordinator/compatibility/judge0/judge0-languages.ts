/**
 * Owns which of Judge0's language ids mean what here: the recipe of that language, where the instance has one, and the three ids that need no recipe.
 * Never promises a version: the name says the one that is there.
 * Invariant: an id whose recipe is not there is as unknown as one that never was.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { findRecipe } from '../../../shared/recipes/recipe-use.ts';

/** How a language's submissions are run. */
export type LanguageKind = 'recipe' | 'text' | 'executable' | 'project';

/** A language that can run. */
export type Language = { readonly id: number; readonly name: string } & (
  | { readonly kind: 'recipe'; readonly recipe: Recipe }
  | { readonly kind: Exclude<LanguageKind, 'recipe'>; readonly recipe: null }
);

/** Ids, what the name says (`%`: the recipe's version), and recipes by name, the best first. */
type Row = readonly [ids: readonly number[], name: string, recipes: readonly string[]];

// biome-ignore format: a table is read by column
const rows: readonly Row[] = [
  [[45],                     'Assembly (%)',             ['assembly']],
  [[46],                     'Bash (%)',                 ['bash']],
  [[48, 49, 50, 103],        'C (GCC %)',                ['c']],
  [[75, 104, 110],           'C (Clang %)',              ['c-clang']],
  [[51],                     'C# (.NET %)',              ['csharp']],
  [[52, 53, 54, 105],        'C++ (GCC %)',              ['cpp']],
  [[76],                     'C++ (Clang %)',            ['cpp-clang']],
  [[55],                     'Common Lisp (SBCL %)',     ['lisp']],
  [[56],                     'D (%)',                    ['d']],
  [[57],                     'Elixir (%)',               ['elixir']],
  [[58],                     'Erlang (OTP %)',           ['erlang']],
  [[59],                     'Fortran (GFortran %)',     ['fortran']],
  [[60, 95, 106, 107],       'Go (%)',                   ['go']],
  [[61],                     'Haskell (GHC %)',          ['haskell']],
  [[62, 91],                 'Java (OpenJDK %)',         ['java']],
  [[63, 93, 97, 102],        'JavaScript (Node.js %)',   ['node']],
  [[64],                     'Lua (%)',                  ['lua']],
  [[65],                     'OCaml (%)',                ['ocaml']],
  [[66],                     'Octave (%)',               ['octave']],
  [[67],                     'Pascal (FPC %)',           ['pascal']],
  [[68, 98],                 'PHP (%)',                  ['php']],
  [[69],                     'Prolog (%)',               ['prolog']],
  [[71, 100, 109, 113],      'Python (%)',               ['python']],
  [[92],                     'Python (%)',               ['python-3.11', 'python']],
  [[72],                     'Ruby (%)',                 ['ruby']],
  [[73, 108],                'Rust (%)',                 ['rust']],
  [[74, 94, 101],            'TypeScript (%)',           ['typescript']],
  [[77],                     'COBOL (GnuCOBOL %)',       ['cobol']],
  [[78, 111],                'Kotlin (%)',               ['kotlin']],
  [[79],                     'Objective-C (%)',          ['objective-c']],
  [[80, 99],                 'R (%)',                    ['r']],
  [[81, 112],                'Scala (%)',                ['scala']],
  [[82],                     'SQL (SQLite %)',           ['sqlite']],
  [[85],                     'Perl (%)',                 ['perl']],
  [[86],                     'Clojure (%)',              ['clojure']],
  [[87],                     'F# (.NET %)',              ['fsharp']],
  [[88],                     'Groovy (%)',               ['groovy']],
];

const withoutRecipe: readonly Language[] = [
  { id: 43, name: 'Plain Text', kind: 'text', recipe: null },
  { id: 44, name: 'Executable', kind: 'executable', recipe: null },
  { id: 89, name: 'Multi-file program', kind: 'project', recipe: null },
];

/** The languages of an instance with these recipes. */
export class Languages {
  readonly recipes: readonly Recipe[];
  readonly #byId: ReadonlyMap<number, Language>;

  constructor(recipes: readonly Recipe[]) {
    this.recipes = recipes;
    const found = rows.flatMap(([ids, name, names]) => {
      const recipe = names.map((word) => findRecipe(recipes, word)).find((one) => one !== undefined);
      if (recipe === undefined) return [];
      return ids.map((id): Language => ({ id, name: name.replace('%', recipe.version), kind: 'recipe', recipe }));
    });
    this.#byId = new Map([...withoutRecipe, ...found].map((language) => [language.id, language]));
  }

  get(id: number): Language | undefined {
    return this.#byId.get(id);
  }

  /** By name. */
  all(): Language[] {
    return [...this.#byId.values()].sort((a, b) => (a.name === b.name ? a.id - b.id : a.name < b.name ? -1 : 1));
  }

  /** What is answered as the language of a submission, also when its recipe is gone meanwhile. */
  told(id: number): { id: number; name: string } {
    return { id, name: this.get(id)?.name ?? `Language ${id}` };
  }
}

const SOURCES = { text: 'text.txt', executable: 'a.out', project: null } as const;
const RUNS = { text: 'exec cat text.txt', executable: 'exec ./a.out "$@"', project: 'exec bash ./run "$@"' } as const;

/** What its source is called; null: it has none. */
export function toSourceName({ kind, recipe }: Language): string | null {
  return kind === 'recipe' ? recipe.main : SOURCES[kind];
}

/** The script that runs it. */
export function toRunScript({ kind, recipe }: Language): string {
  return kind === 'recipe' ? recipe.run.script : RUNS[kind];
}

/** As the protocol answers one. */
export function toLanguageAnswer(language: Language): Record<string, unknown> {
  const { id, name, recipe } = language;
  const scripts = { compile_cmd: recipe?.compile?.script ?? null, run_cmd: toRunScript(language) };
  return { id, name, is_archived: false, source_file: toSourceName(language), ...scripts };
}
