/**
 * Owns the proof that ops/install-agent does on a machine with systemd what it says: a Debian in a guest, retold here.
 * Never skips silently. Invariant: a guest that ended early or ran too little is a failure.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tarOfBase } from '../support/real-launcher.ts';
import { makeReleases } from '../support/release.ts';
import { runInGuest } from './guest.ts';

/** Less than this can't have been the whole file. */
const PASSED_MIN = 15;

/** What the guest installs: two releases that work, and one whose agent ends as soon as it is started. */
async function fill(outgoing: string): Promise<void> {
  await writeFile(join(outgoing, 'base.tar'), tarOfBase());
  await makeReleases(outgoing, ['1.0.0', '1.1.0', '1.2.0'], async (tree, version) => {
    if (version === '1.2.0') await writeFile(join(tree, 'bin/envicutor-agent'), '#!/bin/sh\necho broken\nexit 78\n');
  });
}

test('an agent is installed, upgraded, rolled back and removed under systemd, in a guest', async (context) => {
  const run = await runInGuest('systemd', ['test/guest/inside/install-agent.ts'], fill);
  for (const { name, failure, ms } of run.outcomes) {
    await context.test(`${name} (systemd)`, () => assert.equal(failure, null));
    context.diagnostic(`${name}: ${(ms / 1000).toFixed(1)} s`);
  }
  assert.equal(run.unfinished, null, `the guest ended (${run.exitCode}) during this test:\n${run.console}`);
  const passed = run.outcomes.filter(({ failure, skip }) => failure === null && skip === null).length;
  assert.ok(passed >= PASSED_MIN, `${passed} passed:\n${run.console}`);
});
