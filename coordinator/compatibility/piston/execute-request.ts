/**
 * Owns what a Piston client may post to be executed: the order in which it is looked at, and the sentences by which it is refused, which are Piston's.
 * Never runs anything. Invariant: what comes out is complete and typed; nothing that is no part of it is looked at, as there.
 */
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { PistonLimits } from './limits.ts';
import type { Runtime, Runtimes } from './runtimes.ts';

/** A file as it is to be written. */
export interface PistonFile {
  readonly name: string | null;
  readonly content: string;
  readonly encoding: 'utf8' | 'base64' | 'hex';
}

/** A request that was found valid. */
export interface ExecuteRequest {
  readonly runtime: Runtime;
  readonly files: readonly PistonFile[];
  readonly args: readonly string[];
  readonly stdin: string;
  /** Each as the client asked for it; absent: it did not. */
  readonly asked: Partial<Record<LimitField, number>>;
}

export const limitFields = [
  ...(['compile_memory_limit', 'run_memory_limit', 'compile_timeout'] as const),
  ...(['run_timeout', 'compile_cpu_time', 'run_cpu_time'] as const),
] as const;
export type LimitField = (typeof limitFields)[number];

/** What a client did wrong, in Piston's words; HTTP 400. */
export class PistonRefusal extends Error {}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** Reads a body; PistonRefusal with the first thing that is wrong. */
export function readExecuteRequest(
  body: unknown,
  runtimes: Pick<Runtimes, 'find'>,
  limits: Pick<PistonLimits, 'configured'>,
): ExecuteRequest {
  const fields = isFields(body) ? body : {};
  const { language, version, files } = fields;
  if (!isText(language) || language === '') throw new PistonRefusal('language is required as a string');
  if (!isText(version) || version === '') throw new PistonRefusal('version is required as a string');
  if (!Array.isArray(files)) throw new PistonRefusal('files is required as an array');
  for (const [index, file] of files.entries()) {
    if (!isFields(file) || !isText(file['content']))
      throw new PistonRefusal(`files[${index}].content is required as a string`);
  }
  const runtime = runtimes.find(language, version);
  if (runtime === null) throw new PistonRefusal(`${language}-${version} runtime is unknown`);
  const given = files as readonly Fields[];
  if (!given.some(({ encoding }) => !encoding || encoding === 'utf8'))
    throw new PistonRefusal('files must include at least one utf8 encoded file');
  const asked = readLimits(fields, runtime.recipe, limits);
  const { args, stdin } = readInput(fields);
  return { runtime, files: given.map(toFile), args, stdin, asked };
}

function readLimits(fields: Fields, recipe: Recipe, limits: Pick<PistonLimits, 'configured'>): ExecuteRequest['asked'] {
  const asked: Partial<Record<LimitField, number>> = {};
  for (const field of limitFields) {
    const value = fields[field];
    // What is nothing, 0 with it, was not asked for.
    if (!value) continue;
    if (typeof value !== 'number') throw new PistonRefusal(`If specified, ${field} must be a number`);
    const highest = limits.configured(recipe, field);
    if (highest === null) {
      if (value > 0) asked[field] = value;
      continue;
    }
    if (value > highest) throw new PistonRefusal(`${field} cannot exceed the configured limit of ${highest}`);
    if (value < 0) throw new PistonRefusal(`${field} must be non-negative`);
    asked[field] = value;
  }
  return asked;
}

/** Piston answers a request whose input is no text by `{}`. */
function readInput({ args, stdin }: Fields): Pick<ExecuteRequest, 'args' | 'stdin'> {
  const isList = Array.isArray(args) && args.every(isText);
  if (args !== undefined && args !== null && !isList) throw new PistonRefusal('args must be an array of strings');
  if (stdin !== undefined && stdin !== null && !isText(stdin)) throw new PistonRefusal('stdin must be a string');
  const text = isText(stdin) ? stdin : '';
  return { args: isList ? (args as string[]) : [], stdin: text.endsWith('\n') ? text : `${text}\n` };
}

/** An encoding that nobody knows is none. */
function toFile({ name, content, encoding }: Fields): PistonFile {
  const known = encoding === 'base64' || encoding === 'hex' ? encoding : 'utf8';
  return { name: isText(name) && name !== '' ? name : null, content: content as string, encoding: known };
}
