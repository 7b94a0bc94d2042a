/**
 * Owns the limits of a stage: fields, units, defaults and the embedded instance's maxima.
 * Never lowers a limit silently: above the maximum is an error that names the field.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed } from './closed.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const limit = (description: string) => Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description });

/** Every limit with its meaning; the unit is the last word of the name, counts have none. */
export const limitProperties = {
  cpuTimeMs: limit('Processor time of all descendants, orphans too.'),
  wallTimeMs: limit('Real time from the successful exec.'),
  idleTimeMs: limit('Wall time minus processor time of the whole run.'),
  memoryBytes: limit(
    'Everything charged to the program, tmpfs files and kernel memory included; reclaimable page cache never ends it.',
  ),
  processes: limit('Tasks of the program; threads count.'),
  outputBytes: limit('Each of stdout and stderr by itself.'),
  fileSizeBytes: limit('The largest file that the program may write.'),
  openFiles: limit('Open descriptors of each process.'),
  stackBytes: limit('Stack of the main thread of each process.'),
  diskBytes: limit('Everything writable together.'),
  diskInodes: limit('Files, directories and links in everything writable.'),
};

/** The names of the limits. */
export type LimitName = keyof typeof limitProperties;
export const limitNames = Object.keys(limitProperties) as readonly LimitName[];

/** All limits present. */
export const AllLimits = Closed(limitProperties, { title: 'AllLimits', description: 'Every limit of one script.' });
export type AllLimits = Static<typeof AllLimits>;

/** What a client may give: any of them. */
export const Limits = Type.Partial(AllLimits, {
  additionalProperties: false,
  title: 'Limits',
  description: "Limits of one script; what is missing has a default, what is above the operator's maximum is refused.",
});
export type Limits = Static<typeof Limits>;

/** Which of the defaults apply. */
export type LimitPurpose = 'build' | 'compile' | 'run';

const run: AllLimits = {
  cpuTimeMs: 10_000,
  wallTimeMs: 20_000,
  idleTimeMs: 20_000,
  memoryBytes: 512 * MiB,
  processes: 128,
  outputBytes: 1 * MiB,
  fileSizeBytes: 256 * MiB,
  openFiles: 1024,
  stackBytes: 64 * MiB,
  diskBytes: 256 * MiB,
  diskInodes: 20_000,
};

/** Defaults by purpose. */
export const limitDefaults: Readonly<Record<LimitPurpose, AllLimits>> = {
  run,
  compile: {
    ...run,
    cpuTimeMs: 60_000,
    wallTimeMs: 120_000,
    idleTimeMs: 60_000,
    memoryBytes: 1 * GiB,
    processes: 256,
    openFiles: 4096,
    diskInodes: 50_000,
  },
  build: {
    cpuTimeMs: 900_000,
    wallTimeMs: 1_200_000,
    idleTimeMs: 600_000,
    memoryBytes: 4 * GiB,
    processes: 1024,
    outputBytes: 16 * MiB,
    fileSizeBytes: 4 * GiB,
    openFiles: 16_384,
    stackBytes: 64 * MiB,
    diskBytes: 6 * GiB,
    diskInodes: 1_000_000,
  },
};

/** The embedded instance's maxima for compile and run. */
export const limitMaxima: AllLimits = {
  cpuTimeMs: 300_000,
  wallTimeMs: 600_000,
  idleTimeMs: 600_000,
  memoryBytes: 4 * GiB,
  processes: 4096,
  outputBytes: 16 * MiB,
  fileSizeBytes: 4 * GiB,
  openFiles: 65_536,
  stackBytes: 4 * GiB,
  diskBytes: 4 * GiB,
  diskInodes: 1_000_000,
};

/** The embedded instance's maxima for builds. */
export const buildLimitMaxima: AllLimits = {
  ...limitDefaults.build,
  cpuTimeMs: 3_600_000,
  wallTimeMs: 3_600_000,
  idleTimeMs: 3_600_000,
  memoryBytes: 8 * GiB,
  diskBytes: 16 * GiB,
};

/** What no operator restricts: the most that the launcher takes, or more than any machine has. */
export const limitCeilings: AllLimits = {
  cpuTimeMs: 1e12,
  wallTimeMs: 1e12,
  idleTimeMs: 1e12,
  memoryBytes: Number.MAX_SAFE_INTEGER,
  processes: 4_194_304,
  outputBytes: Number.MAX_SAFE_INTEGER,
  fileSizeBytes: Number.MAX_SAFE_INTEGER,
  openFiles: 1_048_576,
  stackBytes: Number.MAX_SAFE_INTEGER,
  diskBytes: Number.MAX_SAFE_INTEGER,
  diskInodes: Number.MAX_SAFE_INTEGER,
};

/** One limit that is above its maximum. */
export interface LimitExcess {
  readonly limit: LimitName;
  readonly asked: number;
  readonly maximum: number;
}

/** The limits in force: what was asked for over the defaults, these within the maxima; and what of it is above them. */
export function resolveLimits(
  asked: Limits,
  purpose: LimitPurpose,
  maxima: AllLimits,
): { limits: AllLimits; excesses: readonly LimitExcess[] } {
  const limits: AllLimits = { ...limitDefaults[purpose] };
  const excesses: LimitExcess[] = [];
  for (const name of limitNames) {
    const value = asked[name];
    limits[name] = value ?? Math.min(limits[name], maxima[name]);
    if (value !== undefined && value > maxima[name])
      excesses.push({ limit: name, asked: value, maximum: maxima[name] });
  }
  // A client that raises the cpu or wall time alone means "let it run that long".
  if (asked.wallTimeMs === undefined)
    limits.wallTimeMs = Math.min(maxima.wallTimeMs, Math.max(limits.wallTimeMs, 2 * limits.cpuTimeMs));
  if (asked.idleTimeMs === undefined)
    limits.idleTimeMs = Math.min(maxima.idleTimeMs, Math.max(limits.idleTimeMs, limits.wallTimeMs));
  return { limits, excesses };
}
