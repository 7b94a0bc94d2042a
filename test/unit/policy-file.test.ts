/**
 * Owns what an agent makes of its owner's policy: the file with its sentences and changes, and what of an order is held against it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findOrderObjection } from '../../agent/site/order-objection.ts';
import { noPolicy, openPolicyFile } from '../../agent/site/policy-file.ts';
import type { SystemError } from '../../shared/errors.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { SitePolicy } from '../../shared/model/site-policy.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';

function fileIn(t: TestContext): { path: string; write(content: unknown): void } {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-policy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'policy.json');
  return {
    path,
    write: (content) => writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content)),
  };
}

const policy: SitePolicy = { owner: 'site', tenants: ['guest'] };

test('a file that makes no sense refuses the start with a sentence for each problem', (t) => {
  const { path, write } = fileIn(t);
  const problems = (): readonly string[] => {
    try {
      openPolicyFile(path, silentLogger);
      return [];
    } catch (error) {
      const { code, errors } = error as SystemError;
      assert.equal(code, 'configuration-invalid');
      return errors.map(({ detail }) => detail);
    }
  };
  assert.match(problems()[0] ?? '', /can't be read as JSON: ENOENT.*correct it, or its path$/);
  write('{');
  assert.match(problems()[0] ?? '', /can't be read as JSON/);
  write({ owner: 'site', tenants: 'all', sharePercentMax: 101, hour: [] });
  const said = problems();
  assert.equal(said.length, 3, said.join('\n'));
  assert.match(said.join('\n'), /\/hour is not known[\s\S]*\/tenants \("all"\): [\s\S]*\/sharePercentMax \(101\): /);
  write(policy);
  assert.deepEqual([problems(), openPolicyFile('', silentLogger)], [[], noPolicy]);
});

test('a changed file is taken over, a broken or lost one is not', (t) => {
  const { path, write } = fileIn(t);
  write(policy);
  const source = openPolicyFile(path, silentLogger);
  const after = (content: unknown) => {
    if (content === null) rmSync(path);
    else write(content);
    source.refresh();
    return source.policy?.tenants;
  };
  assert.deepEqual(after({ ...policy, tenants: ['guest', 'other'] }), ['guest', 'other']);
  assert.deepEqual(after('{"owner":'), ['guest', 'other']);
  assert.deepEqual(after(null), ['guest', 'other']);
  assert.deepEqual(after({ ...policy, tenants: [] }), []);
});

const { signing, trusted } = createTestKey();
const trust = new ManifestTrust([trusted]);
const shared = createTestLayer(signing, 'base');
const terms = { trust, nowMs: Date.parse('2026-11-28T12:00Z'), slots: 4, holders: [] };
const order = makeOrder({ tenantId: 'guest', layers: [shared.reference] });
const objection = (said: Partial<SitePolicy>, changes: Partial<typeof order> = {}, holders: string[] = []) =>
  findOrderObjection({ ...policy, ...said }, { ...order, ...changes }, { ...terms, holders });

test('an order is held against the policy by its limits, and by what its layers were signed as', () => {
  assert.equal(objection({}), null);
  assert.equal(objection({}, { tenantId: 'other' })?.policy, 'lasting');
  const compile = { script: 'make', variables: {}, limits: { ...limitDefaults.compile, processes: 9000 } };
  assert.match(objection({ limits: { processes: 8000 } }, { compile })?.reason ?? '', /processes is 9000/);
  const own = createTestLayer(signing, 'own', 3, { scope: 'tenant-guest' });
  const layers = [shared.reference, own.reference];
  assert.match(objection({ environments: { scopes: ['shared'] } }, { layers })?.reason ?? '', /scope tenant/);
  const hours = [{ days: ['sun' as const], from: '00:00', to: '23:00' }];
  assert.equal(objection({ hours })?.policy, 'passing');
});

test('a coordinator that says something else of a layer than was signed is not believed', () => {
  const told = { ...shared.reference, spec: { ...shared.reference.spec, egress: 'strict' } };
  const environments = { egress: ['strict'] };
  assert.match(objection({ environments })?.reason ?? '', /egress rules any/);
  assert.match(objection({ environments }, { layers: [told] })?.reason ?? '', /can't be verified/);
  const { reference: forged } = createTestLayer(createTestKey().signing, 'base');
  assert.match(objection({}, { layers: [forged] })?.reason ?? '', /can't be verified/);
  assert.equal(objection({}, { tenantId: 'site', layers: [forged] }), null, 'whoever fetches it will refuse it');
});

test("others have their share of an agent's slots at a time, its owner any", () => {
  const share = { sharePercentMax: 50 };
  assert.equal(objection(share, {}, ['guest', 'site', 'site']), null);
  const full = objection(share, {}, ['guest', 'other', 'site']);
  assert.deepEqual(full, { reason: 'others have 2 of the 2 slots that site shares here', policy: 'passing' });
  assert.equal(objection({ sharePercentMax: 20 })?.policy, 'lasting', 'less than a slot is none');
  assert.equal(objection(share, { tenantId: 'site' }, ['guest', 'other']), null);
});
