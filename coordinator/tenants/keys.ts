/**
 * Owns who the tenants are and which key belongs to whom. Embedded mode has one tenant, `local`, without a key.
 * Never keeps a key in clear: a file of tenants holds sha256 digests of keys.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';

/** Somebody who may use this coordinator. */
export interface Tenant {
  readonly id: string;
  /** Share of the machines in relation to other tenants. */
  readonly weight: number;
  /** Its own bounds; without them those of everybody. */
  readonly executionsPerSecondMax?: number;
  readonly executionsBurstMax?: number;
  readonly queueDepthMax?: number;
  /** Pools of other tenants in which its work may run, if their owners let it. */
  readonly foreignPools?: readonly string[];
  /** Pools besides its own in which its private environments may run. */
  readonly privatePools?: readonly string[];
  /** May use the operator's routes. */
  readonly isOperator: boolean;
  /** Ids of agents that may record what they ran for this tenant at their own sites; absent: none. */
  readonly edgeAgents?: readonly string[];
}

/** The only tenant of the embedded mode. */
export const localTenant: Tenant = { id: 'local', weight: 1, isOperator: true };

const PoolNames = Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 1000, uniqueItems: true });

/** Content of the file of tenants. */
export const TenantsFile = Closed({
  tenants: Type.Array(
    Closed({
      id: Type.String({ pattern: '^[0-9a-z][0-9a-z-]{0,63}$' }),
      weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
      isOperator: Type.Optional(Type.Boolean()),
      executionsPerSecondMax: Type.Optional(Type.Number({ minimum: 0 })),
      executionsBurstMax: Type.Optional(Type.Integer({ minimum: 1 })),
      queueDepthMax: Type.Optional(Type.Integer({ minimum: 1 })),
      foreignPools: Type.Optional(PoolNames),
      privatePools: Type.Optional(PoolNames),
      edgeAgents: Type.Optional(Type.Array(Type.String({ pattern: '^agent_[0-9a-z]{8,64}$' }), { maxItems: 10_000 })),
      keys: Type.Array(Closed({ name: Type.String(), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) })),
    }),
    { minItems: 1 },
  ),
});

/** Finds the tenant of a key. */
export interface KeyRing {
  /** The tenant, or null when no tenant has this key. */
  find(key: string): Tenant | null;
  /** Is there a tenant of this id? */
  has(id: string): boolean;
  /** The tenant of an id; one that is not listed any more has the least of everything. */
  get(id: string): Tenant;
}

/** Who a tenant's id stands for; everybody is the local tenant where there are no keys. */
export function tenantsOf(keys: KeyRing | null): (id: string) => Tenant {
  return (id) => keys?.get(id) ?? localTenant;
}

/** Reads a file of tenants; SystemError `configuration-invalid` names what is wrong with it. */
export function readTenants(path: string): KeyRing {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError('configuration-invalid', `the file of tenants ${path} can't be read: ${said}`, { cause });
  }
  const first = Value.Errors(TenantsFile, content).First();
  if (first !== undefined) {
    throw new SystemError('configuration-invalid', `the file of tenants ${path}: ${first.path} ${first.message}`);
  }
  return createKeyRing(content as Static<typeof TenantsFile>);
}

/** A key ring over tenants; SystemError `configuration-invalid` when two tenants share an id or a key. */
export function createKeyRing(file: Static<typeof TenantsFile>): KeyRing {
  const byDigest = new Map<string, { digest: Buffer; tenant: Tenant }>();
  const byId = new Map<string, Tenant>();
  for (const { keys, ...said } of file.tenants) {
    const { id } = said;
    if (byId.has(id)) throw new SystemError('configuration-invalid', `tenant '${id}' is listed twice`);
    const tenant: Tenant = { ...said, weight: said.weight ?? 1, isOperator: said.isOperator ?? false };
    byId.set(id, tenant);
    for (const { sha256 } of keys) {
      if (byDigest.has(sha256))
        throw new SystemError('configuration-invalid', `a key of tenant '${id}' is listed twice`);
      byDigest.set(sha256, { digest: Buffer.from(sha256, 'hex'), tenant });
    }
  }
  return {
    has: (id) => byId.has(id),
    get: (id) => byId.get(id) ?? { id, weight: 1, isOperator: false },
    find(key) {
      const digest = createHash('sha256').update(key).digest();
      const entry = byDigest.get(digest.toString('hex'));
      return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry.tenant : null;
    },
  };
}
