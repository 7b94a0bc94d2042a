/**
 * Owns the requests and the answer that the API's description shows: as short as they can be and whole, so that each request can be sent as it stands.
 * Never used by the product itself. Invariant: each follows its schema, and a test posts the requests.
 */

const source = `#include <iostream>
int main() { int a, b; std::cin >> a >> b; std::cout << a + b << "\\n"; }
`;

/** Shown with ExecutionRequest. */
export const executionExamples = [
  { environment: { base: 'debian-13' }, run: { script: 'echo hello' } },
  {
    environment: { setup: 'apt-get update && apt-get install -y --no-install-recommends g++' },
    files: [{ path: 'main.cpp', content: source }],
    compile: { script: 'g++ -O2 main.cpp -o main' },
    run: { script: './main', stdin: '1 2\n', limits: { cpuTimeMs: 2000, memoryBytes: 268_435_456 } },
  },
] as const;

const report = {
  ...{ verdict: 'ok', exitCode: 0, signal: null, exceeded: null, start: null, slot: 0 },
  ...{ stdout: 'hello\n', stdoutEncoding: 'utf8', stdoutTruncated: false },
  ...{ stderr: '', stderrEncoding: 'utf8', stderrTruncated: false },
  usage: {
    ...{
      cpuTimeMs: 1.2,
      cpuUserMs: 0.7,
      cpuSystemMs: 0.5,
      wallTimeMs: 1.6,
      memoryPeakBytes: 1_048_576,
      processesPeak: 1,
    },
    ...{ outputBytes: 6, diskBytes: 0, voluntarySwitches: 2, involuntarySwitches: 0, throttledMs: 0, oomKills: 0 },
  },
  ...{ startedAt: '2026-11-28T12:00:00.004Z', endedAt: '2026-11-28T12:00:00.006Z' },
};

/** Shown with Execution: the first of the requests, finished. */
export const answeredExample = {
  ...{ id: 'exec_r736j8dpwefqs3anbwgy940c3c', stage: 'finished', verdict: 'ok', endedIn: 'run' },
  environment: { id: 'env_jp5xeb1medt439kza6te38zyn0hmjngxsd541fyza0abjj4yzh8g', scope: 'shared', layers: [] },
  ...{ setup: null, dependencies: null, verify: null, check: null, compile: null, run: report, tests: [], score: null },
  timing: {
    ...{ queuedMs: 0.2, buildMs: 0, fetchMs: 0, prepareMs: 1.1, executeMs: 1.6, collectMs: 0.3, overheadMs: 1.4 },
    ...{ takeMs: 0.1, mountMs: 0.6, execMs: 0.4, agentMs: 0.7 },
  },
  ...{ certificate: null, receipt: null, files: [], attempts: 1, failure: null, metadata: {} },
  agent: { id: 'agent_n0hmjngxsd541fyza0abjj4yzh', name: 'one', pool: 'default' },
  ...{ createdAt: '2026-11-28T12:00:00.001Z', finishedAt: '2026-11-28T12:00:00.007Z' },
} as const;
