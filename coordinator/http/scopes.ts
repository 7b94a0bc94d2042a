/**
 * Owns what each route asks of whoever uses it, declared with the route: a scope of the key, or nothing (`isOpen`). The one place where scopes are
 * enforced. Never knows a tenant's objects: routes and what they talk to do.
 * Invariant: a route that declares neither is not served: adding it ends the start.
 */
import assert from 'node:assert/strict';
import type { RouteOptions } from 'fastify';
import { SystemError } from '../../shared/errors.ts';
import type { Scope } from '../../shared/model/tenant.ts';
import type { UsedKey } from '../tenants/keys.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for it; any: every key will do. */
    scope?: Scope | 'any';
    /** An operator's action whose body is not for the audit, since it holds a secret. */
    isBodySecret?: boolean;
  }
}

/** Call for every route (Fastify's onRoute). */
export function requireDeclaredScope({ method, url, config }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
  const isDeclared = config?.isOpen === true ? config.scope === undefined : config?.scope !== undefined;
  assert(isDeclared, `${method} ${url} declares no scope: config { scope: '…' }, or { isOpen: true } for everybody`);
}

/** SystemError `forbidden` when the key has not the scope. */
export function checkScope({ id, scopes }: UsedKey, scope: Scope | 'any' | undefined): void {
  if (scope === undefined || scope === 'any' || scopes.includes(scope)) return;
  const has = scopes.length === 0 ? 'none' : scopes.join(', ');
  throw new SystemError('forbidden', `this needs a key of scope '${scope}'; key ${id} has ${has}`);
}
