/**
 * Owns the coordinator's HTTP server: the strict one of shared/http, with who asks and by which key. Never knows what a route does.
 * Invariant: a body is read only after its sender is known and its key may use the route.
 */
import type { FastifyRequest } from 'fastify';
import { createStrictServer, type HttpServer, type ServerDeps, type ServerOptions } from '../../shared/http/server.ts';
import type { Asker, Tenant, UsedKey } from '../tenants/keys.ts';
import type { Authenticate } from './authentication.ts';
import { BodyMemory, type BodyMemoryOptions } from './body-memory.ts';
import { checkScope, requireDeclaredScope } from './scopes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; an operator only if its key may operate. */
    tenant: Tenant;
    /** By which key. */
    key: UsedKey;
  }
  interface FastifyContextConfig {
    /** Where clients of another protocol say their key; absent or undefined: as everybody, by `Authorization: Bearer`. */
    keyOf?: (request: FastifyRequest) => string | undefined;
  }
}

export type { HttpServer } from '../../shared/http/server.ts';

/** What the server needs. */
export interface CoordinatorServerDeps extends Pick<ServerDeps, 'log' | 'random' | 'answered' | 'tls'> {
  readonly authenticate: Authenticate;
  readonly isEmbedded: boolean;
}

/** What a request is known by. */
function toKnown(request: FastifyRequest): FastifyRequest['headers'] {
  const key = request.routeOptions.config.keyOf?.(request);
  return key === undefined ? request.headers : { ...request.headers, authorization: `Bearer ${key}` };
}

/** A server without routes that does not listen yet. */
export function createServer(
  { authenticate, isEmbedded, ...deps }: CoordinatorServerDeps,
  options: ServerOptions & Pick<BodyMemoryOptions, 'liveRequestBytesMax'>,
): HttpServer {
  const bodies = new BodyMemory({ ...options, isEmbedded });
  const take = (request: FastifyRequest, { tenant, key }: Asker) => {
    checkScope(key, request.routeOptions.config.scope);
    request.tenant = tenant;
    request.key = key;
    bodies.take(request);
  };
  const server = createStrictServer(
    {
      ...deps,
      admit: (request, isOpen) => {
        if (isOpen && !isEmbedded) return undefined;
        const asker = authenticate(toKnown(request));
        if (asker instanceof Promise) return asker.then((found) => take(request, found));
        return take(request, asker);
      },
      who: 'coordinator',
      description: '/openapi.json',
    },
    options,
  );
  server.addHook('onRoute', requireDeclaredScope);
  server.decorateRequest('tenant');
  server.decorateRequest('key');
  bodies.watch(server);
  return server;
}
