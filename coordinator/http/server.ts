/**
 * Owns the coordinator's HTTP server: the strict one of shared/http, with who asks. Never knows what a route does.
 * Invariant: a body is read only after its sender is known.
 */
import { createStrictServer, type HttpServer, type ServerDeps, type ServerOptions } from '../../shared/http/server.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { Authenticate } from './authentication.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    tenant: Tenant;
  }
}

export type { HttpServer } from '../../shared/http/server.ts';

/** What the server needs. */
export interface CoordinatorServerDeps extends Pick<ServerDeps, 'log' | 'random' | 'answered'> {
  readonly authenticate: Authenticate;
  readonly isEmbedded: boolean;
}

/** A server without routes that does not listen yet. */
export function createServer(
  { authenticate, isEmbedded, ...deps }: CoordinatorServerDeps,
  options: ServerOptions,
): HttpServer {
  const server = createStrictServer(
    {
      ...deps,
      admit: (request, isOpen) => {
        if (!isOpen || isEmbedded) request.tenant = authenticate(request.headers);
      },
      who: 'coordinator',
      description: '/openapi.json',
    },
    options,
  );
  server.decorateRequest('tenant');
  return server;
}
