/**
 * Owns what the scheduler is told about an execution: whose it is, what it may take, where it may run, how long it may wait. Pure.
 * Never chooses an agent. Invariant: the same constraints have the same key.
 */
import type { SystemError } from '../../shared/errors.ts';
import { toCheckLimits } from '../../shared/model/check-limits.ts';
import { toMemoryClaim } from '../../shared/model/claim.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { findFilePlaces } from '../../shared/model/file-places.ts';
import { type AllLimits, resolveLimits } from '../../shared/model/limits.ts';
import type { Addition } from '../../shared/protocol/version.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import { type SiteCase, toSiteCase } from '../pools/site-case.ts';
import type { Constraints } from '../scheduler/candidate.ts';
import type { Demand } from '../scheduler/scheduler.ts';
import type { Tenant } from '../tenants/keys.ts';
import type { OpenedEnvironments } from './environment-wait.ts';
import type { ExecutionTerms, LiveExecution } from './live-execution.ts';

/** What an execution may take of a machine at most, both scripts together, and where. */
export type Claim = Pick<
  Demand,
  'constraints' | 'site' | 'layers' | 'kind' | 'durationMsMax' | 'memoryBytes' | 'diskBytes' | 'waitMsMax'
>;

/** How long a request may wait for an agent, in milliseconds. */
export function toWaitMsMax({ placement }: ExecutionRequest, queueWaitMsMax: number): number {
  return Math.min(placement?.deadlineMs ?? queueWaitMsMax, queueWaitMsMax);
}

/** Where a request may run on layers of this architecture. `isPiped`: an interactive one wants pipes. */
export function toConstraints(request: ExecutionRequest, architecture: string, isPiped = false): Constraints {
  const { placement = {}, tests, interactive, run } = request;
  const { pool = null, labels = {}, exclusiveCore = false } = placement;
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const needs: Addition[] = [];
  if (tests !== undefined) needs.push('order.tests');
  if (interactive === true) needs.push('order.terminal');
  if (isPiped) needs.push('order.pipes');
  if (findFilePlaces(request).length > 0) needs.push('order.inputs');
  if (run.collect !== undefined) needs.push('order.collect');
  const key = JSON.stringify([architecture, pool, sorted, exclusiveCore, ...needs]);
  return { key, architecture, pool, labels, exclusiveCore, ...(needs.length === 0 ? {} : { needs }) };
}

/** What an execution runs on, its check program included. */
export type UsedEnvironment = Pick<ReadyEnvironment, 'architecture' | 'digests' | 'layers' | 'isPrivate'>;

/** The environments of an execution, which are ready, as one. */
export function readyOf({ id, own, check }: LiveExecution): UsedEnvironment {
  const parts = [own, ...(check === null ? [] : [check])].map(({ ready }) => {
    if (ready === null) throw new Error(`${id} is scheduled without an environment`);
    return ready;
  });
  // Most have one.
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const layers = new Map(parts.flatMap((part) => part.layers.map((layer) => [layer.manifest.tar.digest, layer])));
  return {
    architecture: first?.architecture ?? '',
    digests: [...new Set(parts.flatMap(({ digests }) => digests))],
    layers: [...layers.values()],
    isPrivate: parts.some(({ isPrivate }) => isPrivate),
  };
}

/** The claim of a request on a ready environment. */
export function toClaim(
  tenant: Tenant,
  { request, isPiped }: Pick<ExecutionTerms, 'request' | 'isPiped'>,
  environment: UsedEnvironment,
  { limitMaxima, queueWaitMsMax }: { readonly limitMaxima: AllLimits; readonly queueWaitMsMax: number },
): Claim {
  const { architecture, digests, layers } = environment;
  const { compile, tests } = request;
  const run = resolveLimits(request.run.limits ?? {}, 'run', limitMaxima).limits;
  const compiling = compile === undefined ? null : resolveLimits(compile.limits ?? {}, 'compile', limitMaxima).limits;
  const check = toCheckLimits(request, limitMaxima);
  const once = run.wallTimeMs + (check?.run.wallTimeMs ?? 0);
  return {
    constraints: toConstraints(request, architecture, isPiped),
    site: toSiteCase(tenant, request, environment, limitMaxima),
    layers: digests,
    // What is judged by many tests takes longer than what runs once.
    kind: tests === undefined ? (digests.at(-1) ?? '') : `${tests.length} tests ${digests.at(-1) ?? ''}`,
    durationMsMax:
      (compiling?.wallTimeMs ?? 0) +
      (check?.compile?.wallTimeMs ?? 0) +
      once * (tests === undefined ? 1 : tests.length),
    memoryBytes: toMemoryClaim(compiling, run, check),
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
  { own, check }: OpenedEnvironments,
  maxima: AllLimits,
): void {
  const { pool } = request.placement ?? {};
  if (pool === undefined) return;
  const parts = [own, ...(check === null ? [] : [check])].map((opened) =>
    'ready' in opened ? opened.ready : { layers: [], isPrivate: opened.build.description.isPrivate },
  );
  const known = {
    layers: parts.flatMap(({ layers }) => layers),
    isPrivate: parts.some(({ isPrivate }) => isPrivate),
  };
  const objection = pools.objectionTo(toSiteCase(tenant, request, known, maxima), pool);
  if (objection !== null) throw objection;
}
