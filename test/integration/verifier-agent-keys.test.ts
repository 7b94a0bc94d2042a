/**
 * Owns the proof of the verifier's list of agents' keys: nobody in it is ever forgotten, given another key or brought back, over restarts and a turn
 * of the signing key.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentKeySigner } from '../../coordinator/environments/verifier/agent-key-signer.ts';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { TrustSigner } from '../../coordinator/environments/verifier/trust-signer.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { toTrustedKey } from '../../shared/layers/envelope.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { AgentKey } from '../../shared/model/agent-keys.ts';
import { openAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import { agentKey as one } from '../support/receipts.ts';
import { revocation } from '../support/trust-states.ts';

async function createFolder(context: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'verifier-agent-keys-'));
  context.after(() => rm(directory, { recursive: true }));
  const open = async () => {
    const keys = await SigningKeys.open(directory);
    const clock = systemClock;
    const trust = await TrustSigner.open({ directory, keys, clock, lifetimeMs: 60_000, logger: silentLogger });
    const signer = await AgentKeySigner.open({ directory, keys, trust, clock });
    return { keys, trust, signer, envelope: async (...agents: AgentKey[]) => (await signer.sign(agents)).envelope };
  };
  return { directory, open };
}

const withCode = (code: string) => (error: unknown) => error instanceof SystemError && error.code === code;
const { publicKey } = toTrustedKey(generateKeyPairSync('ed25519').publicKey);
const two: AgentKey = { ...one, agentId: 'agent_00000002', publicKey };

test('whoever was signed once stays in the list, over restarts; the number grows with every change and with nothing else', async (t) => {
  const { open } = await createFolder(t);
  const first = await open();
  const versions: number[] = [];
  for (const agents of [[], [one], [one], [two], [], [{ ...one, pool: 'other' }]]) {
    versions.push(openAgentKeys(await first.envelope(...agents), null).version);
  }
  assert.deepEqual(versions, [1, 2, 2, 3, 3, 4]);
  const list = openAgentKeys(await (await open()).envelope(), null);
  assert.deepEqual([list.version, list.agents], [4, [{ ...one, pool: 'other' }, two]]);
});

test('a retirement is never taken back, and a key or the day of an enrolment never replaced', async (t) => {
  const { open } = await createFolder(t);
  const { envelope } = await open();
  const retiredAt = '2026-02-01T00:00:00.000Z';
  await envelope(one, two);
  await envelope({ ...one, retiredAt });
  await envelope(one, { ...one, retiredAt: '2027-01-01T00:00:00.000Z' });
  for (const pool of ['other', one.pool]) await envelope({ ...one, pool });
  await assert.rejects(envelope({ ...one, publicKey }), withCode('conflict'));
  await assert.rejects(envelope({ ...one, enrolledAt: retiredAt }), withCode('conflict'));
  const again = await open();
  await assert.rejects(again.envelope(two, { ...one, publicKey }), withCode('conflict'));
  assert.deepEqual(openAgentKeys(await again.envelope(), null).agents, [{ ...one, retiredAt }, two]);
});

test('what is no ed25519 key is not signed, and a damaged ledger ends the start instead of forgetting agents', async (t) => {
  const { directory, open } = await createFolder(t);
  const { envelope } = await open();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
  for (const wrong of ['AAAA', `${publicKey}\n`, rsa.toString('base64')]) {
    await assert.rejects(envelope({ ...two, publicKey: wrong }), withCode('request-invalid'));
  }
  await envelope(one);
  await writeFile(join(directory, 'agent-keys.json'), '{"version":7');
  await assert.rejects(open(), (error) => withCode('configuration-invalid')(error) && /restore it/.test(String(error)));
});

test('through a turn of the signing key the list is signed by both, and names no key that was revoked', async (t) => {
  const { open } = await createFolder(t);
  const { keys, trust, envelope } = await open();
  const old = toTrustedKey(keys.signing);
  await trust.announce();
  assert.deepEqual(openAgentKeys(await envelope(one), { keyIds: [old.keyid] }).keys.length, 2);
  await trust.switch();
  const both = await envelope();
  for (const keyid of [old.keyid, keys.signing.keyid]) openAgentKeys(both, { keyIds: [keyid] });
  await trust.sign([revocation('signing-key', old.keyid)]);
  assert.deepEqual(openAgentKeys(await envelope(), null).keys, [toTrustedKey(keys.signing)]);
  await trust.retire();
  const last = await envelope();
  assert.throws(() => openAgentKeys(last, { keys: [old] }), withCode('trust-refused'));
  assert.deepEqual(openAgentKeys(last, { keyIds: [keys.signing.keyid] }).agents, [one]);
});
