/**
 * Owns the results that a scripted agent gives: a report as the real one makes it, with what a test changes.
 */
import type { Report } from '../../shared/model/verdict.ts';
import type { EndedExecution, LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';

/** A report of a program that ended well. */
export function makeReport(changes: Partial<Report> = {}): Report {
  return {
    verdict: 'ok',
    exitCode: 0,
    signal: null,
    stdout: 'hello\n',
    stdoutEncoding: 'utf8',
    stdoutTruncated: false,
    stderr: '',
    stderrEncoding: 'utf8',
    stderrTruncated: false,
    exceeded: null,
    start: null,
    usage: {
      cpuTimeMs: 1.5,
      cpuUserMs: 1,
      cpuSystemMs: 0.5,
      wallTimeMs: 2.5,
      memoryPeakBytes: 4096,
      processesPeak: 1,
      outputBytes: 6,
      diskBytes: 0,
      voluntarySwitches: 1,
      involuntarySwitches: 0,
      throttledMs: 0,
      oomKills: 0,
    },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:00.010Z',
    slot: 0,
    ...changes,
  };
}

/** A result of a lease. */
export function makeResult(changes: Partial<LeaseResultMessage> = {}): LeaseResultMessage {
  return {
    verdict: 'ok',
    endedIn: 'run',
    compile: null,
    run: makeReport(),
    layers: [],
    timing: { fetchMs: 0, prepareMs: 0.25, executeMs: 2.5, collectMs: 0.25 },
    failure: null,
    ...changes,
  };
}

/** When executions of sites were made and ended. */
export const endedAt = '2026-11-28T10:00:00.000Z';

/** An execution that an agent ran for its own site. */
export function makeEnded(
  executionId: string,
  tenantId: string,
  changes: Partial<EndedExecution> = {},
): EndedExecution {
  const timing = { queuedMs: 1, buildMs: 0, fetchMs: 0, prepareMs: 1, executeMs: 2, collectMs: 1, overheadMs: 0 };
  return {
    ...{ executionId, tenantId, stage: 'finished', verdict: 'ok', endedIn: 'run' },
    environment: { id: `env_${'0'.repeat(52)}`, scope: 'shared', layers: [] },
    ...{ compile: null, run: makeReport(), timing, failure: null, metadata: {} },
    ...{ createdAt: endedAt, finishedAt: endedAt, ...changes },
  };
}
