/**
 * Owns how a guest's outcomes become tests of the host: each is a subtest with its own title, and those left out are listed with their reason.
 * Never runs anything itself. Invariant: a guest that ended early, ran too little or left out too much is a failure.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { runInGuest } from './guest.ts';

/** What a unified cgroup could change for root, cheapest first; what it could change for an ordinary user. */
const suites = {
  root: ['cpus', 'life', 'stock', 'refusals', 'isolation', 'limits'],
  person: ['life', 'terminal', 'isolation', 'limits'],
  /** What an architecture, or a cpuset, could change; not what is only much: an emulated machine takes a quarter of an hour for these. */
  arm64: ['cpus', 'life', 'stock', 'refusals', 'isolation', 'limits', 'terminal'],
} as const;

const toFiles = (user: keyof typeof suites): string[] => [
  'test/guest/inside/cgroup-v2.ts',
  ...(user === 'person' ? ['test/sandbox/rootless.test.ts'] : []),
  ...(user === 'arm64' ? ['test/guest/inside/contest-settings.ts'] : []),
  ...suites[user].map((name) => `test/sandbox/launcher-${name}.test.ts`),
  'test/sandbox/programs.test.ts',
];
/** More than this would be hiding something. */
const LEFT_OUT_MAX = 12;
/** Less than this can't have been the whole suite. */
const PASSED_MIN = 195;

/** Runs the sandbox suite in a guest and retells it below this test. */
export async function retellSuite(context: TestContext, user: keyof typeof suites): Promise<void> {
  const run = await runInGuest(user, toFiles(user));
  for (const { name, failure, skip } of run.outcomes) {
    if (skip !== null) context.diagnostic(`left out of this guest: "${name}": ${skip}`);
    else await context.test(`${name} (cgroup v2, ${user})`, () => assert.ok(failure === null, failure ?? ''));
  }
  const leftOut = run.outcomes.filter(({ skip }) => skip !== null).length;
  const passed = run.outcomes.filter(({ failure, skip }) => failure === null && skip === null).length;
  const seconds = run.outcomes.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  context.diagnostic(
    `${passed} of ${run.outcomes.length} passed in the guest in ${seconds.toFixed(0)} s, ${leftOut} left out`,
  );
  for (const name of run.panics)
    context.diagnostic(`the guest's kernel panicked by its own fault and was booted again: ${name}`);
  assert.equal(run.unfinished, null, `the guest ended (${run.exitCode}) during this test:\n${run.console}`);
  assert.ok(run.exitCode === 0 || run.exitCode === 1, `the guest ended with ${run.exitCode}:\n${run.console}`);
  assert.ok(passed >= PASSED_MIN && leftOut <= LEFT_OUT_MAX, `${passed} passed, ${leftOut} left out:\n${run.console}`);
}
