/**
 * Owns how house tests read the tree: its files, a source with comments and literals blanked out, its imports, its braces.
 * Never understands types: a light scanner is enough for the laws, and TypeScript 7 offers no parser to programs.
 * Invariant: blanking keeps every line where it is, so that a line number found in blanked text is one of the file.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** The repository's root. */
export const root: string = join(import.meta.dirname, '../..');

/** Folders that are not ours or not kept. */
const foreign = new Set([
  ...['node_modules', 'dist', 'coverage', '.git', 'build', 'results'],
  ...['__pycache__', '.mypy_cache', '.pytest_cache', '.ruff_cache', '.venv'],
]);

/** One file, its path relative to the root. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** Below it are programs of recipes, in many languages: theirs is the style of those, and none of them is ours. */
const recipes = 'ops/environments/';

/** Every file of the repository whose name ends with one of the given endings. */
export function readSources(...endings: string[]): Source[] {
  return listFiles('')
    .filter((path) => endings.some((ending) => path.endsWith(ending)) && !path.startsWith(recipes))
    .map(read);
}

/** Every file of the recipes. */
export function readRecipeFiles(): Source[] {
  return listFiles(recipes).map(read);
}

const read = (path: string): Source => ({ path, text: readFileSync(join(root, path), 'utf8') });

/** Every file's and folder's path relative to the root; folders end with a slash. */
export function listTree(folder = ''): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return foreign.has(entry.name) ? [] : [`${path}/`, ...listTree(path)];
  });
}

function listFiles(folder: string): string[] {
  return listTree(folder).filter((path) => !path.endsWith('/'));
}

/** What hides braces and words besides templates: comments, strings, regular expressions. */
const hidden = new RegExp(
  [
    String.raw`\/\*[\s\S]*?\*\/`,
    String.raw`\/\/[^\n]*`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    String.raw`(?<=(?:[(,=:[!&|?;{}>]|\breturn)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*`,
  ].join('|'),
  'y',
);

const blank = (part: string) => part.replace(/[^\n]/g, ' ');

const blanked = new Map<string, string>();

/** The text with comments, strings, regular expressions and the literal parts of templates turned into blanks. */
export function blankOut(text: string): string {
  const known = blanked.get(text) ?? scan(text);
  blanked.set(text, known);
  return known;
}

function scan(text: string): string {
  let result = '';
  let at = 0;
  /** For each open template the number of braces that are open inside its present `${…}`. */
  const templates: number[] = [];
  const take = (end: number, isHidden: boolean) => {
    result += isHidden ? blank(text.slice(at, end)) : text.slice(at, end);
    at = end;
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    const depth = templates.at(-1);
    hidden.lastIndex = at;
    if ('/\'"'.includes(character) && hidden.test(text)) take(hidden.lastIndex, true);
    else if (character === '`' || (character === '}' && depth === 0)) {
      if (character === '}') templates.pop();
      const end = literalEnd(text, at + 1);
      if (text[end] === '$') templates.push(0);
      take(end + (text[end] === '$' ? 2 : 1), true);
    } else {
      if (depth !== undefined && character === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && character === '}') templates[templates.length - 1] = depth - 1;
      take(at + 1, false);
    }
  }
  return result;
}

/** Where the literal part of a template that goes on at `from` ends: at its backquote or at the next `${`. */
function literalEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`' || (text[at] === '$' && text[at + 1] === '{')) return at;
  }
  return text.length;
}

/** One import of a TypeScript file: a path relative to the root for our own files, else the package's name. */
export interface Import {
  readonly target: string;
  readonly isOurs: boolean;
  readonly isTypeOnly: boolean;
}

/** All static and dynamic imports and re-exports. */
export function importsOf(source: Source): Import[] {
  const code = source.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found = code.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm,
  );
  return [...found].map((match) => {
    const specifier = match[2] ?? match[3] ?? match[4] ?? '';
    const isOurs = specifier.startsWith('.');
    const bare = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1);
    const target = isOurs ? normalize(join(dirname(source.path), specifier)) : bare.join('/');
    return { target, isOurs, isTypeOnly: match[1] !== undefined };
  });
}
