/**
 * Owns turning a Piston request into a native one: names and bytes of its files, which of them is the main one, limits. Pure.
 * Never decides what is valid in Piston's eyes (execute-request). Invariant: no name leaves the workspace.
 */
import { posix } from 'node:path';
import type { ExecutionRequest } from '../../../shared/model/execution.ts';
import type { InputFile } from '../../../shared/model/file.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import { toExecutionRequest } from '../../../shared/recipes/recipe-use.ts';
import type { ExecuteRequest, PistonFile } from './execute-request.ts';
import type { PistonLimits } from './limits.ts';

/** A name that no file can have: Piston answers it by 500 and nothing else. */
export class UnwritableName extends Error {}

/** Run without being compiled by what looks at the ending nevertheless. */
const needEnding = new Set(['typescript', 'deno', 'bun']);

/** The native request; UnwritableName. `isInteractive`: its input comes later. */
export function toNativeRequest(
  request: ExecuteRequest,
  limits: Pick<PistonLimits, 'of'>,
  isInteractive = false,
): ExecutionRequest {
  const { runtime, args, stdin } = request;
  const { files, main } = toFiles(request.files, runtime.recipe);
  const native = toExecutionRequest(runtime.recipe, {
    ...{ files, main, arguments: args },
    compileLimits: limits.of(request, 'compile', isInteractive),
    runLimits: limits.of(request, 'run', isInteractive),
    ...(isInteractive ? {} : { stdin: stdin.toWellFormed() }),
  });
  return isInteractive ? { ...native, interactive: true } : native;
}

/** As they are to be written, in order; of two with one name the last stays. */
function toFiles(given: readonly PistonFile[], recipe: Recipe): { files: InputFile[]; main: string } {
  const names = given.map(({ name }, index) => (name === null ? `file${index}.code` : toPath(name)));
  const mainIndex = findMain(given, names, recipe);
  const asked = names[mainIndex] ?? recipe.main;
  const main = toMain(asked, given[mainIndex]?.name === null, recipe, names);
  const files = new Map<string, InputFile>();
  for (const [index, file] of given.entries()) {
    const name = names[index] ?? '';
    const path = name === asked ? main : name;
    files.set(path, { path, ...toContent(file) });
  }
  return { files: [...files.values()], main };
}

/** Does the ending not matter, or is it one of the language's? */
function isFitting(name: string, { extensions, compile, name: recipe }: Recipe): boolean {
  if (extensions.length === 0 || extensions.some((one) => name.endsWith(one))) return true;
  return compile === null && !needEnding.has(recipe);
}

/** The first that is text; of a language whose compiler looks at endings, the first that also has one, so that a header stays a header. */
function findMain(given: readonly PistonFile[], names: readonly string[], recipe: Recipe): number {
  const isText = ({ encoding }: PistonFile) => encoding === 'utf8';
  const isMain = ({ name }: PistonFile, index: number) => name === null || isFitting(names[index] ?? '', recipe);
  const fitting = given.findIndex((file, index) => isText(file) && isMain(file, index));
  return fitting >= 0 ? fitting : Math.max(0, given.findIndex(isText));
}

/** Where Piston would write it: a path is taken from the workspace, wherever it begins. */
function toPath(name: string): string {
  const path = posix.normalize(`./${name}`).replace(/^\/+/, '');
  const isOutside = path === '..' || path.startsWith('../');
  const isPlace = path === '.' || path.endsWith('/');
  if (isOutside || isPlace || path.includes('\0') || !path.isWellFormed() || path.length > 4096)
    throw new UnwritableName(name);
  if (path.split('/').some((part) => Buffer.byteLength(part) > 255)) throw new UnwritableName(name);
  return path;
}

/** Compilers look at the ending: what has none of its language is called as the recipe calls it, or gets one, as Piston's own scripts do. */
function toMain(asked: string, isUnnamed: boolean, recipe: Recipe, names: readonly string[]): string {
  const [ending = ''] = recipe.extensions;
  if (isFitting(asked, recipe)) return asked;
  return isUnnamed && !names.includes(recipe.main) ? recipe.main : `${asked}${ending}`;
}

function toContent({ content, encoding }: PistonFile): { content: string; encoding?: 'base64' } {
  if (encoding === 'utf8') return { content: content.toWellFormed() };
  return { content: Buffer.from(content, encoding).toString('base64'), encoding: 'base64' };
}
