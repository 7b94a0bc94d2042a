/**
 * Owns what an execution's scripts used of what they might. Pure; never decides whether that was too much.
 */
import type { Execution } from '../../../shared/model/execution.ts';
import type { AllLimits } from '../../../shared/model/limits.ts';
import { toBytesText, toTimeText } from './formats.ts';

/** One amount of one script. */
export interface LimitUse {
  readonly script: 'compile' | 'run';
  readonly what: string;
  readonly used: number;
  /** Null: not known. */
  readonly allowed: number | null;
  readonly unit: 'ms' | 'bytes' | 'count';
  /** By which it is bounded; null: by none. */
  readonly limit: keyof AllLimits | null;
}

const shownAs: Readonly<Record<LimitUse['unit'], (amount: number) => string>> = {
  ms: toTimeText,
  bytes: toBytesText,
  count: String,
};

/** An amount with its unit. */
export const toAmountText = (amount: number, unit: LimitUse['unit']): string => shownAs[unit](amount);

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
  limits: Readonly<Partial<Record<'compile' | 'run', Partial<AllLimits>>>>,
): LimitUse[] {
  return (['compile', 'run'] as const).flatMap((script) => {
    const report = execution[script];
    if (report === null) return [];
    return amounts.map(([what, usage, limit, unit]) => {
      const allowed = limit === null ? null : (limits[script]?.[limit] ?? null);
      return { script, what, used: report.usage[usage], allowed, unit, limit };
    });
  });
}
