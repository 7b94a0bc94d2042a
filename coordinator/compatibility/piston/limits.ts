/**
 * Owns what Piston's limits are here: the highest of each for a recipe, and the native limits that a request comes to. Pure.
 * Invariant: nothing is without a bound: 0, which Piston takes as "for ever", is the highest that may be asked for.
 */
import type { AllLimits, Limits } from '../../../shared/model/limits.ts';
import type { Recipe } from '../../../shared/recipes/recipe.ts';
import type { ExecuteRequest, LimitField } from './execute-request.ts';

/** The settings that are limits. */
export interface PistonLimitSettings {
  readonly pistonRunWallTimeMs: number;
  readonly pistonRunCpuTimeMs: number;
  readonly pistonRunMemoryBytes: number;
  readonly pistonCompileWallTimeMs: number;
  readonly pistonCompileCpuTimeMs: number;
  readonly pistonCompileMemoryBytes: number;
  readonly pistonOutputBytes: number;
}

/** Which of the native limits each is, of which script, and its setting. */
const fields = {
  compile_memory_limit: ['compile', 'memoryBytes', 'pistonCompileMemoryBytes'],
  run_memory_limit: ['run', 'memoryBytes', 'pistonRunMemoryBytes'],
  compile_timeout: ['compile', 'wallTimeMs', 'pistonCompileWallTimeMs'],
  run_timeout: ['run', 'wallTimeMs', 'pistonRunWallTimeMs'],
  compile_cpu_time: ['compile', 'cpuTimeMs', 'pistonCompileCpuTimeMs'],
  run_cpu_time: ['run', 'cpuTimeMs', 'pistonRunCpuTimeMs'],
} as const satisfies Record<LimitField, readonly [string, keyof AllLimits, keyof PistonLimitSettings]>;

/** See the head of this file. */
export class PistonLimits {
  readonly #settings: PistonLimitSettings;
  readonly #maxima: AllLimits;

  constructor(settings: PistonLimitSettings, maxima: AllLimits) {
    this.#settings = settings;
    this.#maxima = maxima;
  }

  /** The highest that may be asked for; null: there is no such bound. */
  configured(recipe: Recipe, field: LimitField): number | null {
    const [script, limit, setting] = fields[field];
    const value = this.#settings[setting];
    if (value === 0) return null;
    // As limit_override of a Piston package: what a language needs comes before what all have.
    const own = limit === 'memoryBytes' ? 0 : (recipe[script]?.limits?.[limit] ?? 0);
    return Math.min(Math.max(value, own), this.#maxima[limit]);
  }

  /** The native limits of a script. */
  of(
    { runtime: { recipe }, asked }: Pick<ExecuteRequest, 'runtime' | 'asked'>,
    script: 'compile' | 'run',
    isInteractive: boolean,
  ): Limits {
    const outputBytes = Math.min(this.#settings.pistonOutputBytes, this.#maxima.outputBytes);
    // What is read as it comes has no bound there, and the native default here.
    const limits: Limits = isInteractive ? {} : { outputBytes };
    for (const [field, [of, limit]] of Object.entries(fields) as [LimitField, (typeof fields)[LimitField]][]) {
      const value = asked[field] ?? this.configured(recipe, field);
      if (of === script && value !== null) limits[limit] = Math.max(1, Math.ceil(Math.min(value, this.#maxima[limit])));
    }
    return limits;
  }
}
