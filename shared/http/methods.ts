/**
 * Owns which methods a path takes, for whoever asks by another one or asks just that. Never answers a route itself.
 */
import type { RouteOptions } from 'fastify';

/** Known paths with their methods. */
export class Methods {
  readonly #known: { readonly pattern: RegExp; readonly methods: readonly string[]; readonly isOpen: boolean }[] = [];

  /** Call for every route (Fastify's onRoute). */
  add({ method, url, config }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
    const pattern = new RegExp(`^${url.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`);
    this.#known.push({ pattern, methods: [method].flat(), isOpen: config?.isOpen === true });
  }

  #of(url: string) {
    const path = url.split('?', 1)[0] ?? '';
    return this.#known.filter(({ pattern }) => pattern.test(path));
  }

  /** Is a path served to whoever asks? */
  isOpen(url: string): boolean {
    return this.#of(url).some(({ isOpen }) => isOpen);
  }

  /** What a path takes, as the header `allow` says it; null: nobody knows the path. */
  at(url: string): string | null {
    const found = this.#of(url).flatMap(({ methods }) => methods);
    return found.length === 0 ? null : [...new Set([...found, 'OPTIONS'])].sort().join(', ');
  }
}
