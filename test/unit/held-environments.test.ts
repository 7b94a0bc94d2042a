/**
 * Owns the proof of what an edge finds again: whose environments, with which layers, under which trust, over a restart. Never runs anything.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HeldEnvironments } from '../../agent/site/held-environments.ts';
import type { SystemError } from '../../shared/errors.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { revocation, trustState } from '../support/trust-states.ts';

const { signing } = createTestKey();
const base = createTestLayer(signing, 'base');
const own = createTestLayer(signing, 'own', 3, {
  kind: 'setup',
  scope: 'tenant-one',
  parents: [base.manifest.tar.digest],
});
const described = { base: 'debian-13' as const, variables: { A: 'b' } };
const { id } = describeEnvironment(described, null);
const privateId = `env_${'p'.repeat(52)}`;

async function setStage(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-held-'));
  context.after(() => rm(folder, { recursive: true }));
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const trust = new ManifestTrust([], { clock: { nowMs: () => nowMs } });
  trust.accept(trustState([signing], 1, { issuedAt: '2026-01-01T00:00:00.000Z', expires: '2026-01-01T01:00:00.000Z' }));
  const held = new Set([base.manifest.tar.digest, own.manifest.tar.digest]);
  const open = () => HeldEnvironments.open(folder, { layers: { held: () => [...held] }, trust, logger: silentLogger });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { folder, held, trust, open, pass };
}

const order = (tenantId: string, environmentId: string, layers: (typeof base)[], variables = {}) =>
  makeOrder({
    tenantId,
    layers: layers.map(({ reference }) => reference),
    environment: { id: environmentId, variables },
  });

test('by id a tenant finds what was run for it, by description also what is everybody’s; over a restart', async (context) => {
  const { open } = await setStage(context);
  const first = await open();
  first.ran(makeOrder({ tenantId: 'one' }));
  first.ran(order('one', id, [base], { A: 'b' }));
  first.ran(order('one', privateId, [base, own], { SECRET: 'of one' }));
  await first.settled();
  for (const environments of [first, await open()]) {
    const found = environments.find('one', privateId);
    assert.deepEqual([found.scope, found.variables, found.layers.length], ['tenant', { SECRET: 'of one' }, 2]);
    assert.deepEqual(found.layers[0]?.spec, base.reference.spec);
    assert.equal(environments.find('one', described).id, id);
    assert.deepEqual(environments.find('two', described).scope, 'shared');
    for (const name of [id, privateId, `env_${'0'.repeat(52)}`])
      assert.throws(() => environments.find('two', name), { code: 'environment-not-found' }, name);
  }
});

test('layers of a tenant are not another’s by description either; what needs a key or a builder is refused', async (context) => {
  const { open } = await setStage(context);
  const environments = await open();
  environments.ran(order('one', id, [base, own]));
  assert.equal(environments.find('one', described).layers.length, 2);
  assert.throws(() => environments.find('two', described), { code: 'environment-not-held' });
  for (const request of [{ visibility: 'private' }, { secrets: { A: 'b' } }, { fresh: true }] as const)
    assert.throws(() => environments.find('one', { ...described, ...request }), { code: 'request-invalid' });
  environments.ran(order('two', id, [base]));
  assert.equal(environments.find('two', described).layers.length, 1);
  assert.equal(environments.find('three', described).layers.length, 1, "the one that is everybody's");
  await environments.settled();
});

test('what was revoked, is not here any more, or is of a trust that has ended is not found', async (context) => {
  const { open, held, trust, pass } = await setStage(context);
  const environments = await open();
  environments.ran(order('one', privateId, [base, own]));
  environments.ran(order('one', id, [base]));
  held.delete(own.manifest.tar.digest);
  assert.throws(() => environments.find('one', privateId), { code: 'environment-not-held' });
  held.add(own.manifest.tar.digest);
  const revocations = [revocation('layer', own.manifest.tar.digest)];
  const times = { issuedAt: '2026-01-01T00:00:00.000Z', expires: '2026-01-01T01:00:00.000Z' };
  trust.accept(trustState([signing], 2, { ...times, revocations }));
  assert.throws(() => environments.find('one', privateId), { code: 'layer-revoked' });
  assert.equal(environments.find('one', id).id, id);
  pass(3_600_001);
  assert.throws(() => environments.find('one', id), { code: 'trust-expired' });
  await environments.settled();
});

test('of what is another’s alone not even its trouble is told', async (context) => {
  const { open, held, trust } = await setStage(context);
  const environments = await open();
  environments.ran(order('one', id, [base, own]));
  await environments.settled();
  const refusals: unknown[] = [];
  const ask = (of = environments) => {
    try {
      of.find('two', described);
    } catch (error) {
      refusals.push([(error as SystemError).code, (error as SystemError).message]);
    }
  };
  ask();
  held.delete(own.manifest.tar.digest);
  ask();
  const times = { issuedAt: '2026-01-01T00:00:00.000Z', expires: '2026-01-01T01:00:00.000Z' };
  trust.accept(trustState([signing], 2, { ...times, revocations: [revocation('layer', own.manifest.tar.digest)] }));
  ask();
  ask(await open());
  assert.equal(refusals.length, 4);
  for (const refusal of refusals) assert.deepEqual(refusal, refusals[0]);
  assert.throws(() => environments.find('one', described), { code: 'layer-revoked' });
});

test('a record that is none is passed over; one that says the same is not written again', async (context) => {
  const { folder, open } = await setStage(context);
  const environments = await open();
  environments.ran(order('one', id, [base]));
  await environments.settled();
  const files = () => readdir(join(folder, 'environments'));
  const [name = ''] = await files();
  await rm(join(folder, 'environments', name));
  environments.ran(order('one', id, [base]));
  await environments.settled();
  assert.deepEqual(await files(), []);
  environments.ran(order('one', id, [base], { A: 'other' }));
  await environments.settled();
  assert.deepEqual(await files(), [name]);
  await writeFile(join(folder, 'environments', name), '{"version":1}');
  const next = await open();
  assert.throws(() => next.find('one', id), { code: 'environment-not-found' });
});
