/**
 * Owns the route of usage: what a tenant uses now and may, and what it used on the days before. Never counts anything itself.
 * Invariant: a tenant sees its own; an operator any, and of one that does not exist what others hear of those that do.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { problems } from '../../shared/http/answers.ts';
import { Closed } from '../../shared/model/closed.ts';
import { type Quotas, TenantId } from '../../shared/model/tenant.ts';
import { Usage } from '../../shared/model/usage.ts';
import type { BuildUsageStore } from '../executions/state-store.ts';
import type { UsageStore } from '../executions/tenant-store.ts';
import { secondsToNextDay, utcDayOf } from '../tenants/build-quota.ts';
import type { StoredBytes } from '../tenants/stored-bytes.ts';
import { mergeDays, type UsageLedger } from '../tenants/usage-ledger.ts';
import type { HttpServer } from './server.ts';

/** What of a tenant is under way, at the coordinator that answers for it. */
export interface PresentUse {
  running(tenantId: string): number;
  waiting(tenantId: string): number;
  begunInMinute(tenantId: string): number;
}

/** What the route talks to. */
export interface UsageRouteDeps {
  readonly clock: Clock;
  readonly usage: UsageStore;
  readonly buildUsage: BuildUsageStore;
  readonly ledger: UsageLedger;
  readonly storage: StoredBytes;
  readonly boundsOf: (tenantId: string) => Required<Quotas>;
  readonly present: PresentUse;
  readonly isTenant: (id: string) => boolean;
}

const UsageQuery = Closed({
  tenant: Type.Optional(TenantId),
  days: Type.Optional(Type.String({ pattern: '^([1-9]|[1-9][0-9]|[1-3][0-9][0-9]|400)$', description: 'Default 30.' })),
});

const DAY_MS = 86_400_000;
const DAYS_SHOWN = 30;

/** Whose usage a request is about; its coordinator answers. */
export function usageSubject({ tenant, query }: Pick<FastifyRequest, 'tenant' | 'query'>): string {
  const asked = (query as { readonly tenant?: unknown } | undefined)?.tenant;
  return tenant.isOperator && typeof asked === 'string' ? asked : tenant.id;
}

const measure = (used: number, max: number) => ({ used: Math.floor(used), max: max === 0 ? null : max });

/** Adds the route. */
export function addUsageRoute(server: HttpServer, deps: UsageRouteDeps): void {
  server.get(
    '/v1/usage',
    {
      config: { scope: 'any' },
      schema: {
        operationId: 'getUsage',
        errors: ['not-found'],
        summary: 'What a tenant uses and may; operators name another by ?tenant',
        querystring: UsageQuery,
        response: { 200: Usage, ...problems },
      },
    },
    async (request) => {
      const { tenant, query } = request;
      const id = usageSubject(request);
      if (query.tenant !== undefined && (query.tenant !== id || !(id === tenant.id || deps.isTenant(id))))
        throw new SystemError('not-found', `there is no tenant ${query.tenant}`);
      return await describe(id, Number(query.days ?? DAYS_SHOWN), deps);
    },
  );
}

async function describe(tenantId: string, days: number, deps: UsageRouteDeps): Promise<Usage> {
  const { clock, usage, buildUsage, ledger, storage, boundsOf, present } = deps;
  const nowMs = clock.nowMs();
  const today = utcDayOf(nowMs);
  const fromDay = utcDayOf(nowMs - (days - 1) * DAY_MS);
  const [known, builds, storedBytes] = await Promise.all([
    usage.days(tenantId, fromDay),
    buildUsage.days(tenantId, fromDay),
    storage.of(tenantId),
  ]);
  const built = new Map(builds.map((each) => [each.day, each]));
  const nothing = { tenantId, executions: 0, cpuMs: 0, wallMs: 0, storedBytes: 0 };
  const empty = [...built.keys(), today].map((day) => ({ ...nothing, day }));
  const merged = mergeDays([...known, ...ledger.unwritten(tenantId).filter(({ day }) => day >= fromDay), ...empty]);
  const bounds = boundsOf(tenantId);
  const { buildMs = 0, egressBytes = 0 } = built.get(today) ?? {};
  return {
    tenant: tenantId,
    now: {
      concurrency: measure(present.running(tenantId), bounds.concurrencyMax),
      queueDepth: measure(present.waiting(tenantId), bounds.queueDepthMax),
      executionsPerMinute: measure(present.begunInMinute(tenantId), bounds.executionsPerMinuteMax),
      buildSeconds: measure(buildMs / 1000, bounds.buildSecondsMax),
      egressBytes: measure(egressBytes, bounds.egressBytesMax),
      storedBytes: measure(storedBytes, bounds.storedBytesMax),
    },
    dayEndsInSeconds: secondsToNextDay(nowMs),
    days: merged.map(({ tenantId: _, day, ...amounts }) => ({
      ...{ day, ...amounts },
      buildMs: built.get(day)?.buildMs ?? 0,
      egressBytes: built.get(day)?.egressBytes ?? 0,
    })),
  };
}
