/**
 * Owns who the tenants of a file are and which key belongs to whom. Embedded mode has one tenant, `local`, without a key.
 * Never keeps a key in clear: a file of tenants holds sha256 digests of keys.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../../shared/errors.ts';
import { Closed } from '../../shared/model/closed.ts';
import {
  type KeyDescription,
  type Quotas,
  type Scope,
  scopes,
  TenantId,
  TenantSettings,
} from '../../shared/model/tenant.ts';

/** Somebody who may use this coordinator. */
export interface Tenant {
  readonly id: string;
  /** Share of the machines in relation to other tenants. */
  readonly weight: number;
  /** Its own bounds; without them those of everybody. */
  readonly quotas?: Quotas;
  readonly executionsPerSecondMax?: number;
  readonly executionsBurstMax?: number;
  readonly queueDepthMax?: number;
  /** Pools of other tenants in which its work may run, if their owners let it. */
  readonly foreignPools?: readonly string[];
  /** Pools besides its own in which its private environments may run. */
  readonly privatePools?: readonly string[];
  /** May use the operator's routes; of whoever asks with a key: this key may. */
  readonly isOperator: boolean;
  /** Ids of agents that may record what they ran for this tenant at their own sites; absent: none. */
  readonly edgeAgents?: readonly string[];
}

/** The key that somebody asks with. */
export interface UsedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number | null;
}

/** Who asks: a tenant by one of its keys. */
export interface Asker {
  readonly tenant: Tenant;
  readonly key: UsedKey;
}

/** The only tenant of the embedded mode. */
export const localTenant: Tenant = { id: 'local', weight: 1, isOperator: true };
/** Whoever reaches the embedded mode. */
export const localAsker: Asker = {
  tenant: localTenant,
  key: { id: '', name: 'without a key', scopes, expiresAtMs: null },
};

/** Content of the file of tenants. */
export const TenantsFile = Closed({
  tenants: Type.Array(
    Closed({
      id: TenantId,
      ...TenantSettings.properties,
      executionsPerSecondMax: Type.Optional(Type.Number({ minimum: 0 })),
      executionsBurstMax: Type.Optional(Type.Integer({ minimum: 1 })),
      queueDepthMax: Type.Optional(Type.Integer({ minimum: 1 })),
      keys: Type.Array(Closed({ name: Type.String(), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) })),
    }),
    { minItems: 1 },
  ),
});

/** Finds the tenant of a key. */
export interface KeyRing {
  /** Who asks with it, or null when no tenant has this key. */
  find(key: string): Asker | null;
  /** Is there a tenant of this id? */
  has(id: string): boolean;
  /** The tenant of an id; one that is not listed any more has the least of everything. */
  get(id: string): Tenant;
  all(): readonly Tenant[];
  keysOf(id: string): readonly KeyDescription[];
}

/** Who a tenant's id stands for; everybody is the local tenant where there are no keys. */
export function tenantsOf(keys: Pick<KeyRing, 'get'> | null): (id: string) => Tenant {
  return (id) => keys?.get(id) ?? localTenant;
}

/** A tenant as it is when it asks with a key of these scopes. */
export function toAskingTenant(tenant: Tenant, scopes: readonly Scope[]): Tenant {
  return { ...tenant, isOperator: tenant.isOperator && scopes.includes('operate') };
}

/** A tenant out of what is said of it. */
export function toTenant(id: string, said: Partial<Tenant> & TenantSettings): Tenant {
  return { ...said, id, weight: said.weight ?? 1, isOperator: said.isOperator ?? false };
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
  const byDigest = new Map<string, Asker>();
  const byId = new Map<string, Tenant>();
  for (const { keys, id, ...said } of file.tenants) {
    if (byId.has(id)) throw new SystemError('configuration-invalid', `tenant '${id}' is listed twice`);
    const tenant = toTenant(id, said);
    byId.set(id, tenant);
    for (const { sha256, name } of keys) {
      if (byDigest.has(sha256))
        throw new SystemError('configuration-invalid', `a key of tenant '${id}' is listed twice`);
      // The digest itself is nobody's to see.
      const key = { id: `listed_${hash('sha256', sha256).slice(0, 16)}`, name, scopes, expiresAtMs: null };
      byDigest.set(sha256, { tenant, key });
    }
  }
  return {
    has: (id) => byId.has(id),
    get: (id) => byId.get(id) ?? { id, weight: 1, isOperator: false },
    all: () => [...byId.values()],
    // Whoever does not know a key can't choose its digest: how long the look takes tells nothing of another one.
    find: (key) => byDigest.get(hash('sha256', key)) ?? null,
    keysOf: (tenantId) =>
      [...byDigest.values()]
        .filter(({ tenant }) => tenant.id === tenantId)
        .map(({ key: { id, name } }) => ({
          ...{ id, name, scopes: [...scopes] },
          ...{ createdAt: null, expiresAt: null, lastUsedAt: null },
        })),
  };
}
