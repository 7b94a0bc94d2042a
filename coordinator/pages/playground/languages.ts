/**
 * Owns which language a file is written in, by its name, and fetching the editor's grammar of it when such a file is first shown. Never decides what runs it.
 * Invariant: a file of an unknown kind, or whose grammar does not come, is plain text.
 */
import type { Extension } from '@codemirror/state';

type Grammar = () => Promise<Extension>;

/** Older grammars, which read line by line. */
async function stream(parser: Promise<object>, name: string): Promise<Extension> {
  const [{ StreamLanguage }, module] = await Promise.all([import('@codemirror/language'), parser]);
  const found = (module as Readonly<Record<string, Parameters<typeof StreamLanguage.define>[0]>>)[name];
  return found === undefined ? [] : StreamLanguage.define(found);
}

const clike = (name: string) => () => stream(import('@codemirror/legacy-modes/mode/clike'), name);

const cpp: Grammar = async () => (await import('@codemirror/lang-cpp')).cpp();
const javascript: Grammar = async () => (await import('@codemirror/lang-javascript')).javascript({ jsx: true });
const typescript: Grammar = async () =>
  (await import('@codemirror/lang-javascript')).javascript({ jsx: true, typescript: true });
const shell: Grammar = () => stream(import('@codemirror/legacy-modes/mode/shell'), 'shell');
const lisp: Grammar = () => stream(import('@codemirror/legacy-modes/mode/commonlisp'), 'commonLisp');
const pascal: Grammar = () => stream(import('@codemirror/legacy-modes/mode/pascal'), 'pascal');
const perl: Grammar = () => stream(import('@codemirror/legacy-modes/mode/perl'), 'perl');
const fortran: Grammar = () => stream(import('@codemirror/legacy-modes/mode/fortran'), 'fortran');
const cobol: Grammar = () => stream(import('@codemirror/legacy-modes/mode/cobol'), 'cobol');
const assembly: Grammar = () => stream(import('@codemirror/legacy-modes/mode/gas'), 'gas');
const ocaml: Grammar = () => stream(import('@codemirror/legacy-modes/mode/mllike'), 'oCaml');
const fsharp: Grammar = () => stream(import('@codemirror/legacy-modes/mode/mllike'), 'fSharp');
const json: Grammar = () => stream(import('@codemirror/legacy-modes/mode/javascript'), 'json');

/** By the ending of a file's name, in small letters. */
const grammars: Readonly<Record<string, Grammar>> = {
  ...{ c: cpp, h: cpp, cc: cpp, cpp, cxx: cpp, 'c++': cpp, hpp: cpp, hxx: cpp },
  ...{ js: javascript, mjs: javascript, cjs: javascript, jsx: javascript, ts: typescript, mts: typescript },
  ...{ tsx: typescript, json, sh: shell, bash: shell },
  py: async () => (await import('@codemirror/lang-python')).python(),
  java: async () => (await import('@codemirror/lang-java')).java(),
  rs: async () => (await import('@codemirror/lang-rust')).rust(),
  go: async () => (await import('@codemirror/lang-go')).go(),
  sql: async () => (await import('@codemirror/lang-sql')).sql(),
  php: async () => (await import('@codemirror/lang-php')).php(),
  ...{ cs: clike('csharp'), kt: clike('kotlin'), kts: clike('kotlin'), scala: clike('scala'), m: clike('objectiveC') },
  ...{ lisp, lsp: lisp, cl: lisp, pas: pascal, pp: pascal, pl: perl, pm: perl, ml: ocaml, fs: fsharp, fsx: fsharp },
  ...{ f: fortran, f90: fortran, f95: fortran, cob: cobol, cbl: cobol, s: assembly, asm: assembly },
  groovy: () => stream(import('@codemirror/legacy-modes/mode/groovy'), 'groovy'),
  clj: () => stream(import('@codemirror/legacy-modes/mode/clojure'), 'clojure'),
  d: () => stream(import('@codemirror/legacy-modes/mode/d'), 'd'),
  erl: () => stream(import('@codemirror/legacy-modes/mode/erlang'), 'erlang'),
  hs: () => stream(import('@codemirror/legacy-modes/mode/haskell'), 'haskell'),
  lua: () => stream(import('@codemirror/legacy-modes/mode/lua'), 'lua'),
  r: () => stream(import('@codemirror/legacy-modes/mode/r'), 'r'),
  rb: () => stream(import('@codemirror/legacy-modes/mode/ruby'), 'ruby'),
  scm: () => stream(import('@codemirror/legacy-modes/mode/scheme'), 'scheme'),
  tcl: () => stream(import('@codemirror/legacy-modes/mode/tcl'), 'tcl'),
  toml: () => stream(import('@codemirror/legacy-modes/mode/toml'), 'toml'),
};

/** The word by which a file's grammar is known: its ending; scripts without one are the shell's. */
export function toEnding(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

/** The grammar for files with this ending; nothing for those of an unknown kind. */
export async function fetchGrammar(ending: string): Promise<Extension> {
  const grammar = Object.hasOwn(grammars, ending) ? grammars[ending] : undefined;
  return grammar === undefined ? [] : await grammar().catch(() => []);
}
