/**
 * Owns handing out layers to agents and the builder when the store has no URLs of its own. The token in the URL is the permission.
 * Never looks into a layer: readers check digests.
 */
import { Type } from '@sinclair/typebox';
import { SystemError } from '../../shared/errors.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import { Closed } from '../../shared/model/closed.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { LAYERS_PATH, type LayerUrls } from '../environments/layer-urls.ts';
import type { HttpServer } from './server.ts';

/** Adds the route. */
export function addLayerRoutes(server: HttpServer, { store, urls }: { store: ObjectStore; urls: LayerUrls }): void {
  server.get(
    `${LAYERS_PATH}/:token`,
    { config: { isOpen: true }, schema: { hide: true, params: Closed({ token: Type.String({ maxLength: 200 }) }) } },
    async (request, reply) => {
      const digest = urls.digestOf(request.params.token);
      if (digest === null) throw new SystemError('forbidden', 'this URL is not valid any more; ask for a new one');
      const content = await store.get(blobKey(digest));
      if (content === null) throw new SystemError('not-found', `there is no layer ${digest}`);
      return reply
        .header('content-type', 'application/zstd')
        .header('content-length', content.bytes)
        .header('cache-control', 'private, immutable')
        .send(content.body);
    },
  );
}
