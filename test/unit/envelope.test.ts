/**
 * Owns the proof that envelopes are DSSE with Ed25519, by vectors of the specifications, and that nothing near one opens.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { SystemError } from '../../shared/errors.ts';
import {
  openEnvelope,
  preAuthenticationEncoding,
  signEnvelope,
  toSigningKey,
  toTrustedKey,
} from '../../shared/layers/envelope.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { createTestKey } from '../support/signed-layers.ts';

const type = 'application/x-test';
const { signing, trusted } = createTestKey();
const payload = Buffer.from('{"what":"a payload"}');
const untrusted = (error: unknown) => error instanceof SystemError && error.code === 'layer-untrusted';

test("the pre-authentication encoding is DSSE's own example", () => {
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(encoded.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  assert.equal(preAuthenticationEncoding('é', Buffer.alloc(0)).toString(), 'DSSEv1 2 é 0 ');
});

test('a fixed key signs a fixed payload with the same bytes for ever', () => {
  // RFC 8032, 7.1, test 1: this secret belongs to the public key d75a9801…
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = toSigningKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const spki = Buffer.from(toTrustedKey(key).publicKey, 'base64');
  assert.equal(spki.subarray(12).toString('hex'), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  assert.match(key.keyid, /^sha256:[0-9a-f]{64}$/);
  const envelope = signEnvelope(type, payload, key);
  // Checked once with openssl, which knows nothing of this code.
  assert.equal(
    envelope.signatures[0]?.sig,
    '11K8jtRZZAiB0+BAQ3hYNfO7LuI23xNQNemE9Ze488e7Yy3p16FY3pNkxNRxTRb14ChgHaI8Lm9+LqHPYzmOBg==',
  );
  assert.deepEqual(openEnvelope(envelope, [toTrustedKey(key)], type), payload);
});

test('an envelope opens whatever its keyid says, and with any of the trusted keys', () => {
  const envelope = signEnvelope(type, payload, signing);
  const other = createTestKey().trusted;
  const renamed: Envelope = {
    ...envelope,
    signatures: [{ keyid: other.keyid, sig: envelope.signatures[0]?.sig ?? '' }],
  };
  assert.deepEqual(openEnvelope(renamed, [other, trusted], type), payload);
  const garbage = { keyid: '', sig: Buffer.alloc(64).toString('base64') };
  const twice: Envelope = { ...envelope, signatures: [garbage, ...envelope.signatures] };
  assert.deepEqual(openEnvelope(twice, [trusted], type), payload);
});

test('forged, swapped, re-signed and re-typed envelopes are untrusted', () => {
  const envelope = signEnvelope(type, payload, signing);
  const stranger = createTestKey();
  const forged: readonly Envelope[] = [
    { ...envelope, payload: Buffer.from('{"what":"another"}').toString('base64') },
    { ...envelope, payload: `${envelope.payload}\n` },
    { ...envelope, payload: ` ${envelope.payload}` },
    { ...envelope, signatures: [{ keyid: trusted.keyid, sig: '' }] },
    { ...envelope, signatures: [] },
    signEnvelope(type, payload, stranger.signing),
    {
      ...signEnvelope(type, payload, stranger.signing),
      signatures: [{ ...signEnvelope(type, payload, stranger.signing).signatures[0], keyid: trusted.keyid } as never],
    },
    { ...signEnvelope('application/x-other', payload, signing), payloadType: type },
    signEnvelope('application/x-other', payload, signing),
  ];
  for (const one of forged) assert.throws(() => openEnvelope(one, [trusted], type), untrusted);
  assert.throws(() => openEnvelope(envelope, [], type), untrusted);
});

test('a key of another kind is never trusted, nor signed with', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsa = { keyid: 'x', publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
  const envelope = signEnvelope(type, payload, signing);
  const sig = sign(null, preAuthenticationEncoding(type, payload), privateKey).toString('base64');
  const signedByRsa: Envelope = { ...envelope, signatures: [{ keyid: 'x', sig }] };
  assert.throws(() => openEnvelope(signedByRsa, [rsa], type), untrusted);
  assert.throws(() => openEnvelope(envelope, [{ keyid: 'x', publicKey: 'AAAA' }], type), untrusted);
  assert.throws(() => toSigningKey(privateKey), TypeError);
});

test('no changed byte of payload or signature opens', () => {
  const envelope = signEnvelope(type, payload, signing);
  const signature = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64');
  fc.assert(
    fc.property(fc.nat(payload.length + signature.length - 1), fc.integer({ min: 1, max: 255 }), (offset, mask) => {
      const bytes = Buffer.concat([payload, signature]);
      bytes[offset] = (bytes[offset] ?? 0) ^ mask;
      const changed: Envelope = {
        payloadType: type,
        payload: bytes.subarray(0, payload.length).toString('base64'),
        signatures: [{ keyid: trusted.keyid, sig: bytes.subarray(payload.length).toString('base64') }],
      };
      assert.throws(() => openEnvelope(changed, [trusted], type), untrusted);
    }),
    { numRuns: 200 },
  );
});
