/**
 * Owns putting together what a coordinator knows of its tenants: who they are, their bounds, what they use, what operators did, and the routes for it.
 * Never decides about an execution. Invariant: without keys there is one tenant, with the operator's default bounds.
 */
import type { Timer } from '../shared/clock.ts';
import { toBase32 } from '../shared/ids.ts';
import type { CoordinatorConfig } from './config.ts';
import type { CoordinatorDeps } from './coordinator-deps.ts';
import type { HttpServer } from './http/server.ts';
import { addTenantRoutes } from './http/tenant-routes.ts';
import { addUsageRoute, type PresentUse } from './http/usage-routes.ts';
import { Concurrency } from './scheduler/concurrency.ts';
import { utcDayOf } from './tenants/build-quota.ts';
import { localTenant, tenantsOf } from './tenants/keys.ts';
import { quotasOf } from './tenants/quotas.ts';
import { StoredBytes } from './tenants/stored-bytes.ts';
import { TenantDirectory } from './tenants/tenant-directory.ts';
import { TenantService } from './tenants/tenant-service.ts';
import { watchTenantsFile } from './tenants/tenants-file.ts';
import { UsageLedger } from './tenants/usage-ledger.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Forgets what is too old, once an hour where `isOnDuty`, until it is cancelled. */
function trimHourly({ clock, log, state }: CoordinatorDeps, config: CoordinatorConfig, isOnDuty: () => boolean): Timer {
  const { auditAgeMsMax, auditEntriesMax, usageDaysMax } = config;
  const trim = async () => {
    const nowMs = clock.nowMs();
    await state.audit.trim(nowMs - auditAgeMsMax, auditEntriesMax);
    await state.usage.trim(utcDayOf(nowMs - usageDaysMax * DAY_MS), nowMs - DAY_MS);
  };
  let timer: Timer;
  const again = () => {
    timer = clock.after(HOUR_MS, () => {
      if (isOnDuty()) trim().catch((error: unknown) => log.warn({ err: error }, 'old audit and usage not removed'));
      again();
    });
  };
  again();
  return { cancel: () => timer.cancel() };
}

/** Everything about tenants; nothing is read or runs before `start`. */
export function createTenancy(deps: CoordinatorDeps, config: CoordinatorConfig) {
  const { clock, random, log, state, keys } = deps;
  const reread = config.tenantsFile === '' ? () => null : watchTenantsFile(config.tenantsFile);
  const directory =
    keys === null ? null : new TenantDirectory({ clock, log, store: state.tenants, listed: keys, reread }, config);
  const tenants = tenantsOf(directory);
  const boundsOf = (tenantId: string) => quotasOf(tenants(tenantId), config);
  // Asked for every turn of the queue: nothing is made for it.
  const concurrency = new Concurrency((id) => tenants(id).quotas?.concurrencyMax ?? config.tenantConcurrencyMax);
  const writer = `writer_${toBase32(random.bytes(10))}`;
  const ledger = new UsageLedger({ clock, log, store: state.usage, writer }, config);
  const storage = new StoredBytes(
    {
      ...{ clock, store: state.usage, maxOf: (tenantId: string) => boundsOf(tenantId).storedBytesMax },
      measured: (tenantId, bytes) => ledger.stored(tenantId, bytes),
    },
    config,
  );
  const service = new TenantService({ clock, random, store: state.tenants, directory }, config);
  let trimming: Timer | null = null;
  directory?.listen(() => concurrency.boundsChanged(directory.all().map(({ id }) => id)));
  return {
    ...{ directory, tenants, boundsOf, concurrency, ledger, storage, service },
    async start(isOnDuty: () => boolean): Promise<void> {
      await directory?.start();
      trimming = trimHourly(deps, config, isOnDuty);
    },
    async stop(): Promise<void> {
      trimming?.cancel();
      await Promise.all([directory?.stop(), ledger.stop()]);
    },
  };
}

/** See `createTenancy`. */
export type Tenancy = ReturnType<typeof createTenancy>;

/** Adds the routes of tenants, keys, usage and audit. */
export function addTenancyRoutes(
  server: HttpServer,
  { clock, state }: Pick<CoordinatorDeps, 'clock' | 'state'>,
  { service, ledger, storage, boundsOf, concurrency, directory }: Tenancy,
  present: Pick<PresentUse, 'waiting' | 'begunInMinute'>,
): void {
  addTenantRoutes(server, { service, audit: state.audit });
  addUsageRoute(server, {
    ...{ clock, usage: state.usage, buildUsage: state.buildUsage, ledger, storage, boundsOf },
    present: { ...present, running: (tenantId) => concurrency.countOf(tenantId) },
    isTenant: (id) => directory?.has(id) ?? id === localTenant.id,
  });
}
