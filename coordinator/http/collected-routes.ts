/**
 * Owns taking in what executions left, from agents: the ticket in the URL is the permission. Never knows who sends.
 */
import { Type } from '@sinclair/typebox';
import { digestHex } from '../../shared/digest.ts';
import { Closed } from '../../shared/model/closed.ts';
import { COLLECTED_PATH, type Collections } from '../files/collections.ts';
import type { Tenant } from '../tenants/keys.ts';
import { BYTES_TYPE, takeBytes, toIncoming } from './file-routes.ts';
import type { HttpServer } from './server.ts';

/** What the route talks to. */
export interface CollectedRoutesDeps {
  readonly collections: Pick<Collections, 'ticketOf' | 'receive'>;
  readonly tenants: (id: string) => Tenant;
}

const route = `${COLLECTED_PATH}/:token`;
const Params = Closed({ token: Type.String({ maxLength: 512 }) });

/** Says whose a ticket is, before requests go to the coordinator that answers for its tenant. */
export function nameCollectors(server: HttpServer, { collections, tenants }: CollectedRoutesDeps): void {
  server.addHook('onRequest', async (request) => {
    if (request.routeOptions.url !== route) return;
    const { token } = request.params as { readonly token: string };
    request.tenant = tenants(collections.ticketOf(token).tenantId);
  });
}

/** Adds the route. */
export function addCollectedRoutes(server: HttpServer, { collections }: CollectedRoutesDeps): void {
  server.register(async (scope) => {
    takeBytes(scope as HttpServer);
    scope.put(
      route,
      {
        config: { isOpen: true },
        schema: {
          hide: true,
          rawBody: BYTES_TYPE,
          params: Params,
          querystring: Closed({ path: Type.String({ minLength: 1, maxLength: 4096 }) }),
        },
      },
      async (request) => {
        const ticket = collections.ticketOf((request.params as { readonly token: string }).token);
        const { path } = request.query as { readonly path: string };
        const { id, sha256, bytes } = await collections.receive(ticket, path, toIncoming(request));
        return { file: id, sha256: digestHex(sha256), bytes };
      },
    );
  });
}
