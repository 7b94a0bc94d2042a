/**
 * Owns handing out how a layer came to be: the signed statement of its provenance, as it lies in the store. Never checks its signature: whoever reads it
 * can, by the keys of `GET /v1/cache/keys`. Needs an operator's key, since a statement names what tenants fetched.
 */
import { SystemError } from '../../shared/errors.ts';
import { problems } from '../../shared/http/answers.ts';
import { decodeEnvelope, ENVELOPE_BYTES_MAX, provenanceKey } from '../../shared/layers/layer-manifest.ts';
import { Closed } from '../../shared/model/closed.ts';
import { Envelope } from '../../shared/model/manifest.ts';
import { type ObjectStore, readObject } from '../../shared/storage/object-store.ts';
import { requireOperator } from './authentication.ts';
import { Digest } from './cache-answers.ts';
import type { HttpServer } from './server.ts';

const DigestParams = Closed({ digest: Digest });

/** Adds the route. */
export function addProvenanceRoutes(server: HttpServer, { store }: { readonly store: ObjectStore }): void {
  server.get(
    '/v1/instance/provenance/:digest',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getProvenance',
        summary: 'The signed statement how a layer was built, and from what',
        errors: ['layer-corrupt', 'layer-untrusted', 'not-found', 'object-store-unavailable'],
        params: DigestParams,
        response: { 200: Envelope, ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      const { digest } = request.params;
      const content = await readObject(store, provenanceKey(digest), ENVELOPE_BYTES_MAX);
      if (content === null) throw new SystemError('not-found', `there is no provenance ${digest}`);
      return decodeEnvelope(content);
    },
  );
}
