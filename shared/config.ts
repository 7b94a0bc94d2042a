/**
 * Owns reading configuration, from the environment or from whoever embeds us. A schema's field `leaseTtlMs`
 * of prefix ENVICUTOR is ENVICUTOR_LEASE_TTL_MS. Never falls back silently: all problems are told at once, each with its remedy; a process
 * prints them and exits with 78, whoever embeds us gets them as one error.
 */
import { inspect } from 'node:util';
import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type ErrorPlace, SystemError } from './errors.ts';
import { processVariables } from './process-variables.ts';

export { inheritedEnvironment, prefixedEnvironment } from './process-variables.ts';

/** Exit code for a configuration or machine that can't work (sysexits EX_CONFIG). */
export const EXIT_CONFIGURATION = 78;
/** sysexits EX_USAGE: the words after a program's name make no sense. */
export const EXIT_USAGE = 64;

/** Where a value came from. */
export type Origin = 'default' | 'environment';

/** A loaded configuration: frozen values and their origins. */
export interface Loaded<Schema extends TObject> {
  readonly values: Readonly<Static<Schema>>;
  readonly origins: Readonly<Record<string, Origin>>;
}

/** Name of the environment variable of a field. */
export function variableName(prefix: string, field: string): string {
  return `${prefix}_${field.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}`;
}

function fromText(schema: TSchema, text: string): unknown {
  // What is no number is told as it was written.
  if (schema['type'] === 'integer' || schema['type'] === 'number')
    return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
  if (schema['type'] === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (schema['type'] === 'array') return text === '' ? [] : text.split(',').map((item) => item.trim());
  return text;
}

/** Reads and validates; returns the problems instead of the configuration when there are any. */
export function readConfig<Schema extends TObject>(
  schema: Schema,
  prefix: string,
  environment: Readonly<Record<string, string | undefined>>,
): Loaded<Schema> | { readonly problems: readonly string[] } {
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [field, fieldSchema] of Object.entries(schema.properties)) {
    const text = environment[variableName(prefix, field)];
    origins[field] = text === undefined ? 'default' : 'environment';
    const value = text === undefined ? fieldSchema['default'] : fromText(fieldSchema, text);
    if (value !== undefined) values[field] = value;
  }
  const problems = [...Value.Errors(schema, values)].map((error) => {
    const field = error.path.split('/')[1] ?? '';
    const said = JSON.stringify(values[field]);
    return `${variableName(prefix, field)}=${said ?? ''}: ${error.message}. ${error.schema.description ?? ''}`.trim();
  });
  if (problems.length > 0) return { problems };
  return { values: Object.freeze(values) as Readonly<Static<Schema>>, origins };
}

/** The same from the environment of this process, for a command that tells the problems as one finding of several. */
export function readEnvironment<Schema extends TObject>(
  schema: Schema,
  prefix: string,
): ReturnType<typeof readConfig<Schema>> {
  return readConfig(schema, prefix, processVariables());
}

/** Part of a configuration; what is absent or undefined has its default. */
export type Partly<Config> = { readonly [Field in keyof Config]?: Config[Field] | undefined };

/** Completes what an embedding program gave with the schema's defaults; problems instead when there are any. */
export function completeConfig<Schema extends TObject>(
  schema: Schema,
  given: Partly<Static<Schema>>,
): { readonly values: Readonly<Static<Schema>> } | { readonly problems: readonly ErrorPlace[] } {
  const values: Record<string, unknown> = {};
  for (const [field, { default: value }] of Object.entries(schema.properties)) values[field] = value;
  for (const [field, value] of Object.entries(given)) if (value !== undefined) values[field] = value;
  const problems = [...Value.Errors(schema, values)].map(({ path, message }) => {
    const field = path.split('/')[1] ?? '';
    const known = schema.properties[field];
    if (known === undefined)
      return { pointer: `/${field}`, detail: `${field}: there is no such setting; see docs/configuration.md` };
    const said = known['secret'] === true ? '(secret)' : inspect(values[field], { depth: 1, maxStringLength: 80 });
    return { pointer: `/${field}`, detail: `${field}=${said}: ${message}. ${known.description ?? ''}`.trim() };
  });
  return problems.length > 0 ? { problems } : { values: Object.freeze(values) as Readonly<Static<Schema>> };
}

/** The one error for everything that is wrong with a configuration. */
export function toConfigError(problems: readonly ErrorPlace[]): SystemError {
  const sentences = problems.map(({ detail }) => detail).join('; ');
  return new SystemError('configuration-invalid', `the configuration can't work: ${sentences}`, { errors: problems });
}

/** Reads the process's environment; prints every problem and exits 78 when there is one; serves `--print-config`. */
export function loadConfig<Schema extends TObject>(schema: Schema, prefix: string): Readonly<Static<Schema>> {
  const loaded = readEnvironment(schema, prefix);
  if ('problems' in loaded) {
    for (const problem of loaded.problems) process.stderr.write(`configuration: ${problem}\n`);
    process.exit(EXIT_CONFIGURATION);
  }
  if (process.argv.includes('--print-config')) {
    process.stdout.write(`${printConfig(schema, prefix, loaded)}\n`);
    process.exit(0);
  }
  return loaded.values;
}

function printConfig<Schema extends TObject>(schema: Schema, prefix: string, loaded: Loaded<Schema>): string {
  return Object.entries(schema.properties)
    .map(([field, fieldSchema]) => {
      const value = (loaded.values as Record<string, unknown>)[field];
      const shown = fieldSchema['secret'] === true && value !== '' ? '(secret)' : JSON.stringify(value);
      return `${variableName(prefix, field)}=${shown}  # ${loaded.origins[field]}`;
    })
    .join('\n');
}

/** Says one sentence with its remedy on standard error and ends the process with 78. */
export function refuseToStart(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(EXIT_CONFIGURATION);
}
