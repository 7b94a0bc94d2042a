/**
 * Owns how one route is described as an operation: its name, what it takes, what it answers, which errors it may give. Never knows what a route does.
 * Invariant: what every route of its kind may give is said here, what only this one gives is said beside the route.
 */
import type { FastifySchema } from 'fastify';
import { type ErrorCode, errorCatalog } from '../../shared/errors.ts';
import { Problem } from '../../shared/http/problem.ts';
import { answerHeaders, type Components, type Json } from './openapi-components.ts';

/** A route as it is described. */
export interface DescribedRoute {
  readonly method: string;
  /** With `:name` for parameters. */
  readonly url: string;
  readonly schema: FastifySchema;
  /** Served to whoever asks. */
  readonly isOpen: boolean;
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

const meanings: Readonly<Record<string, string>> = {
  '200': 'What was asked for.',
  '201': 'It is made.',
  '202': 'Accepted; it goes on.',
  '204': 'There is nothing more to tell.',
  '206': 'The part that was asked for.',
  '304': 'It is what the client has already.',
  '503': 'Not now.',
};

function toParameters(schema: unknown, place: 'query' | 'path' | 'header', components: Components): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as ObjectSchema;
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: components.toSchema(rest),
    };
  });
}

/** Codes that any route of this kind may give. */
function commonErrors({ method, url, schema, isOpen }: DescribedRoute): ErrorCode[] {
  const { params, querystring, headers, body } = schema;
  const takesSomething = [params, querystring, headers, body].some((part) => part !== undefined);
  // Every answer may be refused to a page of another origin, or to a key that may not.
  const codes: ErrorCode[] = ['forbidden', 'internal'];
  if (takesSomething) codes.push('request-invalid');
  // A body that nobody asked for is refused like one that somebody did.
  if (method !== 'GET') codes.push('body-too-large', 'media-type-unsupported', 'queue-full', 'request-invalid');
  if (isOpen) return codes;
  codes.push('unauthenticated', 'state-store-unavailable');
  if (/^\/v1\/(executions|environments|files|usage|webhooks)(\/|$)/.test(url)) codes.push('shard-moved');
  return codes;
}

function toProblems(route: DescribedRoute, components: Components): Json {
  const { errors } = route.schema;
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of new Set([...commonErrors(route), ...(errors ?? [])])) {
    const status = errorCatalog[code].http;
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const problems: Json = {};
  for (const [status, codes] of [...byStatus].sort(([one], [other]) => one - other))
    problems[status] = errors === undefined ? components.toAnyProblem() : components.toProblem([...codes].sort());
  // A route that does not list its own errors may give any.
  if (errors === undefined)
    Object.assign(problems, { '4XX': components.toAnyProblem(), '5XX': components.toAnyProblem() });
  return problems;
}

/** One event of a stream, as 3.2's itemSchema would have it. */
function toEvents(events: NonNullable<FastifySchema['events']>, components: Components): Json {
  const oneOf = Object.entries(events).map(([name, data]) => ({
    type: 'object',
    required: ['id', 'event', 'data'],
    properties: {
      id: { type: 'string', pattern: '^[0-9]+$' },
      event: { const: name },
      data: { type: 'string', contentMediaType: 'application/json', contentSchema: components.toSchema(data) },
    },
  }));
  return { description: 'Each server-sent event; they are numbered from 1, and lines `: ping` come between.', oneOf };
}

function toAnswers({ schema }: DescribedRoute, components: Components): Json {
  const { location = [], events, mediaType, alsoAnswers = [] } = schema;
  const answers: Json = {};
  const add = (status: string, type: string, answer: Json) => {
    const hasLocation = location.includes(Number(status));
    const description = meanings[status] ?? 'As asked.';
    answers[status] = {
      description,
      headers: answerHeaders(status, hasLocation),
      content: { [type]: { schema: answer } },
    };
  };
  for (const [status, answer] of Object.entries((schema.response ?? {}) as Json)) {
    if (status === '204') answers[status] = { description: meanings[status], headers: answerHeaders(status, false) };
    else if (answer !== Problem) add(status, 'application/json', components.toSchema(answer));
  }
  if (events !== undefined) {
    add('200', 'text/event-stream', toEvents(events, components));
    answers['204'] = { description: meanings['204'], headers: answerHeaders('', false) };
  } else if (mediaType !== undefined) {
    const answer = mediaType.includes('json') ? { type: 'object' } : { type: 'string' };
    for (const status of [200, ...alsoAnswers]) {
      if (status === 304) answers[status] = { description: meanings[status], headers: answerHeaders('304', false) };
      else add(String(status), mediaType, answer);
    }
  } else if (Object.keys(answers).length === 0) {
    answers['200'] = { description: meanings['200'], headers: answerHeaders('', false) };
  }
  return answers;
}

/** A name for a route that has none of its own: `getAgents`, `postCachePin`. */
function toOperationId({ method, url }: DescribedRoute): string {
  const words = url.split(/[/:._-]+/).filter((word) => word !== '' && word !== 'v1');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** What belongs together, by the first word of the path. */
export const tags: Readonly<Record<string, string>> = {
  executions: 'Running code: one request holds everything, and its answer says what happened.',
  environments: 'What code runs in: described, built once, used by everybody who describes the same.',
  recipes: 'Environments that are kept ready, with the scripts that compile and run a source in them.',
  agents: 'Machines that run code, and their keys.',
  files: 'Bytes that are sent once, and what executions left.',
  webhooks: 'Being told of the end of executions: deliveries and the secret that they are signed with.',
  tenants: 'Who may ask: tenants, their keys and quotas.',
  usage: 'What a tenant has used, and may use.',
  audit: 'What operators did.',
  pools: 'Machines that belong together, and who may use them.',
  cache: "The layers of all environments: for an instance's operators.",
  instance: 'The instance itself, and what operators see of all its tenants.',
};

function toTag(url: string): string {
  const [, version = '', noun = ''] = url.split('/');
  if (version !== 'v1') return 'instance';
  return noun === 'bases' ? 'environments' : noun;
}

/** The operation that this route is. */
export function toOperation(route: DescribedRoute, components: Components): Json {
  const { schema, url, isOpen } = route;
  const parameters = [
    ...toParameters(schema.params, 'path', components),
    ...toParameters(schema.querystring, 'query', components),
    ...toParameters(schema.headers, 'header', components),
  ];
  const { rawBody } = schema;
  const json = schema.body === undefined ? null : { 'application/json': { schema: components.toSchema(schema.body) } };
  const content = rawBody === undefined ? json : { [rawBody]: {} };
  return {
    operationId: schema.operationId ?? toOperationId(route),
    tags: [toTag(url)],
    summary: schema.summary ?? '',
    ...(schema.description === undefined ? {} : { description: schema.description }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(content === null ? {} : { requestBody: { required: schema.isBodyOptional !== true, content } }),
    responses: { ...toAnswers(route, components), ...toProblems(route, components) },
    ...(isOpen ? { security: [] } : {}),
  };
}
