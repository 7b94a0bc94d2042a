/**
 * Owns what the API's description says once and names elsewhere: schemas that have a title, problems by their codes, headers. Never knows a route.
 * Invariant: a title is the name of one schema; two that differ under one title end the start.
 */
import assert from 'node:assert/strict';
import { type ErrorCode, errorCatalog } from '../../shared/errors.ts';
import { Problem } from '../../shared/http/problem.ts';

/** Anything JSON that is an object. */
export type Json = Record<string, unknown>;

const ANY_NAME = '^[\\s\\S]*$';

/** Where schemas lie in a schema: alone, in a list, or by name. */
const alone = ['items', 'additionalProperties', 'not'] as const;
const listed = ['anyOf', 'allOf', 'oneOf'] as const;
const named = ['properties', 'patternProperties'] as const;

export const headers: Readonly<Record<string, Json>> = {
  RequestId: { description: "This request's number, for our log.", required: true, schema: { type: 'string' } },
  Location: { description: 'Where what was made can be had.', required: true, schema: { type: 'string' } },
  RetryAfter: {
    description: 'Seconds after which a retry may help.',
    required: true,
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  WwwAuthenticate: { description: 'How to say who asks.', required: true, schema: { type: 'string' } },
  Allow: { description: 'Methods that there are.', required: true, schema: { type: 'string' } },
};

const refer = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` });

function toHeaders(names: Readonly<Record<string, string>>): Json {
  const all = { 'x-request-id': 'RequestId', ...names };
  return Object.fromEntries(Object.entries(all).map(([name, header]) => [name, refer('headers', header)]));
}

/** Headers of an answer that is no problem. */
export function answerHeaders(status: string, hasLocation: boolean): Json {
  return toHeaders({
    ...(hasLocation ? { location: 'Location' } : {}),
    ...(status === '503' ? { 'retry-after': 'RetryAfter' } : {}),
  });
}

const problemHeaders: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'www-authenticate': 'WwwAuthenticate' },
  405: { allow: 'Allow' },
  429: { 'retry-after': 'RetryAfter' },
  503: { 'retry-after': 'RetryAfter' },
};

const toName = (code: string) => code.replace(/(^|-)([a-z])/g, (_all, _hyphen, letter) => letter.toUpperCase());

/** Collects what is named while operations are described. */
export class Components {
  readonly #schemas: Record<string, Json> = {};
  readonly #responses: Record<string, Json> = {};

  /** The schema with everything that has a title named instead of written out. */
  toSchema(schema: unknown): Json {
    // What only TypeBox knows of it are symbols, which are left behind.
    return this.#refer(JSON.parse(JSON.stringify(schema)) as Json);
  }

  #refer(schema: Json): Json {
    const { title } = schema;
    if (typeof title !== 'string') return this.#write(schema);
    const { title: _title, ...rest } = schema;
    const before = this.#schemas[title];
    // Known while it is written: it may hold itself.
    this.#schemas[title] = before ?? {};
    const written = this.#write(rest);
    if (before !== undefined && Object.keys(before).length > 0)
      assert.deepEqual(written, before, `two schemas are called ${title}`);
    this.#schemas[title] = written;
    return refer('schemas', title);
  }

  #write(schema: Json): Json {
    const literals = toLiterals(schema);
    const { anyOf: _members, ...bare } = schema;
    const written: Json = literals === null ? { ...schema } : { type: 'string', enum: literals, ...bare };
    for (const key of alone) if (isObject(written[key])) written[key] = this.#refer(written[key]);
    for (const key of listed)
      if (Array.isArray(written[key])) written[key] = (written[key] as Json[]).map((member) => this.#refer(member));
    for (const key of named) {
      if (!isObject(written[key])) continue;
      const members = Object.entries(written[key]).map(([name, member]) => [name, this.#refer(member as Json)]);
      written[key] = Object.fromEntries(members);
    }
    return toMap(written);
  }

  /** The answer for these codes, which have one status. */
  toProblem(codes: readonly ErrorCode[]): Json {
    const name = codes.map(toName).join('Or');
    const [first] = codes;
    assert.ok(first !== undefined, 'a problem has a code');
    const status = errorCatalog[first].http;
    const problem = this.toSchema(Problem);
    this.#responses[name] ??= {
      description: codes.map((code) => `\`${code}\`: ${errorCatalog[code].title}.`).join(' '),
      headers: toHeaders(problemHeaders[status] ?? {}),
      content: {
        'application/problem+json': {
          schema: {
            allOf: [problem, { properties: { code: { enum: [...codes] }, status: { const: status } } }],
          },
        },
      },
    };
    return refer('responses', name);
  }

  /** A problem whose codes a route does not list. */
  toAnyProblem(): Json {
    this.#responses['Problem'] ??= {
      description: 'A problem; its code is one of docs/errors.md.',
      headers: toHeaders({}),
      content: { 'application/problem+json': { schema: this.toSchema(Problem) } },
    };
    return refer('responses', 'Problem');
  }

  /** All of them, by name. */
  all(): Json {
    const sorted = (record: Json) =>
      Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)));
    return { schemas: sorted(this.#schemas), responses: sorted(this.#responses), headers };
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The texts that a union of nothing but texts allows, or null. */
function toLiterals({ anyOf }: Json): readonly string[] | null {
  if (!Array.isArray(anyOf) || anyOf.length === 0) return null;
  const values = (anyOf as Json[]).map((member) => member['const']);
  return values.every((value) => typeof value === 'string') ? (values as string[]) : null;
}

/** A map of any names is written as client generators know it. */
function toMap({ patternProperties, ...schema }: Json): Json {
  if (!isObject(patternProperties)) return schema;
  const member = patternProperties[ANY_NAME];
  return member === undefined ? { ...schema, patternProperties } : { ...schema, additionalProperties: member };
}
