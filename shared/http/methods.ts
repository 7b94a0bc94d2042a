/**
 * Owns which methods a path takes, for whoever asks by another one or asks just that. Never answers a route itself.
 */
import type { RouteOptions } from 'fastify';

/** Known paths with their methods. */
export class Methods {
  readonly #known: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** Call for every route (Fastify's onRoute). */
  add({ method, url }: Pick<RouteOptions, 'method' | 'url'>): void {
    const pattern = new RegExp(`^${url.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`);
    this.#known.push({ pattern, methods: [method].flat() });
  }

  /** What a path takes, as the header `allow` says it; null: nobody knows the path. */
  at(url: string): string | null {
    const path = url.split('?', 1)[0] ?? '';
    const found = this.#known.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    return found.length === 0 ? null : [...new Set([...found, 'OPTIONS'])].sort().join(', ');
  }
}
