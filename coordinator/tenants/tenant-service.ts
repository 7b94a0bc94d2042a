/**
 * Owns what operators and tenants do with tenants and keys: who may, and what follows from it. Never finds out who asks, and never keeps a key: it is
 * given out once. Invariants: nobody gives out a key that may more, or lasts longer, than its own, but an operator; of another tenant's a tenant hears
 * what it would hear of one that does not exist; what was asked for holds here when the promise resolves, and elsewhere when others have looked.
 */
import { type Clock, type Random, toTimestamp } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { toBase32 } from '../../shared/ids.ts';
import type { KeyDescription, Scope, TenantSettings } from '../../shared/model/tenant.ts';
import type { TenantStore } from '../executions/tenant-store.ts';
import { createKeyText } from './key-text.ts';
import { type Asker, localTenant, type Tenant } from './keys.ts';
import type { TenantDirectory } from './tenant-directory.ts';

/** What the service talks to; without a directory nobody has keys. */
export interface TenantServiceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: TenantStore;
  readonly directory: TenantDirectory | null;
}

/** How many there may be. */
export interface TenantServiceOptions {
  readonly tenantsMax: number;
  readonly tenantKeysMax: number;
}

/** What is asked for. */
export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt?: string;
}

/** A tenant as it is, and where that stands. */
export interface KnownTenant {
  readonly tenant: Tenant;
  readonly isListed: boolean;
  readonly createdAtMs: number | null;
}

const toNotFound = (id: string) => new SystemError('not-found', `there is no tenant ${id}`);

/** See the head of this file. */
export class TenantService {
  readonly #deps: TenantServiceDeps;
  readonly #options: TenantServiceOptions;

  constructor(deps: TenantServiceDeps, options: TenantServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** All of them; for a tenant itself. */
  list({ tenant }: Asker): KnownTenant[] {
    const { directory } = this.#deps;
    if (directory === null) return [toLocal()];
    const all = tenant.isOperator ? directory.all() : [directory.get(tenant.id)];
    return all.map(({ id }) => this.#known(id));
  }

  /** SystemError `not-found`, also for one that is somebody else's affair. */
  get({ tenant }: Asker, id: string): KnownTenant {
    const { directory } = this.#deps;
    if (id !== tenant.id && !(tenant.isOperator && directory?.has(id) === true)) throw toNotFound(id);
    return this.#known(id);
  }

  #known(id: string): KnownTenant {
    const { directory } = this.#deps;
    if (directory === null) return toLocal();
    return {
      tenant: directory.get(id),
      isListed: directory.isListed(id),
      createdAtMs: directory.createdAtMs(id),
    };
  }

  /** Makes a tenant or gives it other settings; SystemError `not-found`, `forbidden`, `conflict`. */
  async save(asker: Asker, id: string, settings: TenantSettings): Promise<KnownTenant> {
    const { clock, store } = this.#deps;
    const { tenantsMax } = this.#options;
    if (!asker.tenant.isOperator) {
      this.get(asker, id);
      throw new SystemError('forbidden', `what tenant ${id} may is the operator's to say`);
    }
    const directory = this.#keyed();
    if (id === localTenant.id) throw new SystemError('conflict', `'${id}' is who builds bases; take another name`);
    if (directory.isListed(id))
      throw new SystemError('conflict', `tenant ${id} stands in the tenants file; change it there`);
    const saved = await store.save(id, settings, clock.nowMs(), tenantsMax);
    if (saved === null) throw new SystemError('conflict', `there are ${tenantsMax} tenants already; see tenantsMax`);
    await directory.readAgain();
    return this.#known(id);
  }

  #keyed(): TenantDirectory {
    const { directory } = this.#deps;
    if (directory !== null) return directory;
    throw new SystemError('conflict', 'without keys there is one tenant; set tenantsFile and list an operator in it');
  }

  /** SystemError `not-found`. */
  keysOf(asker: Asker, id: string): readonly KeyDescription[] {
    this.get(asker, id);
    return this.#deps.directory?.keysOf(id) ?? [];
  }

  /** Gives out a key, this once; SystemError `not-found`, `forbidden`, `conflict`, `request-invalid`. */
  async issue(
    asker: Asker,
    tenantId: string,
    { name, scopes, expiresAt }: KeyRequest,
  ): Promise<KeyDescription & { key: string }> {
    const { clock, random, store } = this.#deps;
    this.get(asker, tenantId);
    const directory = this.#keyed();
    const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
    const nowMs = clock.nowMs();
    if (expiresAtMs !== null && !(expiresAtMs > nowMs)) {
      const detail = `is ${expiresAt}, which is no time to come`;
      throw new SystemError('request-invalid', `/expiresAt ${detail}`, {
        errors: [{ pointer: '/expiresAt', detail }],
      });
    }
    if (!asker.tenant.isOperator) checkWithin(asker, scopes, expiresAtMs);
    const key = createKeyText(random);
    const id = `key_${toBase32(random.bytes(10))}`;
    const stored = { id, tenantId, name, digest: digestOf(key), scopes, createdAtMs: nowMs, expiresAtMs };
    const isAdded = await store.addKey({ ...stored, lastUsedAtMs: null }, this.#options.tenantKeysMax);
    if (!isAdded) {
      const detail = `tenant ${tenantId} has ${this.#options.tenantKeysMax} keys already; revoke one, or see tenantKeysMax`;
      throw new SystemError('conflict', detail);
    }
    await directory.readAgain();
    const expires = expiresAtMs === null ? null : toTimestamp(expiresAtMs);
    return {
      ...{ id, name, scopes: [...scopes], createdAt: toTimestamp(nowMs), expiresAt: expires, lastUsedAt: null },
      key,
    };
  }

  /** Revokes a key; SystemError `not-found`, `conflict` for one of the file. */
  async revoke(asker: Asker, tenantId: string, keyId: string): Promise<void> {
    const known = this.keysOf(asker, tenantId).find(({ id }) => id === keyId);
    if (known?.createdAt === null)
      throw new SystemError('conflict', `key ${keyId} stands in the tenants file; remove it there`);
    if (!(await this.#deps.store.removeKey(tenantId, keyId)))
      throw new SystemError('not-found', `tenant ${tenantId} has no key ${keyId.slice(0, 100)}`);
    await this.#deps.directory?.readAgain();
  }
}

function toLocal(): KnownTenant {
  return { tenant: localTenant, isListed: true, createdAtMs: null };
}

function checkWithin({ key }: Asker, scopes: readonly Scope[], expiresAtMs: number | null): void {
  const missing = scopes.filter((scope) => !key.scopes.includes(scope));
  if (missing.length > 0)
    throw new SystemError('forbidden', `key ${key.id} can't give out what it has not: scope ${missing.join(', ')}`);
  if (key.expiresAtMs !== null && (expiresAtMs === null || expiresAtMs > key.expiresAtMs)) {
    const until = toTimestamp(key.expiresAtMs);
    throw new SystemError('forbidden', `key ${key.id} is good until ${until} and can't give out one that lasts longer`);
  }
}
