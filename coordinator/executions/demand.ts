/**
 * Owns what the scheduler is told about an execution: whose it is, what it may take, where it may run, how long it may wait. Pure.
 * Never chooses an agent. Invariant: the same constraints have the same key.
 */
import type { SystemError } from '../../shared/errors.ts';
import { toMemoryClaim } from '../../shared/model/claim.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { findFilePlaces } from '../../shared/model/file-places.ts';
import { type AllLimits, resolveLimits } from '../../shared/model/limits.ts';
import { type PlacedAddition, toNeededLabels } from '../../shared/protocol/version.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { EnvironmentService } from '../environments/environment-service.ts';
import { type SiteCase, toSiteCase } from '../pools/site-case.ts';
import type { Constraints } from '../scheduler/candidate.ts';
import type { Demand } from '../scheduler/scheduler.ts';
import type { Tenant } from '../tenants/keys.ts';

/** What an execution may take of a machine at most, both scripts together, and where. */
export type Claim = Pick<
  Demand,
  'constraints' | 'site' | 'layers' | 'kind' | 'durationMsMax' | 'memoryBytes' | 'diskBytes' | 'waitMsMax'
>;

/** How long a request may wait for an agent, in milliseconds. */
export function toWaitMsMax({ placement }: ExecutionRequest, queueWaitMsMax: number): number {
  return Math.min(placement?.deadlineMs ?? queueWaitMsMax, queueWaitMsMax);
}

/** What agents must understand for a request. */
function findNeeds(request: ExecutionRequest): PlacedAddition[] {
  const hasInputs = findFilePlaces(request).length > 0;
  return [...(hasInputs ? ['order.inputs' as const] : []), ...(request.run.collect ? ['order.collect' as const] : [])];
}

/** Where a request may run on layers of this architecture. */
export function toConstraints(request: ExecutionRequest, architecture: string): Constraints {
  const { pool = null, labels: wanted = {}, exclusiveCore = false } = request.placement ?? {};
  const labels = { ...wanted, ...toNeededLabels(findNeeds(request)) };
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([architecture, pool, sorted, exclusiveCore]);
  return { key, architecture, pool, labels, exclusiveCore };
}

/** The claim of a request on a ready environment. */
export function toClaim(
  tenant: Tenant,
  request: ExecutionRequest,
  environment: Pick<ReadyEnvironment, 'architecture' | 'digests' | 'layers' | 'isPrivate'>,
  { limitMaxima, queueWaitMsMax }: { readonly limitMaxima: AllLimits; readonly queueWaitMsMax: number },
): Claim {
  const { architecture, digests, layers } = environment;
  const { compile } = request;
  const run = resolveLimits(request.run.limits ?? {}, 'run', limitMaxima).limits;
  const compiling = compile === undefined ? null : resolveLimits(compile.limits ?? {}, 'compile', limitMaxima).limits;
  return {
    constraints: toConstraints(request, architecture),
    site: toSiteCase(tenant, request, environment, limitMaxima),
    layers: digests,
    kind: digests.at(-1) ?? '',
    durationMsMax: run.wallTimeMs + (compiling?.wallTimeMs ?? 0),
    memoryBytes: toMemoryClaim(compiling, run),
    diskBytes: layers.reduce((sum, { manifest }) => sum + manifest.tar.bytes, 0),
    waitMsMax: toWaitMsMax(request, queueWaitMsMax),
  };
}

/** Who knows which pools there are: SystemError for work that may never have the one that it names. */
export interface NamedPools {
  objectionTo(site: SiteCase, pool: string | null): SystemError | null;
}

/** Throws it for what is known of a request before its environment is ready. */
export function checkNamedPool(
  pools: NamedPools,
  tenant: Tenant,
  request: ExecutionRequest,
  opened: Awaited<ReturnType<EnvironmentService['open']>>,
  maxima: AllLimits,
): void {
  const { pool } = request.placement ?? {};
  if (pool === undefined) return;
  const known = 'ready' in opened ? opened.ready : { layers: [], isPrivate: opened.build.description.isPrivate };
  const objection = pools.objectionTo(toSiteCase(tenant, request, known, maxima), pool);
  if (objection !== null) throw objection;
}
