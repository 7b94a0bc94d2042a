/**
 * Owns the results that a scripted agent gives: a report as the real one makes it, with what a test changes.
 */

import type { Report } from '../../shared/model/verdict.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';

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
