/**
 * Owns the API's description: OpenAPI 3.1 made from the schemas of the routes. Never written by hand, never more than what is served.
 */
import type { FastifySchema, RouteOptions } from 'fastify';
import { Problem } from '../../shared/http/problem.ts';

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

type Json = Record<string, unknown>;

const content = (type: string, schema: unknown) => ({ [type]: { schema } });

function toParameters(schema: unknown, place: 'query' | 'path' | 'header'): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as ObjectSchema;
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

const bytes = content('application/octet-stream', { type: 'string', format: 'binary' });

function toResponses({ response, givesBytes }: FastifySchema, isStream: boolean): Json {
  const responses: Json = {};
  for (const [code, schema] of Object.entries((response ?? {}) as Json)) {
    const isProblem = schema === Problem;
    const name = isProblem ? code.toUpperCase() : code;
    const type = isProblem ? 'application/problem+json' : 'application/json';
    responses[name] = { description: isProblem ? 'A problem' : 'As asked', content: content(type, schema) };
  }
  if (givesBytes === true) responses['200'] = { description: 'Its bytes', content: bytes };
  if (Object.keys(responses).length === 0) {
    responses['200'] = {
      description: 'As asked',
      ...(isStream ? { content: content('text/event-stream', { type: 'string' }) } : {}),
    };
  }
  return responses;
}

/** Collects routes while they are added and describes them. */
export class ApiDescription {
  readonly #paths: Record<string, Json> = {};
  readonly #release: string;
  #text = '';

  constructor(release: string) {
    this.#release = release;
  }

  /** Call for every route (Fastify's onRoute). */
  add({ method, url, schema }: Pick<RouteOptions, 'method' | 'url' | 'schema'>): void {
    const methods = Array.isArray(method) ? method : [method];
    if (schema === undefined || schema.hide === true) return;
    const path = url.replace(/:(\w+)/g, '{$1}');
    this.#text = '';
    for (const name of methods) {
      if (name === 'HEAD') continue;
      const parameters = [
        ...toParameters(schema.params, 'path'),
        ...toParameters(schema.querystring, 'query'),
        ...toParameters(schema.headers, 'header'),
      ];
      this.#paths[path] = {
        ...this.#paths[path],
        [name.toLowerCase()]: {
          operationId: `${name.toLowerCase()} ${path}`.replace(/[^a-z0-9]+/gi, '-').replace(/-$/, ''),
          summary: schema.summary ?? '',
          ...(parameters.length > 0 ? { parameters } : {}),
          ...(schema.takesBytes === true ? { requestBody: { required: true, content: bytes } } : {}),
          ...(schema.body === undefined
            ? {}
            : { requestBody: { required: true, content: content('application/json', schema.body) } }),
          responses: toResponses(schema, path.endsWith('/events')),
        },
      };
    }
  }

  /** The description as JSON. */
  text(): string {
    this.#text ||= JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'Envicutor', version: this.#release, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      paths: this.#paths,
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { key: [] }],
    });
    return this.#text;
  }
}
