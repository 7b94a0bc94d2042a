/**
 * Owns the proof that ops/install-agent does on a machine with systemd what it says: a Debian in a guest, retold here.
 * Never skips silently. Invariant: a guest that ended early or ran too little is a failure.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKSUMS_FILE } from '../../ops/release/checksums.ts';
import { PUBLIC_KEY_FILE, SIGNATURE_FILE, sign, toPublicPem } from '../../ops/release/release-key.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tarOfBase } from '../support/real-launcher.ts';
import { makeReleases } from '../support/release.ts';
import { runInGuest } from './guest.ts';

/** Less than this can't have been the whole file. */
const PASSED_MIN = 22;

/** What the guest installs: two releases that work, and one whose agent ends as soon as it is started. */
async function fill(outgoing: string): Promise<void> {
  await writeFile(join(outgoing, 'base.tar'), tarOfBase());
  await makeReleases(outgoing, ['1.0.0', '1.1.0', '1.2.0'], async (tree, version) => {
    if (version === '1.2.0') await writeFile(join(tree, 'bin/envicutor-agent'), '#!/bin/sh\necho broken\nexit 78\n');
  });
  await signReleases(outgoing);
  const { certFile, keyFile } = new TestAuthority(outgoing).issue('coordinator');
  // To be read by the guest's kernel, which is nobody.
  await writeFile(join(outgoing, 'coordinator.pem'), await readFile(certFile), { mode: 0o644 });
  await writeFile(join(outgoing, 'coordinator.key'), await readFile(keyFile), { mode: 0o644 });
}

/** The signature, the key that checks it, and another key. */
async function signReleases(outgoing: string): Promise<void> {
  const [ours, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const sums = await readFile(join(outgoing, CHECKSUMS_FILE));
  await writeFile(join(outgoing, SIGNATURE_FILE), sign(ours.privateKey, sums));
  await writeFile(join(outgoing, PUBLIC_KEY_FILE), toPublicPem(ours.privateKey));
  await writeFile(join(outgoing, 'other-key.pub'), toPublicPem(other.privateKey));
}

const files = ['test/guest/inside/contest-settings.ts', 'test/guest/inside/install-agent.ts'];

test('an agent is installed, upgraded, rolled back and removed under systemd, in a guest', async (context) => {
  const run = await runInGuest('systemd', files, fill);
  for (const { name, failure, ms } of run.outcomes) {
    await context.test(`${name} (systemd)`, () => assert.equal(failure, null));
    context.diagnostic(`${name}: ${(ms / 1000).toFixed(1)} s`);
  }
  assert.equal(run.unfinished, null, `the guest ended (${run.exitCode}) during this test:\n${run.console}`);
  const passed = run.outcomes.filter(({ failure, skip }) => failure === null && skip === null).length;
  assert.ok(passed >= PASSED_MIN, `${passed} passed:\n${run.console}`);
});
