/**
 * Owns what clients of Piston's public instance call languages and versions: their names, aliases and version numbers are written into thousands of
 * programs. Data alone; never decides which recipe is there. Invariant: earlier lines win where two recipes could stand for the same version.
 */

/** How a recipe is known to Piston's clients. */
export interface PublicName {
  readonly recipe: string;
  readonly language: string;
  readonly aliases: readonly string[];
  /** Name of the package that the language came with there, when that was another. */
  readonly runtime?: string;
  /** Versions that clients ask for, which this recipe stands for when it is not strict. */
  readonly versions: readonly string[];
}

const python = { language: 'python', aliases: ['py', 'py3', 'python3', 'python3.10'] };
const cpp = { language: 'c++', aliases: ['cpp', 'g++'], runtime: 'gcc' };
const csharp = { language: 'csharp', aliases: ['c#', 'cs', 'csharp.net', 'c#.net', 'cs.net', 'mono'] };
const fsharp = { language: 'fsharp', aliases: ['f#', 'fs', 'fsharp.net', 'f#.net', 'fs.net', 'fsi'] };
const javascript = { language: 'javascript', aliases: ['js', 'node-js', 'node-javascript'], runtime: 'node' };
const typescript = { language: 'typescript', aliases: ['ts', 'tsc', 'node-ts', 'typescript5', 'ts5'] };
const gcc = { runtime: 'gcc', versions: ['10.2.0'] };

/** See the head of this file. */
export const publicNames: readonly PublicName[] = [
  { recipe: 'python-3.11', ...python, versions: ['3.9.1', '3.9.4', '3.10.0', '3.11.0'] },
  { recipe: 'python', ...python, versions: ['3.12.0', '3.11.0', '3.10.0', '3.9.4', '3.9.1'] },
  { recipe: 'cpp-gcc-12', ...cpp, versions: [] },
  { recipe: 'cpp', ...cpp, versions: ['10.2.0'] },
  { recipe: 'c', language: 'c', aliases: [], ...gcc },
  { recipe: 'd', language: 'd', aliases: ['gdc'], ...gcc },
  { recipe: 'fortran', language: 'fortran', aliases: ['f90'], ...gcc },
  { recipe: 'node', ...javascript, versions: ['15.10.0', '16.3.0', '18.15.0', '20.11.1'] },
  { recipe: 'typescript', ...typescript, versions: ['4.2.3', '5.0.3'] },
  { recipe: 'deno', language: 'deno', aliases: ['deno-ts', 'deno-js'], versions: ['1.32.3'] },
  { recipe: 'bun', language: 'bun', aliases: ['bun-js', 'bun-ts'], versions: [] },
  { recipe: 'java', language: 'java', aliases: [], versions: ['15.0.2'] },
  { recipe: 'kotlin', language: 'kotlin', aliases: ['kt'], versions: ['1.8.20'] },
  { recipe: 'scala', language: 'scala', aliases: ['sc'], versions: ['3.2.2'] },
  { recipe: 'groovy', language: 'groovy', aliases: ['gvy'], versions: ['3.0.7'] },
  { recipe: 'clojure', language: 'clojure', aliases: ['clj'], versions: ['1.10.3'] },
  { recipe: 'go', language: 'go', aliases: ['golang'], versions: ['1.16.2'] },
  { recipe: 'rust', language: 'rust', aliases: ['rs'], versions: ['1.68.2'] },
  { recipe: 'csharp', ...csharp, versions: ['6.12.0', '5.0.201'] },
  { recipe: 'fsharp', ...fsharp, versions: ['5.0.201'] },
  { recipe: 'ruby', language: 'ruby', aliases: ['rb', 'ruby3'], versions: ['3.0.1'] },
  { recipe: 'php', language: 'php', aliases: [], versions: ['8.2.3'] },
  { recipe: 'perl', language: 'perl', aliases: ['pl'], versions: ['5.36.0'] },
  { recipe: 'lua', language: 'lua', aliases: [], versions: ['5.4.4'] },
  { recipe: 'haskell', language: 'haskell', aliases: ['hs'], versions: ['9.0.1'] },
  { recipe: 'ocaml', language: 'ocaml', aliases: ['ml'], versions: ['4.12.0'] },
  { recipe: 'erlang', language: 'erlang', aliases: ['erl', 'escript'], versions: ['23.0.0'] },
  { recipe: 'elixir', language: 'elixir', aliases: ['exs'], versions: ['1.11.3'] },
  { recipe: 'prolog', language: 'prolog', aliases: ['plg'], versions: ['8.2.4'] },
  { recipe: 'lisp', language: 'lisp', aliases: ['cl', 'sbcl', 'commonlisp'], versions: ['2.1.2'] },
  { recipe: 'pascal', language: 'pascal', aliases: ['freepascal', 'pp', 'pas'], versions: ['3.2.2'] },
  { recipe: 'r', language: 'rscript', aliases: ['r'], versions: ['4.1.1'] },
  { recipe: 'octave', language: 'octave', aliases: ['matlab', 'm'], versions: ['8.1.0'] },
  { recipe: 'sqlite', language: 'sqlite3', aliases: ['sqlite', 'sql'], versions: ['3.36.0'] },
  { recipe: 'bash', language: 'bash', aliases: ['sh'], versions: ['5.1.0', '5.2.0'] },
  { recipe: 'assembly', language: 'nasm64', aliases: ['nasm'], versions: ['2.15.5'] },
  { recipe: 'cobol', language: 'cobol', aliases: ['cob'], versions: ['3.1.2'] },
  { recipe: 'nim', language: 'nim', aliases: [], versions: ['1.6.2'] },
  { recipe: 'zig', language: 'zig', aliases: [], versions: ['0.10.1'] },
];
