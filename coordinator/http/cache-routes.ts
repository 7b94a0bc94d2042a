/**
 * Owns the operator's routes of the cache: list, pin, prefetch, promote, revoke, purge, collect, and the signing keys.
 * Never decides what may go or be trusted (cache-service, verifier). Every route needs an operator's key.
 */
import type { Clock } from '../../shared/clock.ts';
import { type ErrorCode, SystemError } from '../../shared/errors.ts';
import {
  IdParams,
  PageOf,
  PageQuery,
  problems,
  StreamHeaders,
  toPageAnswer,
  toPageRequest,
} from '../../shared/http/answers.ts';
import { streamEvents } from '../../shared/http/event-stream.ts';
import { CachedLayer } from '../../shared/model/cached-layer.ts';
import { Environment } from '../../shared/model/environment.ts';
import type { Revocation } from '../../shared/model/trust.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { CacheService } from '../environments/cache-service.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { Prefetches } from '../environments/prefetches.ts';
import type { TrustService } from '../environments/trust-service.ts';
import { rotationSteps } from '../environments/verifier-client.ts';
import type { AgentStore } from '../executions/state-store.ts';
import { requireOperator } from './authentication.ts';
import {
  Collection,
  KeysAnswer,
  PinnedLayers,
  Pinning,
  PrefetchAnswer,
  PrefetchRequest,
  Promotion,
  Purge,
  prefetchEvents,
  RevocationAnswer,
  RevocationRequest,
  SweepAnswer,
  toCachedLayer,
  toSweepAnswer,
} from './cache-answers.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface CacheRoutesDeps {
  readonly clock: Clock;
  readonly agents: AgentStore;
  readonly fleet: Fleet;
  readonly environments: EnvironmentService;
  readonly cache: CacheService;
  readonly trust: TrustService;
  readonly prefetches: Prefetches;
}

/** What may be wrong with an environment that is named. */
const environmentErrors = ['conflict', 'environment-not-found'] as const satisfies readonly ErrorCode[];

/** Adds the routes. */
export function addCacheRoutes(server: HttpServer, deps: CacheRoutesDeps): void {
  addListing(server, deps);
  addPins(server, deps);
  addPrefetches(server, deps);
  addTrustRoutes(server, deps);
  addKeyRoutes(server, deps);
  addRemovals(server, deps);
}

function addListing(server: HttpServer, { cache, environments }: CacheRoutesDeps): void {
  server.get(
    '/v1/cache',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listCachedLayers',
        errors: ['object-store-unavailable'],
        summary: 'Layers of the cache, newest first, with their use',
        querystring: PageQuery,
        response: { 200: PageOf(CachedLayer), ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      const { cursor, limit } = toPageRequest(request.query);
      const { items, next } = toPageAnswer(await cache.list(cursor, limit));
      return { items: items.map(toCachedLayer), next };
    },
  );

  server.post(
    '/v1/cache/promote',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'promoteEnvironment',
        errors: [...environmentErrors, 'object-store-unavailable', 'publication-refused', 'verifier-unavailable'],
        summary: "Share a tenant's environment with every tenant",
        body: Promotion,
        response: { 200: Environment, ...problems },
      },
    },
    (request) => {
      requireOperator(request.tenant);
      return environments.promote(request.body.tenant ?? request.tenant.id, request.body.environment);
    },
  );
}

async function checkAgents(agents: AgentStore, ids: readonly string[] | undefined): Promise<readonly string[] | null> {
  for (const id of ids ?? []) {
    if ((await agents.get(id)) === null)
      throw new SystemError('agent-not-found', `there is no agent ${id.slice(0, 100)}`);
  }
  return ids ?? null;
}

function addPins(server: HttpServer, { agents, cache }: CacheRoutesDeps): void {
  for (const verb of ['pin', 'unpin'] as const) {
    const isPinned = verb === 'pin';
    const summary = isPinned
      ? 'Keep layers on agents whatever else comes'
      : 'Let pinned layers go when their turn comes';
    server.post(
      `/v1/cache/${verb}`,
      {
        config: { scope: 'operate' },
        schema: {
          operationId: `${verb}Layers`,
          summary,
          body: Pinning,
          errors: ['agent-not-found', ...environmentErrors],
          response: { 200: PinnedLayers, ...problems },
        },
      },
      async (request) => {
        requireOperator(request.tenant);
        const { digests = [], environment, tenant = request.tenant.id } = request.body;
        const all = [...digests, ...(environment === undefined ? [] : await cache.digestsOf(tenant, environment))];
        if (all.length === 0) throw new SystemError('request-invalid', 'name digests or an environment');
        await cache.pin(all, await checkAgents(agents, request.body.agents), isPinned);
        return { digests: all };
      },
    );
  }
}

function addPrefetches(server: HttpServer, { clock, agents, cache, prefetches }: CacheRoutesDeps): void {
  server.post(
    '/v1/cache/prefetch',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'createPrefetch',
        errors: ['agent-not-found', 'no-agent', ...environmentErrors],
        location: [202],
        summary: "Have agents fetch an environment's layers before they are needed",
        body: PrefetchRequest,
        response: { 202: PrefetchAnswer, ...problems },
      },
    },
    async (request, reply) => {
      requireOperator(request.tenant);
      const { environment, tenant = request.tenant.id } = request.body;
      const answer = await cache.prefetch(tenant, environment, await checkAgents(agents, request.body.agents));
      return reply.code(202).header('location', `/v1/cache/prefetches/${answer.id}`).send(answer);
    },
  );

  server.get(
    '/v1/cache/prefetches/:id',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'getPrefetch',
        summary: 'How far a prefetch is',
        params: IdParams,
        errors: ['not-found'],
        response: { 200: PrefetchAnswer, ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      return prefetches.get(request.params.id);
    },
  );

  server.get(
    '/v1/cache/prefetches/:id/events',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'followPrefetch',
        summary: 'Follow a prefetch (server-sent events)',
        params: IdParams,
        headers: StreamHeaders,
        errors: ['not-found'],
        events: prefetchEvents,
      },
    },
    async (request, reply) => {
      requireOperator(request.tenant);
      return streamEvents(reply, prefetches.logOf(request.params.id), request.headers['last-event-id'], clock);
    },
  );
}

function addTrustRoutes(server: HttpServer, { cache }: CacheRoutesDeps): void {
  server.post(
    '/v1/cache/revoke',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'revokeLayers',
        errors: ['conflict', 'verifier-unavailable'],
        summary: 'Never use layers again: by digest, content key, signing key or time of building',
        body: RevocationRequest,
        response: { 200: RevocationAnswer, 202: RevocationAnswer, ...problems },
      },
    },
    async (request, reply) => {
      requireOperator(request.tenant);
      const { layers = [], keys = [], signingKey, builtBefore, kill = false, reason = '' } = request.body;
      const to = (kind: Revocation['kind']) => (value: string) => ({ kind, value, isFatal: kill, reason });
      const orders = [
        ...layers.map(to('layer')),
        ...keys.map(to('key')),
        ...(signingKey === undefined ? [] : [signingKey].map(to('signing-key'))),
        ...(builtBefore === undefined ? [] : [builtBefore].map(to('built-before'))),
      ];
      if (orders.length === 0)
        throw new SystemError('request-invalid', 'name layers, keys, a signingKey or builtBefore');
      const trustVersion = await cache.revoke(orders);
      return reply.code(trustVersion === null ? 202 : 200).send({ trustVersion, revoked: orders.length });
    },
  );
}

const rotationSummaries = {
  announce: 'Rotate, first: another key is made and trusted, and signs nothing yet',
  switch: 'Rotate, second: the announced key signs; the one before it is still trusted',
  retire: 'Rotate, last: the previous key is trusted no more, and its layers are built again',
};

function addKeyRoutes(server: HttpServer, { trust, fleet }: CacheRoutesDeps): void {
  const toKeys = async (asked: ReturnType<TrustService['keys']>) => {
    const { keys } = await asked;
    const all = [...fleet.all()];
    const current = all.filter(({ trustVersion }) => trustVersion >= trust.version).length;
    return { trustVersion: trust.version, keys, agents: { connected: all.length, current } };
  };

  server.get(
    '/v1/cache/keys',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'listSigningKeys',
        summary: 'Signing keys, and who knows them',
        errors: ['verifier-unavailable'],
        response: { 200: KeysAnswer, ...problems },
      },
    },
    (request) => {
      requireOperator(request.tenant);
      return toKeys(trust.keys());
    },
  );

  for (const step of rotationSteps) {
    server.post(
      `/v1/cache/keys/${step}`,
      {
        config: { scope: 'operate' },
        schema: {
          operationId: `${step}SigningKey`,
          summary: rotationSummaries[step],
          errors: ['conflict', 'verifier-unavailable'],
          response: { 200: KeysAnswer, ...problems },
        },
      },
      async (request) => {
        requireOperator(request.tenant);
        const behind = [...fleet.all()].filter(({ trustVersion }) => trustVersion < trust.keysVersion);
        if (step !== 'announce' && behind.length > 0) {
          const names = behind.map(({ id }) => id).slice(0, 10);
          throw new SystemError('conflict', `agents have not learned the last step yet: ${names}; wait for a report`);
        }
        return await toKeys(trust.rotate(step));
      },
    );
  }
}

function addRemovals(server: HttpServer, { cache }: CacheRoutesDeps): void {
  server.post(
    '/v1/cache/purge',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'purgeLayers',
        errors: ['conflict', 'not-found', 'object-store-unavailable', 'verifier-unavailable'],
        summary: 'Remove layers from the store; what other layers need stays',
        body: Purge,
        response: { 200: SweepAnswer, ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      return toSweepAnswer(await cache.purge(request.body.digests, request.body.isRehearsal ?? false));
    },
  );

  server.post(
    '/v1/cache/collect',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'collectLayers',
        errors: ['conflict', 'object-store-unavailable', 'verifier-unavailable'],
        summary: 'Remove what was not used for long, or does not fit, and what nothing needs',
        body: Collection,
        response: { 200: SweepAnswer, ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      const { isRehearsal = false, ...bounds } = request.body;
      return toSweepAnswer(await cache.collect(bounds, isRehearsal));
    },
  );
}
