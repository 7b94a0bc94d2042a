/**
 * Owns what the scheduler is told about an execution: whose it is, what it may take, where it may run, how long it may wait. Pure.
 * Never chooses an agent. Invariant: the same constraints have the same key.
 */
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { type AllLimits, resolveLimits } from '../../shared/model/limits.ts';
import type { ReadyEnvironment } from '../environments/environment-build.ts';
import type { Constraints } from '../scheduler/placement.ts';
import type { Demand } from '../scheduler/scheduler.ts';

/** What an execution may take of a machine at most, both scripts together, and where. */
export type Claim = Pick<Demand, 'constraints' | 'layers' | 'kind' | 'durationMsMax' | 'memoryBytes' | 'waitMsMax'>;

/** How long a request may wait for an agent, in milliseconds. */
export function toWaitMsMax({ placement }: ExecutionRequest, queueWaitMsMax: number): number {
  return Math.min(placement?.deadlineMs ?? queueWaitMsMax, queueWaitMsMax);
}

/** Where a request may run on layers of this architecture. */
export function toConstraints({ placement = {} }: ExecutionRequest, architecture: string): Constraints {
  const { pool = null, labels = {} } = placement;
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: JSON.stringify([architecture, pool, sorted]), architecture, pool, labels };
}

/** The claim of a request on a ready environment. */
export function toClaim(
  request: ExecutionRequest,
  { architecture, digests }: Pick<ReadyEnvironment, 'architecture' | 'digests'>,
  { limitMaxima, queueWaitMsMax }: { readonly limitMaxima: AllLimits; readonly queueWaitMsMax: number },
): Claim {
  const { compile, run } = request;
  const limits = [resolveLimits(run.limits ?? {}, 'run', limitMaxima).limits];
  if (compile !== undefined) limits.push(resolveLimits(compile.limits ?? {}, 'compile', limitMaxima).limits);
  return {
    constraints: toConstraints(request, architecture),
    layers: digests,
    kind: digests.at(-1) ?? '',
    durationMsMax: limits.reduce((sum, { wallTimeMs }) => sum + wallTimeMs, 0),
    memoryBytes: Math.max(...limits.map(({ memoryBytes }) => memoryBytes)),
    waitMsMax: toWaitMsMax(request, queueWaitMsMax),
  };
}
