/**
 * Owns docs/http-api.md: the API's description as a page to read, operation by operation, and its schemas as tables.
 * Never says a word about an operation that the description does not say.
 */
import { describeApi } from './api-description.ts';
import { httpExamples } from './http-examples.ts';
import { notice, table } from './markdown.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly description?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly oneOf?: readonly { properties: { event: { const: string }; data: { contentSchema: Schema } } }[];
}

interface Answer {
  readonly $ref?: string;
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly { name: string; in: string; required: boolean; description: string; schema: Schema }[];
  readonly requestBody?: { required: boolean; content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<Record<string, Answer>>;
  readonly security?: readonly unknown[];
}

interface Document {
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Answer>>;
  };
}

const nameOf = (reference: string) => reference.split('/').at(-1) ?? '';
const link = (name: string) => `[${name}](#${name.toLowerCase()})`;

function describeBounds({ minimum, maximum, maxLength, maxItems }: Schema): string {
  const bounds = [
    ...(minimum === undefined || minimum === 0 ? [] : [`≥ ${minimum}`]),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? [] : [`≤ ${maximum}`]),
    ...(maxLength === undefined ? [] : [`≤ ${maxLength} characters`]),
    ...(maxItems === undefined ? [] : [`≤ ${maxItems}`]),
  ];
  return bounds.length === 0 ? '' : ` ${bounds.join(', ')}`;
}

/** A schema in a few words. */
function describe(schema: Schema): string {
  if (schema.$ref !== undefined) return link(nameOf(schema.$ref));
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(describe).join(' or ');
  if (schema.type === 'array') return `list of ${describe(schema.items ?? {})}${describeBounds(schema)}`;
  if (typeof schema.additionalProperties === 'object') return `names to ${describe(schema.additionalProperties)}`;
  const { type = 'anything' } = schema;
  return `${type}${describeBounds(schema)}`;
}

function toSchemaSection([name, schema]: [string, Schema]): string[] {
  const { properties, required = [], description = '', enum: values, pattern, patternProperties } = schema;
  const lines = [`### ${name}`, '', description, ''];
  if (values !== undefined) return [...lines, values.map((value) => `\`${String(value)}\``).join(' · '), ''];
  const names = Object.keys(patternProperties ?? {})[0] ?? pattern;
  if (names !== undefined) lines.push(`Matches \`${names}\`.`, '');
  if (properties === undefined || Object.keys(properties).length === 0) return lines;
  const rows = Object.entries(properties).map(([field, member]) => [
    required.includes(field) ? `\`${field}\`` : `\`${field}\` (optional)`,
    describe(member),
    member.description ?? '',
  ]);
  return [...lines, table(['field', 'is', 'meaning'], rows), ''];
}

function describeContent({ content = {} }: Answer): string {
  const [type = '', body] = Object.entries(content)[0] ?? [];
  if (body === undefined) return 'nothing';
  const { oneOf } = body.schema;
  if (oneOf === undefined) return type === 'application/json' ? describe(body.schema) : `\`${type}\``;
  return oneOf
    .map(({ properties }) => `\`${properties.event.const}\` ${describe(properties.data.contentSchema)}`)
    .join(', ');
}

/** Codes that an answer's own words name. */
const codesOf = (answer: Answer | undefined) => answer?.description.match(/`[a-z-]+`/g) ?? [];

function toOperationSection(document: Document, path: string, method: string, operation: Operation): string[] {
  const { operationId, summary, description, parameters = [], requestBody, responses, security } = operation;
  const body = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => [
    requestBody?.required === true ? 'the body' : 'the body (optional)',
    type === 'application/json' ? describe(schema) : `\`${type}\``,
    '',
  ]);
  const taken = parameters.map(({ name, in: place, required, description: meaning, schema }) => [
    `\`${name}\` in ${place}${required ? '' : ' (optional)'}`,
    describe(schema),
    meaning,
  ]);
  const all = Object.entries(responses);
  const answers = all.filter(([, { $ref }]) => $ref === undefined);
  const errors = all.flatMap(([status, { $ref }]) =>
    $ref === undefined ? [] : [`${status} ${codesOf(document.components.responses[nameOf($ref)]).join(', ')}`],
  );
  const takes = [...taken, ...body];
  return [
    `### ${operationId}`,
    '',
    `\`${method.toUpperCase()} ${path}\`: ${summary}.${security === undefined ? '' : ' Open: it asks for no key.'}`,
    ...(description === undefined ? [] : ['', description]),
    '',
    ...(takes.length === 0 ? [] : [table(['takes', 'is', 'meaning'], takes), '']),
    table(
      ['status', 'answer', 'meaning'],
      answers.map(([status, answer]) => [status, describeContent(answer), answer.description]),
    ),
    '',
    `Errors ([Problem](#problem)): ${errors.join(' · ')}`,
    '',
  ];
}

/** The text of docs/http-api.md. */
export function toHttpApiPage(): string {
  const document = JSON.parse(describeApi(true)) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const examples = httpExamples.flatMap(({ title, command, status }) => [
    `${title} (${status}):`,
    '',
    '```sh',
    command,
    '```',
    '',
  ]);
  return [
    notice("the routes' schemas"),
    '# The HTTP API',
    '',
    `${document.info.description} The same, for programs, is served at \`/openapi.json\` (OpenAPI 3.1).`,
    'What a code means and whether a retry may help: [errors.md](errors.md).',
    'An instance without keys answers loopback alone; any other is asked with `Authorization: Bearer` and a key.',
    '',
    '## By example',
    '',
    '`URL` is where the instance is: `URL=http://127.0.0.1:7070` for `make run`. With keys, add `--header "authorization: Bearer $KEY"`.',
    '',
    ...examples,
    ...document.tags.flatMap(({ name, description }) => [
      `## ${name}`,
      '',
      description,
      '',
      ...operations
        .filter(({ operation }) => operation.tags.includes(name))
        .flatMap(({ path, method, operation }) => toOperationSection(document, path, method, operation)),
    ]),
    '## Schemas',
    '',
    ...Object.entries(document.components.schemas).flatMap(toSchemaSection),
  ].join('\n');
}
