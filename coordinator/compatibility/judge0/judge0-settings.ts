/**
 * Owns the numbers of a submission of Judge0's protocol: names, defaults, bounds, and the same as config_info says them. The protocol's defaults, the
 * operator's maxima. Never reads a request.
 * Invariant: what config_info says is what is held against a submission.
 */
import type { AllLimits } from '../../../shared/model/limits.ts';
import type { Submission } from './judge0-attributes.ts';

/** A number of a submission. */
export interface NumberSetting {
  readonly fallback: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Is it one of whole units, or of seconds with fractions? */
  readonly isWhole: boolean;
}

/** The attributes that are numbers. */
export type NumberName = {
  [Name in keyof Submission]: Submission[Name] extends number ? Name : never;
}[keyof Submission];
export type SettingName = Exclude<NumberName, 'language_id'>;

/** The attributes that are true or false. */
export const flagNames = [
  'enable_per_process_and_thread_time_limit',
  'enable_per_process_and_thread_memory_limit',
  'redirect_stderr_to_stdout',
  'enable_network',
] as const;

const KIB = 1024;
const SECOND_MS = 1000;
/** How many runs one submission may ask for. */
const RUNS_MAX = 20;
const EXTRA_SECONDS_MAX = 5;
/** Of one batch. */
export const BATCH_MAX = 20;
/** What additional files may weigh once they are unpacked; KiB. */
export const EXTRACTED_KIB_MAX = 10_240;
/** Characters of compiler options, and of arguments. */
export const WORDS_CHARACTERS_MAX = 512;

/** All numbers, by the operator's maxima. */
export function toSettings(maxima: AllLimits): Readonly<Record<SettingName, NumberSetting>> {
  const seconds = (fallback: number, minimum: number, maximum: number): NumberSetting => ({
    ...{ fallback: Math.min(fallback, maximum), minimum, maximum, isWhole: false },
  });
  const whole = (fallback: number, minimum: number, maximum: number): NumberSetting => ({
    ...{ fallback: Math.min(fallback, maximum), minimum, maximum, isWhole: true },
  });
  const kib = (bytes: number) => Math.floor(bytes / KIB);
  return {
    cpu_time_limit: seconds(5, 0, maxima.cpuTimeMs / SECOND_MS),
    cpu_extra_time: seconds(1, 0, EXTRA_SECONDS_MAX),
    wall_time_limit: seconds(10, 1, maxima.wallTimeMs / SECOND_MS),
    memory_limit: whole(128_000, 2048, kib(maxima.memoryBytes)),
    stack_limit: whole(64_000, 0, kib(maxima.stackBytes)),
    max_processes_and_or_threads: whole(60, 1, maxima.processes),
    max_file_size: whole(1024, 0, kib(Math.min(maxima.fileSizeBytes, maxima.outputBytes))),
    number_of_runs: whole(1, 1, RUNS_MAX),
  };
}

/** How the protocol writes a number. */
export function toNumberText(value: number, isWhole: boolean): string {
  return !isWhole && Number.isInteger(value) ? `${value}.0` : String(value);
}

/** What config_info answers. */
export function toConfigInfo(
  settings: Readonly<Record<SettingName, NumberSetting>>,
  { queueDepthMax, webhookTimeoutMs }: { readonly queueDepthMax: number; readonly webhookTimeoutMs: number },
): Record<string, unknown> {
  const numbers = Object.entries(settings).flatMap(([name, { fallback, maximum }]) => [
    [name, fallback],
    [`max_${name}`, maximum],
  ]);
  return {
    ...{ maintenance_mode: false, enable_wait_result: true, enable_compiler_options: true },
    ...{ allowed_languages_for_compile_options: [], enable_command_line_arguments: true },
    ...{ enable_submission_delete: false, enable_callbacks: true, enable_additional_files: true },
    // What is not taken is tried again for a day, ever more rarely: the protocol has no word for it, and no client reads more than a number.
    ...{ callbacks_max_tries: 3, callbacks_timeout: webhookTimeoutMs / SECOND_MS },
    ...{ max_queue_size: queueDepthMax, submission_cache_duration: 0, use_docs_as_homepage: false },
    ...Object.fromEntries(numbers),
    ...{ enable_per_process_and_thread_time_limit: false, allow_enable_per_process_and_thread_time_limit: false },
    ...{ enable_per_process_and_thread_memory_limit: false, allow_enable_per_process_and_thread_memory_limit: false },
    ...{ redirect_stderr_to_stdout: false, max_extract_size: EXTRACTED_KIB_MAX },
    ...{ enable_batched_submissions: true, max_submission_batch_size: BATCH_MAX },
    ...{ allow_enable_network: false, enable_network: false },
  };
}
