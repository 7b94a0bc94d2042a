/**
 * Owns the way from the REPORT message to a LaunchReport: names for numbers, milliseconds for nanoseconds.
 * Never judges: a verdict is made from the LaunchReport elsewhere.
 * Invariant: a number that the contract does not know throws a RangeError; an errno or step without a name keeps its number.
 */
import { constants } from 'node:os';
import { names } from './contract.ts';
import type { FieldsOf } from './frames.ts';
import type { ExceededLimit, LaunchEnd, LaunchReport } from './sandbox.ts';

const NS_PER_MS = 1_000_000;

const ends: Readonly<Record<number, LaunchEnd>> = {
  [names.END.EXITED]: 'exited',
  [names.END.SIGNALED]: 'signaled',
  [names.END.START_FAILED]: 'start-failed',
  [names.END.SETUP_FAILED]: 'setup-failed',
  [names.END.CLIENT]: 'client',
};

const exceededLimits: Readonly<Record<number, ExceededLimit>> = {
  [names.LIMIT.CPU_TIME]: 'cpuTimeMs',
  [names.LIMIT.WALL_TIME]: 'wallTimeMs',
  [names.LIMIT.IDLE_TIME]: 'idleTimeMs',
  [names.LIMIT.MEMORY]: 'memoryBytes',
  [names.LIMIT.OUTPUT]: 'outputBytes',
  [names.LIMIT.FILE_SIZE]: 'fileSizeBytes',
  [names.LIMIT.DISK]: 'diskBytes',
};

const stepNames = new Map<number, string>(
  Object.entries(names.STEP).map(([name, number]) => [number, name.toLowerCase().replaceAll('_', '-')]),
);

// Some numbers have two names; the one that is listed last wins, so the preferred ones come last.
const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));
for (const name of ['EAGAIN', 'EOPNOTSUPP', 'EDEADLK'] as const) {
  const number = constants.errno[name];
  if (number !== undefined) errnoNames.set(number, name);
}

/** The step's name as errors and reports show it, for example `exec`. */
export function toStepName(step: number): string {
  return stepNames.get(step) ?? `step-${step}`;
}

/** The errno's name, for example `ENOENT`. */
export function toErrnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno-${errno}`;
}

/** The report of a launch; throws a RangeError for an end or a limit that the contract does not know. */
export function toLaunchReport(fields: FieldsOf<'REPORT'>): LaunchReport {
  const end = ends[fields.end];
  if (end === undefined) throw new RangeError(`a report with the unknown end ${fields.end}`);
  const isFailure = end === 'start-failed' || end === 'setup-failed';
  return {
    end,
    exitCode: fields.exitCode < 0 ? null : fields.exitCode,
    signal: fields.signal === 0 ? null : fields.signal,
    failure: isFailure ? { step: toStepName(fields.step), errno: toErrnoName(fields.errorNumber) } : null,
    exceeded: toExceeded(fields),
    diskFull: fields.diskFull === 1 ? 'bytes' : fields.diskFull === 2 ? 'inodes' : null,
    stdoutTruncated: fields.stdoutTruncated === 1,
    stderrTruncated: fields.stderrTruncated === 1,
    cpuTimeMs: fields.cpuTimeNs / NS_PER_MS,
    cpuUserMs: fields.cpuUserNs / NS_PER_MS,
    cpuSystemMs: fields.cpuSystemNs / NS_PER_MS,
    wallTimeMs: fields.wallTimeNs / NS_PER_MS,
    memoryPeakBytes: fields.memoryPeakBytes,
    processesPeak: fields.processesPeak,
    stdoutBytes: fields.stdoutBytes,
    stderrBytes: fields.stderrBytes,
    stdinBytes: fields.stdinBytes,
    diskBytes: fields.diskBytes,
    diskInodes: fields.diskInodes,
    voluntarySwitches: fields.voluntarySwitches,
    involuntarySwitches: fields.involuntarySwitches,
    throttledMs: fields.throttledNs / NS_PER_MS,
    oomKills: fields.oomKills,
    startedAtMs: fields.startedAtNs === 0 ? null : fields.startedAtNs / NS_PER_MS,
    endedAtMs: fields.endedAtNs / NS_PER_MS,
    takeMs: fields.takeNs / NS_PER_MS,
    mountMs: fields.mountNs / NS_PER_MS,
    execMs: fields.execNs / NS_PER_MS,
    collectMs: fields.collectNs / NS_PER_MS,
  };
}

function toExceeded(fields: FieldsOf<'REPORT'>): LaunchReport['exceeded'] {
  if (fields.exceeded === names.LIMIT.NONE) return null;
  const limit = exceededLimits[fields.exceeded];
  if (limit === undefined) throw new RangeError(`a report with the unknown limit ${fields.exceeded}`);
  return { limit, allowed: fields.allowed, observed: fields.observed };
}
