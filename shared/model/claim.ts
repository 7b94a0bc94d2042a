/**
 * Owns how much of a machine's memory an execution is promised, so that coordinator and agent count the same. Pure.
 * Invariant: two executions whose promises fit into a machine never need more than it has, whatever their programs do within their limits.
 */
import type { AllLimits } from './limits.ts';

/** Limits of two scripts, the second of which runs on what the first has left. */
export interface ScriptLimits {
  readonly compile: AllLimits | null;
  readonly run: AllLimits;
}

/** Limits of a program that checks; an interactor runs beside the solution, any other after it. */
export interface CheckLimits extends ScriptLimits {
  readonly isBeside: boolean;
}

/** What a compile step's files may hold until all that runs on them has ended; bytes. */
const filesOf = ({ compile }: ScriptLimits) =>
  compile === null ? 0 : Math.min(compile.memoryBytes, compile.diskBytes);

/**
 * The memory that an execution may hold at a time, in bytes: its compile step's, or its run's together with the files that the compile step left,
 * which stay in memory until the run has ended; and the same of a program that checks, while the solution's files stay.
 */
export function toMemoryClaim(compile: AllLimits | null, run: AllLimits, check: CheckLimits | null = null): number {
  const solution = { compile, run };
  const own = Math.max(compile?.memoryBytes ?? 0, run.memoryBytes + filesOf(solution));
  if (check === null) return own;
  const running = check.isBeside
    ? run.memoryBytes + check.run.memoryBytes
    : Math.max(run.memoryBytes, check.run.memoryBytes);
  return Math.max(
    compile?.memoryBytes ?? 0,
    filesOf(solution) + Math.max(check.compile?.memoryBytes ?? 0, filesOf(check) + running),
  );
}
