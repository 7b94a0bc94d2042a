/**
 * Owns identity of environments and layers: what is in a key, what is not, and vectors that hold the derivation still.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeEnvironment,
  type KeySettings,
  layerKeys,
  planLayers,
  settingsFingerprint,
  withoutSecrets,
} from '../../coordinator/environments/environment-key.ts';
import type { EnvironmentRequest } from '../../shared/model/environment.ts';

const tenant = { tenantId: 'local', key: Buffer.alloc(32, 1) };
const other = { tenantId: 'other', key: Buffer.alloc(32, 2) };
const settings: KeySettings = { architecture: 'x86_64', egressPolicyId: 'any', epoch: '1', salt: '' };
const idOf = (request: EnvironmentRequest, of = tenant) => describeEnvironment(request, of).id;

function keysOf(request: EnvironmentRequest, parents: string[] = [], changed: Partial<KeySettings> = {}, of = tenant) {
  const description = describeEnvironment(request, of);
  const plan = planLayers(description).at(-1);
  assert.ok(plan !== undefined);
  return layerKeys(description, plan, parents, '', { ...settings, ...changed }, of);
}

test('what a request leaves out is the same as its default', () => {
  assert.equal(idOf({}), idOf({ base: 'debian-13', files: [], variables: {}, visibility: 'shareable' }));
  assert.equal(idOf({ setup: 'true' }), idOf({ setup: 'true', fresh: true }));
});

test('the derivation of ids and keys stands still', () => {
  const request = { setup: 'apt-get install -y g++', files: [{ path: 'a', content: 'b' }], variables: { A: 'b' } };
  assert.equal(idOf(request), 'env_897nwzddzzx5whk8hm95qswmgmpnx0pna2t00jkpnmkt1x6bcz50');
  const keys = keysOf(request, [`sha256:${'0'.repeat(64)}`]);
  assert.equal(keys.shareable, 'k1s-0evyb1yd60cc92dsf2arnzatfstcacbfk210ympb9ae9afa93dsg');
  assert.equal(keys.private, 'k1t-eme6jskh3195s1vcs97mx19byc1pt0tymym5t2vh055yetsf6csg');
});

test('everything that a build can observe changes its key', () => {
  const base: EnvironmentRequest = { setup: 'x', dependencies: 'y' };
  const changes: EnvironmentRequest[] = [
    { ...base, dependencies: 'y\n' },
    { ...base, files: [{ path: 'a', content: '' }] },
    { ...base, files: [{ path: 'a', content: '', executable: true }] },
    { ...base, variables: { A: '' } },
    { ...base, limits: { memoryBytes: 1024 } },
    { ...base, verify: 'true' },
    { ...base, secrets: { A: 'one' } },
    { ...base, secrets: { A: 'two' } },
  ];
  const seen = new Set([base, ...changes].map((request) => keysOf(request).shareable));
  for (const changed of [{ architecture: 'aarch64' }, { epoch: '2' }, { salt: 's' }, { egressPolicyId: 'none' }]) {
    seen.add(keysOf(base, [], changed).shareable);
    assert.notEqual(settingsFingerprint({ ...settings, ...changed }), settingsFingerprint(settings));
  }
  seen.add(keysOf(base, ['sha256:1']).shareable);
  assert.equal(seen.size, 1 + changes.length + 4 + 1);
});

test('files count in any order, base64 counts as the bytes that it stands for', () => {
  const files = [
    { path: 'a', content: 'hi' },
    { path: 'b', content: 'ho' },
  ];
  assert.equal(idOf({ files }), idOf({ files: files.toReversed() }));
  assert.equal(
    idOf({ files: [{ path: 'a', content: 'aGk=', encoding: 'base64' }] }),
    idOf({ files: files.slice(0, 1) }),
  );
});

test('a shareable environment is the same for every tenant, a private one is not', () => {
  assert.equal(idOf({ setup: 'x' }), idOf({ setup: 'x' }, other));
  assert.equal(keysOf({ setup: 'x' }).shareable, keysOf({ setup: 'x' }, [], {}, other).shareable);
  assert.notEqual(keysOf({ setup: 'x' }).private, keysOf({ setup: 'x' }, [], {}, other).private);
  assert.notEqual(idOf({ setup: 'x', visibility: 'private' }), idOf({ setup: 'x', visibility: 'private' }, other));
});

test('secrets are stored by name only', () => {
  assert.deepEqual(withoutSecrets({ setup: 'x', secrets: { A: 'b' } }), { setup: 'x', secrets: { A: '' } });
});

test('an environment has as many layers as it needs, and verify belongs to the last', () => {
  const kinds = (request: EnvironmentRequest) =>
    planLayers(describeEnvironment(request, tenant)).map(({ kind, verify }) => [kind, verify]);
  assert.deepEqual(kinds({}), [['base', null]]);
  assert.deepEqual(kinds({ verify: 'v' }), [
    ['base', null],
    ['setup', 'v'],
  ]);
  assert.deepEqual(kinds({ dependencies: 'd', verify: 'v' }), [
    ['base', null],
    ['dependencies', 'v'],
  ]);
  assert.deepEqual(kinds({ setup: 's', dependencies: 'd', verify: 'v' }), [
    ['base', null],
    ['setup', null],
    ['dependencies', 'v'],
  ]);
});
