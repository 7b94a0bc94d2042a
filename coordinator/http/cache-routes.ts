/**
 * Owns the operator's routes of the cache: list, pin, prefetch, promote, revoke, purge, collect, and the signing keys.
 * Never decides what may go or be trusted (cache-service, verifier). Every route needs an operator's key.
 */
import { Type } from '@sinclair/typebox';
import { type Clock, toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
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
import { Closed, Nullable, OneOf, Timestamp } from '../../shared/model/closed.ts';
import { Environment, layerKinds } from '../../shared/model/environment.ts';
import { keptReasons, type SweepResult } from '../../shared/model/sweep.ts';
import { keyRoles, type Revocation } from '../../shared/model/trust.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { CacheService, ListedLayer } from '../environments/cache-service.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import type { Prefetches } from '../environments/prefetches.ts';
import type { TrustService } from '../environments/trust-service.ts';
import { rotationSteps } from '../environments/verifier-client.ts';
import type { AgentStore } from '../executions/state-store.ts';
import { requireOperator } from './authentication.ts';
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

const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const EnvironmentId = Type.String({ pattern: '^env_[0-9a-z]{8,64}$' });
const TenantId = Type.String({ description: "Whose environment it is; default: the asking key's tenant." });
const Agents = Type.Array(Type.String(), { minItems: 1, maxItems: 10_000, description: "Agents' ids; absent: all." });
const Digests = Type.Array(Digest, { minItems: 1, maxItems: 1000, description: 'Tar digests of layers.' });
const count = Type.Integer({ minimum: 0 });

const CachedLayer = Closed({
  digest: Digest,
  kind: OneOf(layerKinds),
  base: Type.String(),
  architecture: Type.String(),
  scope: Type.String(),
  key: Type.String(),
  bytes: Type.Integer({ minimum: 0, description: 'Of the compressed blob.' }),
  tarBytes: count,
  parents: Type.Array(Digest),
  builtAt: Type.String(),
  lastUsedAt: Timestamp,
  provenance: Nullable(Digest),
  agents: Type.Array(Type.String(), { description: 'Connected agents that hold it.' }),
  pinnedOn: Type.Array(Type.String(), { description: "Agents' ids; '*' is all of them." }),
  isRevoked: Type.Boolean(),
});

const Pinning = Closed({
  digests: Type.Optional(Digests),
  environment: Type.Optional(EnvironmentId),
  tenant: Type.Optional(TenantId),
  agents: Type.Optional(Agents),
});

const PrefetchRequest = Closed({
  environment: EnvironmentId,
  tenant: Type.Optional(TenantId),
  agents: Type.Optional(Agents),
});

const PrefetchStates = OneOf(['fetching', 'done', 'failed']);
const PrefetchAnswer = Closed({
  id: Type.String(),
  environment: Type.String(),
  state: PrefetchStates,
  agents: Type.Array(
    Closed({
      agent: Type.String(),
      state: PrefetchStates,
      bytes: count,
      bytesTotal: count,
      fraction: Type.Number(),
      failure: Nullable(Closed({ code: Type.String(), detail: Type.String() })),
    }),
  ),
  createdAt: Type.String(),
  finishedAt: Nullable(Type.String()),
});

const Promotion = Closed({ environment: EnvironmentId, tenant: Type.Optional(TenantId) });

const RevocationRequest = Closed({
  layers: Type.Optional(Digests),
  keys: Type.Optional(
    Type.Array(Type.String({ pattern: '^[0-9a-z-]{8,128}$' }), {
      minItems: 1,
      maxItems: 1000,
      description: 'Content keys.',
    }),
  ),
  signingKey: Type.Optional(Digest),
  builtBefore: Type.Optional(Timestamp),
  kill: Type.Optional(Type.Boolean({ description: 'End running executions that use it; default: let them end.' })),
  reason: Type.Optional(Type.String({ maxLength: 500, description: 'Shown to whoever is refused.' })),
});

const RevocationAnswer = Closed({
  trustVersion: Nullable(
    Type.Integer({
      description: 'Of the trust state that says so; null: recorded, and signed once the verifier answers.',
    }),
  ),
  revoked: count,
});

const Purge = Closed({ digests: Digests, isRehearsal: Type.Optional(Type.Boolean()) });
const Collection = Closed({
  ageMsMax: Type.Optional(Type.Integer({ minimum: 0, description: 'Not used for so long; 0: no bound.' })),
  bytesMax: Type.Optional(Type.Integer({ minimum: 0, description: 'Blobs together; 0: no bound.' })),
  isRehearsal: Type.Optional(Type.Boolean({ description: 'Only say what would go.' })),
});
const SweepAnswer = Closed({
  removed: count,
  kept: Type.Array(Closed({ key: Type.String(), scope: Type.String(), reason: OneOf(keptReasons) })),
  blobs: count,
  provenances: count,
  bytes: count,
  bytesLeft: count,
});

const KeysAnswer = Closed({
  trustVersion: count,
  keys: Type.Array(Closed({ role: OneOf(keyRoles), keyid: Type.String(), publicKey: Type.String() })),
  agents: Closed({
    connected: count,
    current: Type.Integer({ minimum: 0, description: 'Have seen this trust state.' }),
  }),
});

function toCachedLayer({ manifest, lastUsedAtMs, agents, pinnedOn, isRevoked }: ListedLayer) {
  const { tar, kind, base, architecture, scope, key, blob, parents, builtAt, provenance } = manifest;
  return {
    ...{ digest: tar.digest, kind, base, architecture, scope, key, bytes: blob.bytes, tarBytes: tar.bytes, parents },
    ...{ builtAt, lastUsedAt: toTimestamp(lastUsedAtMs), provenance, agents, pinnedOn, isRevoked },
  };
}

function toSweepAnswer({ removed, kept, ...counts }: SweepResult) {
  return {
    removed: removed.length,
    kept: kept.map(({ manifest, reason }) => {
      const [, scope = '', file = ''] = manifest.split('/');
      return { key: file.replace(/\.dsse$/, ''), scope, reason };
    }),
    ...counts,
  };
}

/** Adds the routes. */
export function addCacheRoutes(server: HttpServer, deps: CacheRoutesDeps): void {
  addListing(server, deps);
  addPins(server, deps);
  addPrefetches(server, deps);
  addTrustRoutes(server, deps);
  addRemovals(server, deps);
}

function addListing(server: HttpServer, { cache, environments }: CacheRoutesDeps): void {
  server.get(
    '/v1/cache',
    {
      config: { scope: 'operate' },
      schema: {
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
        schema: { summary, body: Pinning, response: { 200: Closed({ digests: Type.Array(Digest) }), ...problems } },
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
      schema: { summary: 'How far a prefetch is', params: IdParams, response: { 200: PrefetchAnswer, ...problems } },
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
      schema: { summary: 'Follow a prefetch (server-sent events)', params: IdParams, headers: StreamHeaders },
    },
    async (request, reply) => {
      requireOperator(request.tenant);
      return streamEvents(reply, prefetches.logOf(request.params.id), request.headers['last-event-id'], clock);
    },
  );
}

const rotationSummaries = {
  announce: 'Rotate, first: another key is made and trusted, and signs nothing yet',
  switch: 'Rotate, second: the announced key signs; the one before it is still trusted',
  retire: 'Rotate, last: the previous key is trusted no more, and its layers are built again',
};

function addTrustRoutes(server: HttpServer, { cache, trust, fleet }: CacheRoutesDeps): void {
  server.post(
    '/v1/cache/revoke',
    {
      config: { scope: 'operate' },
      schema: {
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
      schema: { summary: 'Signing keys, and who knows them', response: { 200: KeysAnswer, ...problems } },
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
        schema: { summary: rotationSummaries[step], response: { 200: KeysAnswer, ...problems } },
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
