/**
 * Owns the proof that a manifest is believed only when it is signed, of the schema, for this tenant and for these parents.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { signEnvelope } from '../../shared/layers/envelope.ts';
import {
  checkParents,
  checkScope,
  decodeEnvelope,
  encodeEnvelope,
  MANIFEST_PAYLOAD_TYPE,
  openManifest,
  signManifest,
  tenantScope,
} from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { trustState } from '../support/trust-states.ts';

const { signing, trusted } = createTestKey();
const { manifest, reference } = createTestLayer(signing, 'one');
const untrusted = (error: unknown) => error instanceof SystemError && error.code === 'layer-untrusted';

test('a manifest goes into an envelope, through its stored form, and comes out the same', () => {
  assert.deepEqual(openManifest(decodeEnvelope(encodeEnvelope(signManifest(manifest, signing))), [trusted]), manifest);
});

test('what is signed but no manifest is untrusted', () => {
  const wrong: readonly unknown[] = [
    null,
    [],
    { ...manifest, version: 2 },
    { ...manifest, more: 1 },
    { ...manifest, scope: 'tenant-' },
    { ...manifest, scope: 'curated' },
    { ...manifest, key: '../../etc' },
    { ...manifest, tar: { ...manifest.tar, bytes: -1 } },
    { ...manifest, tar: { ...manifest.tar, digest: 'sha256:zz' } },
    { ...manifest, blob: { ...manifest.blob, codec: 'gzip' } },
    { ...manifest, parents: ['sha1:00'] },
    { ...manifest, variables: { 'A B': 'x' } },
  ];
  for (const one of wrong) {
    const envelope = signEnvelope(MANIFEST_PAYLOAD_TYPE, Buffer.from(JSON.stringify(one)), signing);
    assert.throws(() => openManifest(envelope, [trusted]), untrusted, JSON.stringify(one));
  }
  const noJson = signEnvelope(MANIFEST_PAYLOAD_TYPE, Buffer.from([0x22, 0xff, 0x22]), signing);
  assert.throws(() => openManifest(noJson, [trusted]), untrusted);
  assert.throws(() => signManifest({ ...manifest, key: '' }, signing), TypeError);
});

test('a stored envelope that is none is untrusted', () => {
  for (const stored of ['', '{}', 'null', '{"payloadType":"x","payload":"","signatures":[]}']) {
    assert.throws(() => decodeEnvelope(Buffer.from(stored)), untrusted);
  }
});

test('a layer is for everybody, or for its own tenant and nobody whose id merely begins like it', () => {
  const own = { ...manifest, scope: tenantScope('a') };
  checkScope(manifest, 'a');
  checkScope(own, 'a');
  for (const tenant of ['b', 'a-b', '', 'A']) assert.throws(() => checkScope(own, tenant), untrusted);
  for (const id of ['', '../x', 'A', 'x'.repeat(65)]) assert.throws(() => tenantScope(id), TypeError);
});

test('layers stand on exactly the layers that they were built on', () => {
  const base = manifest;
  const setup = { ...manifest, parents: [base.tar.digest], tar: { ...base.tar, digest: digestOf('setup') } };
  const last = { ...manifest, parents: [base.tar.digest, setup.tar.digest] };
  checkParents([]);
  checkParents([base]);
  checkParents([base, setup, last]);
  for (const wrong of [[setup], [base, base], [setup, base], [base, last], [base, setup, setup], [last, setup, base]]) {
    assert.throws(() => checkParents(wrong), untrusted);
  }
});

test('trust remembers what it verified, and forgets it when the keys change', () => {
  const trust = new ManifestTrust([trusted]);
  assert.equal(trust.open(reference.envelope), trust.open(structuredClone(reference.envelope)));
  const tampered = {
    ...reference.envelope,
    signatures: [{ keyid: trusted.keyid, sig: Buffer.alloc(64).toString('base64') }],
  };
  assert.throws(() => trust.open(tampered), untrusted);
  const stranger = createTestKey();
  trust.accept(trustState([stranger.signing]));
  assert.throws(() => trust.open(reference.envelope), untrusted);
  trust.accept(trustState([stranger.signing], 2, { keys: [stranger.trusted, trusted] }));
  assert.deepEqual(trust.open(reference.envelope), manifest);
});

test('trust remembers no more than so many', () => {
  const trust = new ManifestTrust([trusted]);
  const first = trust.open(reference.envelope);
  for (let index = 0; index < 4096; index += 1) {
    trust.open(signManifest({ ...manifest, key: `key-number-${index}` }, signing));
  }
  assert.notEqual(trust.open(reference.envelope), first);
});
