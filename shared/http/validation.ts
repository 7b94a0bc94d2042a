/**
 * Owns checking a request against its schema and saying what is wrong, place by place. Nothing is coerced, nothing is dropped.
 * Never knows a route. Uses TypeBox's compiled checks, as the type provider's own compiler does, which says too little about unions and
 * unknown members.
 */
import { Kind, type TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';
import { Value } from '@sinclair/typebox/value';
import { type ErrorPlace, SystemError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

const PLACES_MAX = 20;
const QUOTED_CHARACTERS_MAX = 64;
/** A longer pointer is cut: it repeats a name of the client's, which is as long as the client likes. */
const POINTER_CHARACTERS_MAX = 512;

/** What Fastify calls to check one part of a request. */
export type Validator = (value: unknown) => { value: unknown } | { error: SystemError };

/** A compiler of validators, for Fastify. */
export function compileValidator({ schema, httpPart }: { schema: unknown; httpPart?: string | undefined }): Validator {
  const check = TypeCompiler.Compile(schema as TSchema);
  const where = httpPart === 'querystring' ? '?' : '';
  return (value) => {
    if (check.Check(value)) return { value };
    const errors = findPlaces(schema as TSchema, value).map(({ pointer, detail }) => ({
      pointer: where === '' ? pointer : `?${pointer.slice(1)}`,
      detail,
    }));
    const first = errors[0];
    const said =
      first === undefined ? 'it does not follow its schema' : `${first.pointer || 'the body'} ${first.detail}`;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    return { error: new SystemError('request-invalid', `${said}${more}`, { errors }) };
  };
}

/** The offending places of a value, at most 20, outermost first. */
export function findPlaces(schema: TSchema, value: unknown): ErrorPlace[] {
  const places = new Map<string, string>();
  for (const error of Value.Errors(schema, value)) {
    for (const { pointer, detail } of explain(error)) if (!places.has(pointer)) places.set(pointer, detail);
    if (places.size >= PLACES_MAX) break;
  }
  return [...places].map(([pointer, detail]) => ({ pointer: shorten(pointer, POINTER_CHARACTERS_MAX), detail }));
}

function explain(error: ValueError): ErrorPlace[] {
  const pointer = error.path;
  switch (error.type) {
    case ValueErrorType.ObjectRequiredProperty:
      return [{ pointer, detail: 'is missing' }];
    case ValueErrorType.ObjectAdditionalProperties:
      return [{ pointer, detail: explainUnknown(error) }];
    case ValueErrorType.Union:
      return explainUnion(error);
    default:
      return [{ pointer, detail: `${toSentence(error)}, not ${quote(error.value)}` }];
  }
}

function explainUnknown({ path, schema }: ValueError): string {
  const name = (path.split('/').at(-1) ?? '').replaceAll('~1', '/').replaceAll('~0', '~');
  const patterns = schema['patternProperties'] as object | undefined;
  if (patterns !== undefined) return `is not a valid name here: names match ${Object.keys(patterns)[0]}`;
  const known = Object.keys((schema['properties'] as object | undefined) ?? {});
  const nearest = nearestName(name, known);
  return nearest === null
    ? `is not a known field; known are ${known.join(', ')}`
    : `is not a known field; did you mean '${nearest}'?`;
}

/** A union is explained by the member that the value was probably meant to be. */
function explainUnion(error: ValueError): ErrorPlace[] {
  const members = (error.schema['anyOf'] ?? []) as TSchema[];
  const literals = members
    .filter((member) => member[Kind] === 'Literal')
    .map((member) => JSON.stringify(member['const']));
  if (literals.length === members.length) {
    return [{ pointer: error.path, detail: `must be one of ${literals.join(', ')}, not ${quote(error.value)}` }];
  }
  const kind = Array.isArray(error.value) ? 'array' : typeof error.value;
  const likely = members.filter((member) => member['type'] === kind);
  const meant = likely.find((member) => isNamedBy(member, error.value)) ?? likely[0];
  if (meant === undefined) {
    const kinds = members.map((member) => String(member['type'])).join(' or ');
    return [{ pointer: error.path, detail: `must be ${kinds}, not ${quote(error.value)}` }];
  }
  return findPlaces(meant, error.value).map(({ pointer, detail }) => ({ pointer: `${error.path}${pointer}`, detail }));
}

/** Is the value an object of this kind by the words that tell kinds apart? */
function isNamedBy(member: TSchema, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const names = Object.entries((member['properties'] ?? {}) as Record<string, TSchema>).filter(
    ([name, property]) => Object.hasOwn(value, name) && isWord(property),
  );
  return names.every(([name, property]) => Value.Check(property, (value as Record<string, unknown>)[name]));
}

/** Is it one of some words? */
function isWord(schema: TSchema): boolean {
  return schema[Kind] === 'Literal' || ((schema['anyOf'] ?? []) as TSchema[]).some((one) => one[Kind] === 'Literal');
}

function toSentence({ message, schema }: ValueError): string {
  const pattern = schema['pattern'];
  if (typeof pattern === 'string' && message.includes('pattern')) return `must match ${pattern}`;
  return message
    .replace(/^Expected /, 'must be ')
    .replace(/^must be (?=(array|string|object) .*(length|to have))/, 'needs ');
}

/** Never writes out more of a value than is shown: it may be most of a body. */
function quote(value: unknown): string {
  if (typeof value === 'string')
    return shorten(JSON.stringify(value.slice(0, QUOTED_CHARACTERS_MAX + 1)), QUOTED_CHARACTERS_MAX);
  const count = typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  if (count > QUOTED_CHARACTERS_MAX) return `${Array.isArray(value) ? 'an array' : 'an object'} of ${count}`;
  return shorten(JSON.stringify(value) ?? 'nothing', QUOTED_CHARACTERS_MAX);
}

function shorten(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}
