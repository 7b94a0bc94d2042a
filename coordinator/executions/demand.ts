/**
 * Owns what the scheduler is told about an execution: whose it is, what it may take, where it may run, how long it may wait. Pure.
 * Never chooses an agent. Invariant: the same constraints have the same key.
 */
import { toMemoryClaim } from '../../shared/model/claim.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { type AllLimits, resolveLimits } from '../../shared/model/limits.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { Constraints } from '../scheduler/candidate.ts';
import type { Demand } from '../scheduler/scheduler.ts';

/** What an execution may take of a machine at most, both scripts together, and where. */
export type Claim = Pick<
  Demand,
  'constraints' | 'layers' | 'kind' | 'durationMsMax' | 'memoryBytes' | 'diskBytes' | 'waitMsMax'
>;

/** How long a request may wait for an agent, in milliseconds. */
export function toWaitMsMax({ placement }: ExecutionRequest, queueWaitMsMax: number): number {
  return Math.min(placement?.deadlineMs ?? queueWaitMsMax, queueWaitMsMax);
}

/** Where a request may run on layers of this architecture. */
export function toConstraints({ placement = {} }: ExecutionRequest, architecture: string): Constraints {
  const { pool = null, labels = {}, exclusiveCore = false } = placement;
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([architecture, pool, sorted, exclusiveCore]);
  return { key, architecture, pool, labels, exclusiveCore };
}

/** The claim of a request on a ready environment. */
export function toClaim(
  request: ExecutionRequest,
  { architecture, digests, layers }: Pick<ReadyEnvironment, 'architecture' | 'digests' | 'layers'>,
  { limitMaxima, queueWaitMsMax }: { readonly limitMaxima: AllLimits; readonly queueWaitMsMax: number },
): Claim {
  const { compile } = request;
  const run = resolveLimits(request.run.limits ?? {}, 'run', limitMaxima).limits;
  const compiling = compile === undefined ? null : resolveLimits(compile.limits ?? {}, 'compile', limitMaxima).limits;
  return {
    constraints: toConstraints(request, architecture),
    layers: digests,
    kind: digests.at(-1) ?? '',
    durationMsMax: run.wallTimeMs + (compiling?.wallTimeMs ?? 0),
    memoryBytes: toMemoryClaim(compiling, run),
    diskBytes: layers.reduce((sum, { manifest }) => sum + manifest.tar.bytes, 0),
    waitMsMax: toWaitMsMax(request, queueWaitMsMax),
  };
}
