/**
 * Owns the routes of pools: which there are for whoever asks, and their owners' policies. Never decides who may use one (pools).
 * Invariant: a pool that a tenant may not use is not there for it, neither in a list nor by its name.
 */
import { type Static, Type } from '@sinclair/typebox';
import { SystemError } from '../../shared/errors.ts';
import { problems } from '../../shared/http/answers.ts';
import { Closed, Nullable } from '../../shared/model/closed.ts';
import { SitePolicy } from '../../shared/model/site-policy.ts';
import type { Pool } from '../executions/pool-store.ts';
import type { Pools } from '../pools/pools.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface PoolRoutesDeps {
  readonly pools: Pools;
  /** Is there a tenant of this id? */
  readonly isTenant: (id: string) => boolean;
}

const PoolAnswer = Closed({
  name: Type.String(),
  owner: Nullable(Type.String({ description: "Tenant whose machines these are; null: the operator's." })),
  policy: Nullable(SitePolicy),
  isOptedIn: Type.Boolean({
    description: "May the asking tenant's work go there, as far as that tenant is concerned?",
  }),
});

const PoolRequest = Closed({
  owner: Type.Optional(
    Nullable(
      Type.String({ minLength: 1, maxLength: 64, description: 'Named by the operator, once; absent: as it is.' }),
    ),
  ),
  policy: Type.Optional(Nullable(SitePolicy)),
});

const NameParams = Closed({
  name: Type.String({ pattern: '^[0-9a-z][0-9a-z-]{0,63}$', description: 'Small letters, digits and hyphens.' }),
});

function toAnswer({ name, owner, policy }: Pool, { id, foreignPools = [] }: Tenant): Static<typeof PoolAnswer> {
  return { name, owner, policy, isOptedIn: owner === null || owner === id || foreignPools.includes(name) };
}

/** Adds the routes. */
export function addPoolRoutes(server: HttpServer, { pools, isTenant }: PoolRoutesDeps): void {
  server.get(
    '/v1/pools',
    {
      config: { scope: 'any' },
      schema: {
        summary: "Pools: one's own, and those of others that one may use",
        response: { 200: Closed({ items: Type.Array(PoolAnswer) }), ...problems },
      },
    },
    async ({ tenant }) => ({ items: pools.seenBy(tenant).map((pool) => toAnswer(pool, tenant)) }),
  );

  server.put(
    '/v1/pools/:name',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Make a pool and name its owner (operators), or set its policy (owners)',
        params: NameParams,
        body: PoolRequest,
        response: { 200: PoolAnswer, ...problems },
      },
    },
    async ({ tenant, params, body }) => {
      const { owner } = body;
      if (tenant.isOperator && typeof owner === 'string' && !isTenant(owner)) {
        const detail = `is ${owner}, and there is no such tenant in the tenants file`;
        throw new SystemError('request-invalid', `/owner ${detail}`, { errors: [{ pointer: '/owner', detail }] });
      }
      return toAnswer(await pools.change(tenant, params.name, body), tenant);
    },
  );
}
