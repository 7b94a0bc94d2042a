/**
 * Owns the way from the launcher's report to the Report of one script: verdict, names, encodings. Pure.
 * Never judges our own failures: `isJudgeable` says which launches have a verdict at all.
 * Invariant: a limit's verdict is given only when that limit ended the program; disk-exceeded also when the program failed after it
 * had been refused room.
 */
import assert from 'node:assert/strict';
import { toTimestamp } from '../clock.ts';
import type { AllLimits, LimitName } from '../model/limits.ts';
import { encodeOutput, type Report, type Verdict } from '../model/verdict.ts';
import { toFailureSentence } from './launch-failure.ts';
import type { ExceededLimit, LaunchReport } from './sandbox.ts';
import { toSignalName } from './signal-names.ts';

/** What a judgement is made from. */
export interface Evidence {
  readonly launch: LaunchReport;
  readonly limits: AllLimits;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** The agent's slot on which it ran; null for a build. */
  readonly slot: number | null;
}

type Exceeded = NonNullable<Report['exceeded']>;

const limitVerdicts: Readonly<Record<ExceededLimit, Verdict>> = {
  cpuTimeMs: 'cpu-time-exceeded',
  wallTimeMs: 'wall-time-exceeded',
  idleTimeMs: 'idle-time-exceeded',
  memoryBytes: 'memory-exceeded',
  outputBytes: 'output-exceeded',
  fileSizeBytes: 'file-size-exceeded',
  diskBytes: 'disk-exceeded',
};

/** What scripts before this one can leave where the request's files, or the directory for them, are to be: something else, or a lock. */
const obstacles: ReadonlySet<string> = new Set(['ENOTDIR', 'ELOOP', 'EISDIR', 'EEXIST', 'EACCES']);

/**
 * Has this launch a verdict? Not when it was ended by our kill or could not be set up; but when the request's own files did
 * not fit into the writable layer, that is the disk limit's doing, and when something stands in their way, the scripts'.
 */
export function isJudgeable(launch: LaunchReport): boolean {
  const { end, failure } = launch;
  if (end !== 'setup-failed') return end !== 'client';
  return failure?.step === 'files' && (failure.errno === 'ENOSPC' || obstacles.has(failure.errno));
}

/** The Report of a launch that ran its program or was refused to; `isJudgeable` must hold. */
export function judge(evidence: Evidence): Report {
  const { launch, slot } = evidence;
  assert(isJudgeable(launch), `a launch that ended '${launch.end}' has no verdict`);
  const { verdict, exceeded } = toVerdict(launch, evidence.limits);
  const stdout = encodeOutput(evidence.stdout);
  const stderr = encodeOutput(evidence.stderr);
  return {
    verdict,
    exitCode: launch.exitCode,
    signal: launch.signal === null ? null : toSignalName(launch.signal),
    stdout: stdout.text,
    stdoutEncoding: stdout.encoding,
    stdoutTruncated: launch.stdoutTruncated,
    stderr: stderr.text,
    stderrEncoding: stderr.encoding,
    stderrTruncated: launch.stderrTruncated,
    exceeded,
    start: toStart(launch),
    usage: toUsage(launch),
    startedAt: launch.startedAtMs === null ? null : toTimestamp(launch.startedAtMs),
    endedAt: toTimestamp(launch.endedAtMs),
    slot,
  };
}

/** Did the program not start: refused by the kernel, or with something in the way of its files? */
function hasNotStarted({ end, failure }: LaunchReport): boolean {
  return end === 'start-failed' || (end === 'setup-failed' && failure?.errno !== 'ENOSPC');
}

function toStart(launch: LaunchReport): Report['start'] {
  const { failure } = launch;
  return hasNotStarted(launch) && failure !== null ? { ...failure, detail: toFailureSentence(failure) } : null;
}

function toVerdict(launch: LaunchReport, limits: AllLimits): { verdict: Verdict; exceeded: Exceeded | null } {
  if (hasNotStarted(launch)) return { verdict: 'start-failed', exceeded: null };
  if (launch.end === 'setup-failed') return { verdict: 'disk-exceeded', exceeded: diskExceeded(launch, limits) };
  if (launch.exceeded !== null) {
    const { limit } = launch.exceeded;
    if (limit === 'diskBytes') return { verdict: 'disk-exceeded', exceeded: diskExceeded(launch, limits) };
    return { verdict: limitVerdicts[limit], exceeded: launch.exceeded };
  }
  const hasFailed = launch.end === 'signaled' || launch.exitCode !== 0;
  if (hasFailed && launch.diskFull !== null)
    return { verdict: 'disk-exceeded', exceeded: diskExceeded(launch, limits) };
  if (launch.end === 'signaled') return { verdict: 'signaled', exceeded: null };
  return { verdict: hasFailed ? 'nonzero-exit' : 'ok', exceeded: null };
}

function diskExceeded(launch: LaunchReport, limits: AllLimits): Exceeded {
  const limit: LimitName = launch.diskFull === 'inodes' ? 'diskInodes' : 'diskBytes';
  return { limit, allowed: limits[limit], observed: launch[limit] };
}

function toUsage(launch: LaunchReport): Report['usage'] {
  return {
    cpuTimeMs: launch.cpuTimeMs,
    cpuUserMs: launch.cpuUserMs,
    cpuSystemMs: launch.cpuSystemMs,
    wallTimeMs: launch.wallTimeMs,
    memoryPeakBytes: launch.memoryPeakBytes,
    processesPeak: launch.processesPeak,
    outputBytes: launch.stdoutBytes + launch.stderrBytes,
    diskBytes: launch.diskBytes,
    voluntarySwitches: launch.voluntarySwitches,
    involuntarySwitches: launch.involuntarySwitches,
    throttledMs: launch.throttledMs,
    oomKills: launch.oomKills,
  };
}
