/**
 * Owns the limits under which a check program runs: as any script's, but for an interactor, who lives as long as the solution that it talks with.
 * Never lowers what was asked for.
 */
import type { CheckLimits } from './claim.ts';
import type { ExecutionRequest } from './execution.ts';
import type { CheckProgram } from './judging.ts';
import { type AllLimits, type Limits, resolveLimits } from './limits.ts';

/** By so much an interactor outlives a solution that says nothing, so that it is the solution whose limit ends it. */
const OUTLIVES_MS = 5000;

/** Of a check program's run; `solution`: what was asked for the solution's. */
export function resolveCheckLimits(
  { kind, run }: Pick<CheckProgram, 'kind' | 'run'>,
  solution: Limits | undefined,
  maxima: AllLimits,
): AllLimits {
  const { limits } = resolveLimits(run.limits ?? {}, 'run', maxima);
  if (kind !== 'interactor') return limits;
  const beside = resolveLimits(solution ?? {}, 'run', maxima).limits;
  const outlive = (name: 'wallTimeMs' | 'idleTimeMs') =>
    run.limits?.[name] ?? Math.min(maxima[name], Math.max(limits[name], beside[name] + OUTLIVES_MS));
  return { ...limits, wallTimeMs: outlive('wallTimeMs'), idleTimeMs: outlive('idleTimeMs') };
}

/** What the check program of a request may take, or null when there is none. */
export function toCheckLimits(
  { check, run }: Pick<ExecutionRequest, 'check' | 'run'>,
  maxima: AllLimits,
): CheckLimits | null {
  if (check === undefined || !('run' in check)) return null;
  return {
    isBeside: check.kind === 'interactor',
    compile: check.compile === undefined ? null : resolveLimits(check.compile.limits ?? {}, 'compile', maxima).limits,
    run: resolveCheckLimits(check, run.limits, maxima),
  };
}
