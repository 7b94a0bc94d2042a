/**
 * Owns the proof of the verifier's states and keys: numbers that only grow, revocations that are never taken back, rotations that survive a
 * kill at any step, and what is revoked is neither published nor promoted.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { TrustSigner } from '../../coordinator/environments/verifier/trust-signer.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { openTrustState } from '../../shared/layers/trust-state.ts';
import { silentLogger } from '../../shared/logger.ts';
import { revocation } from '../support/trust-states.ts';

async function createFolder(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'verifier-trust-'));
  context.after(() => rm(directory, { recursive: true }));
  const open = async () => {
    const keys = await SigningKeys.open(directory);
    const rest = { clock: systemClock, lifetimeMs: 60_000, logger: silentLogger };
    const signer = await TrustSigner.open({ directory, keys, ...rest });
    const sign = async (...revocations: ReturnType<typeof revocation>[]) => (await signer.sign(revocations)).envelope;
    return { keys, signer, sign };
  };
  return { directory, open };
}

const withCode = (code: string) => (error: unknown) => error instanceof SystemError && error.code === code;
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

test('numbers grow over restarts, and what was revoked stays so whatever is asked later', async (context) => {
  const { open } = await createFolder(context);
  const first = await open();
  const states = await Promise.all([first.sign(revocation('layer', digest('a'))), first.sign()]);
  assert.deepEqual(
    states.map((envelope) => openTrustState(envelope, null).version),
    [1, 2],
  );
  const second = await open();
  const state = openTrustState(
    await second.sign(revocation('layer', digest('a'), true), revocation('key', 'k-12345678')),
    null,
  );
  assert.equal(state.version, 3);
  assert.deepEqual(
    state.revocations.map(({ kind, isFatal }) => [kind, isFatal]),
    [
      ['layer', true],
      ['key', false],
    ],
  );
  assert.equal(openTrustState(await (await open()).sign(), null).revocations.length, 2);
  const lifetimeMs = Date.parse(state.expires) - Date.parse(state.issuedAt);
  assert.equal(lifetimeMs, 60_000);
});

test('a damaged ledger ends the start with a sentence instead of forgetting revocations', async (context) => {
  const { directory, open } = await createFolder(context);
  await (await open()).sign();
  await writeFile(join(directory, 'trust-ledger.json'), '{"version":7');
  await assert.rejects(open(), (error) => withCode('configuration-invalid')(error) && /restore it/.test(String(error)));
});

test('agents follow a rotation from any state in which the old key is trusted, and not past its retirement', async (context) => {
  const { open } = await createFolder(context);
  const { keys, signer, sign } = await open();
  const [patient, absent] = [new ManifestTrust(), new ManifestTrust()];
  for (const trust of [patient, absent]) trust.accept(await sign());
  const old = keys.signing.keyid;
  await signer.announce();
  await assert.rejects(signer.announce(), withCode('conflict'));
  patient.accept(await sign());
  await signer.switch();
  await assert.rejects(signer.announce(), withCode('conflict'));
  assert.notEqual(keys.signing.keyid, old);
  const between = new ManifestTrust();
  for (const trust of [patient, between]) trust.accept(await sign());
  const late = new ManifestTrust();
  late.accept(await sign());
  await signer.retire();
  await assert.rejects(signer.retire(), withCode('conflict'));
  const last = await sign();
  for (const trust of [patient, between, late]) assert.equal(trust.accept(last), true);
  assert.deepEqual(
    patient.keys.map(({ keyid }) => keyid),
    [keys.signing.keyid],
  );
  assert.ok(patient.revoked.hasSigner(old));
  assert.throws(() => absent.accept(last), withCode('trust-refused'), 'it slept through: the operator names the key');
  await assert.rejects(sign(revocation('signing-key', keys.signing.keyid)), withCode('conflict'));
});

test('a rotation that was killed between its renames is finished at the next start, with both keys', async (context) => {
  const { directory, open } = await createFolder(context);
  const first = await open();
  await first.signer.announce();
  const { keys } = first.keys.list();
  await rename(join(directory, 'signing-key.pem'), join(directory, 'previous-key.pem'));
  const second = await open();
  assert.deepEqual(
    second.keys.list().keys.map(({ role, keyid }) => [role, keyid]),
    [
      ['present', keys[1]?.keyid],
      ['previous', keys[0]?.keyid],
    ],
  );
  for (const name of (await readdir(directory)).filter((file) => file.endsWith('.pem'))) {
    assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
  }
  // A retirement that was killed after it was written down.
  await second.sign(revocation('signing-key', keys[0]?.keyid ?? ''));
  const third = await open();
  assert.deepEqual(
    third.keys.list().keys.map(({ role }) => role),
    ['present'],
  );
  assert.deepEqual(
    (await readdir(directory)).filter((file) => file.endsWith('.pem')),
    ['signing-key.pem'],
  );
});

test('a key that is announced signs nothing, and one that was revoked is in no state', async (context) => {
  const { open } = await createFolder(context);
  const { keys, signer, sign } = await open();
  await signer.announce();
  const announced = await sign();
  assert.deepEqual(
    announced.signatures.map(({ keyid }) => keyid),
    [keys.signing.keyid],
  );
  assert.equal(openTrustState(announced, null).keys.length, 2);
  await signer.switch();
  const both = await sign();
  assert.equal(both.signatures.length, 2);
  const previous = keys.previous;
  const without = await sign(revocation('signing-key', previous, true));
  assert.deepEqual(
    openTrustState(without, null).keys.map(({ keyid }) => keyid),
    [keys.signing.keyid],
  );
});
