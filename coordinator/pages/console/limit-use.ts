/**
 * Owns what an execution's scripts used of what they might. Pure; never decides whether that was too much.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import type { AllLimits } from '../../../shared/model/limits.ts';

/** One amount of one script. */
export interface LimitUse {
  readonly script: 'compile' | 'run';
  readonly what: string;
  readonly used: number;
  /** Null: not known. */
  readonly allowed: number | null;
  readonly unit: 'ms' | 'bytes' | 'count';
}

type Usage = NonNullable<Execution['run']>['usage'];

const amounts: readonly (readonly [string, keyof Usage, keyof AllLimits | null, LimitUse['unit']])[] = [
  ['Processor time', 'cpuTimeMs', 'cpuTimeMs', 'ms'],
  ['Real time', 'wallTimeMs', 'wallTimeMs', 'ms'],
  ['Memory at its peak', 'memoryPeakBytes', 'memoryBytes', 'bytes'],
  ['Processes at their peak', 'processesPeak', 'processes', 'count'],
  ['Output', 'outputBytes', 'outputBytes', 'bytes'],
  ['Disk', 'diskBytes', 'diskBytes', 'bytes'],
  ['Held back', 'throttledMs', null, 'ms'],
];

/** All that is known; `limits` by script. */
export function findUses(
  execution: Pick<Execution, 'compile' | 'run'>,
  limits: Readonly<Partial<Record<'compile' | 'run', AllLimits>>>,
): LimitUse[] {
  return (['compile', 'run'] as const).flatMap((script) => {
    const report = execution[script];
    if (report === null) return [];
    return amounts.map(([what, usage, limit, unit]) => {
      const allowed = limit === null ? null : (limits[script]?.[limit] ?? null);
      return { script, what, used: report.usage[usage], allowed, unit };
    });
  });
}
