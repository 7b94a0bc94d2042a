/**
 * Owns how much of a machine's memory an execution is promised, so that coordinator and agent count the same. Pure.
 * Invariant: two executions whose promises fit into a machine never need more than it has, whatever their programs do within their limits.
 */
import type { AllLimits } from './limits.ts';

/**
 * The memory that an execution may hold at a time, in bytes: its compile step's, or its run's together with the files that the compile step left,
 * which stay in memory until the run has ended.
 */
export function toMemoryClaim(compile: AllLimits | null, run: AllLimits): number {
  if (compile === null) return run.memoryBytes;
  return Math.max(compile.memoryBytes, run.memoryBytes + Math.min(compile.memoryBytes, compile.diskBytes));
}
