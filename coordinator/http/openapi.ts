/**
 * Owns the API's description: OpenAPI 3.1 made from the schemas of the routes. Never written by hand, never more than what is served.
 * Invariant: no two operations have one name.
 */
import assert from 'node:assert/strict';
import type { RouteOptions } from 'fastify';
import { Components, type Json } from './openapi-components.ts';
import { type DescribedRoute, tags, toOperation } from './openapi-operation.ts';

/** What the description says of the instance that it is about. */
export interface DescriptionTerms {
  readonly release: string;
  /** Do clients need a key? */
  readonly isKeyed: boolean;
  /** Where it is served; empty: where the description was had. */
  readonly url: string;
}

const prose = [
  'Runs code in environments that the request itself describes.',
  'Bodies are JSON in UTF-8. Nothing is coerced and an unknown field is an error that names the nearest known one.',
  'A body has at most `bodyBytesMax` bytes (413 says how many), a million values and a depth of 100, and no object says a name twice.',
  'Every error is `application/problem+json` (RFC 9457) with a stable `code`; a program that fails is no error: its verdict is data.',
  'Pages of other origins may read answers where the operator names them (`corsOrigins`).',
  'HEAD answers as GET without a body, OPTIONS says what a path takes; any other method is answered by 405.',
].join(' ');

/** Collects routes while they are added and describes them. */
export class ApiDescription {
  readonly #routes: DescribedRoute[] = [];
  readonly #terms: DescriptionTerms;
  #text = '';

  constructor(terms: DescriptionTerms) {
    this.#terms = terms;
  }

  /** Call for every route (Fastify's onRoute). */
  add({ method, url, schema, config }: Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config'>): void {
    if (schema === undefined || schema.hide === true) return;
    this.#text = '';
    const isOpen = config?.isOpen === true;
    for (const name of [method].flat()) if (name !== 'HEAD') this.#routes.push({ method: name, url, schema, isOpen });
  }

  /** The description as JSON. */
  text(): string {
    this.#text ||= JSON.stringify(this.#describe());
    return this.#text;
  }

  #describe(): Json {
    const { release, isKeyed, url } = this.#terms;
    const components = new Components();
    const paths: Record<string, Json> = {};
    const names = new Set<unknown>();
    for (const route of this.#routes) {
      const operation = toOperation(route, components);
      assert.ok(!names.has(operation['operationId']), `two operations are called ${operation['operationId']}`);
      names.add(operation['operationId']);
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation };
    }
    const key = { type: 'http', scheme: 'bearer', description: "A key of the asking tenant's." };
    return {
      openapi: '3.1.0',
      info: {
        title: 'Envicutor',
        version: release,
        description: prose,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: url === '' ? '/' : url, description: 'This instance.' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      ...(isKeyed ? { security: [{ key: [] }] } : {}),
      paths,
      components: { ...components.all(), ...(isKeyed ? { securitySchemes: { key } } : {}) },
    };
  }
}
