/**
 * Owns the proof that the hand-written certificates are accepted by strict verifiers, and that leaves stay bounded.
 */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  authorityTraces,
  buildNetworkVariables,
  buildSystemFiles,
} from '../../coordinator/egress/build-certificates.ts';
import { createBuildAuthority, createLeafIssuer } from '../../coordinator/egress/certificates.ts';
import { objectIdentifier, time } from '../../coordinator/egress/der.ts';

const authority = createBuildAuthority();

test('openssl verifies leaves with X509_STRICT, for names short, long, deep and with odd letters', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'egress-certificates-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const issuer = createLeafIssuer(authority);
  writeFileSync(join(folder, 'ca.crt'), authority.certificatePem);
  for (const host of [
    'a.example',
    'registry.example.org',
    'xn--mnchen-3ya.example',
    `${'long-label-'.repeat(5)}x.${'y'.repeat(60)}.example`,
  ]) {
    writeFileSync(join(folder, 'leaf.crt'), issuer.certificateFor(host));
    const verify = [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-verify_hostname',
      host,
      '-CAfile',
      join(folder, 'ca.crt'),
    ];
    assert.match(execFileSync('openssl', [...verify, join(folder, 'leaf.crt')], { encoding: 'utf8' }), /OK/);
  }
});

test("a leaf is the authority's, for its name only, and no authority itself", () => {
  const ca = new X509Certificate(authority.certificatePem);
  const leaf = new X509Certificate(createLeafIssuer(authority).certificateFor('good.example'));
  assert.ok(leaf.verify(ca.publicKey));
  assert.ok(leaf.checkIssued(ca));
  assert.equal(leaf.checkHost('good.example'), 'good.example');
  assert.equal(leaf.checkHost('evil.example'), undefined);
  assert.ok(ca.ca);
  assert.ok(!leaf.ca);
});

test('two builds never share an authority', () => {
  const other = createBuildAuthority();
  const leaf = new X509Certificate(createLeafIssuer(other).certificateFor('good.example'));
  assert.ok(!leaf.verify(new X509Certificate(authority.certificatePem).publicKey));
  assert.throws(() => createLeafIssuer({ ...authority, keyPem: other.keyPem }), /does not belong/);
});

test('only so many leaves are kept, however many names a build asks for', () => {
  const issuer = createLeafIssuer(authority, 3);
  const first = issuer.contextFor('0.example');
  assert.equal(issuer.contextFor('0.example'), first);
  for (let at = 1; at <= 3; at++) issuer.contextFor(`${at}.example`);
  assert.notEqual(issuer.contextFor('0.example'), first);
});

test("the trust store carries the certificate and Java's keyed digest over it", () => {
  const store = buildSystemFiles(authority).find(({ path }) => path === 'cacerts.jks')?.content ?? Buffer.alloc(0);
  const body = Buffer.from(store.subarray(0, -20));
  const key = Buffer.from('changeit', 'utf16le').swap16();
  assert.ok(body.includes(new X509Certificate(authority.certificatePem).raw));
  const digest = createHash('sha1').update(key).update('Mighty Aphrodite').update(body).digest();
  assert.deepEqual(Buffer.from(store.subarray(-20)), digest);
});

test('every variable names a file that a build is given, and no file holds the key', () => {
  const files = buildSystemFiles(authority);
  for (const value of Object.values(buildNetworkVariables())) {
    const name = /\/run\/envicutor\/([a-z.]+)$/.exec(value)?.[1];
    assert.ok(
      files.some(({ path }) => path === name),
      value,
    );
  }
  const secret = authority.keyPem.split('\n')[1] ?? '';
  for (const { content } of files) assert.ok(!Buffer.from(content).includes(secret));
});

test('traces find the authority in a bundle and in a Java key store', () => {
  const traces = authorityTraces(authority.certificatePem);
  const isFoundIn = (content: Uint8Array): boolean =>
    traces.some((trace) => Buffer.from(content).includes(Buffer.from(trace)));
  assert.ok(isFoundIn(Buffer.from(`${createBuildAuthority().certificatePem}${authority.certificatePem}`)));
  assert.ok(
    isFoundIn(buildSystemFiles(authority).find(({ path }) => path === 'cacerts.jks')?.content ?? Buffer.alloc(0)),
  );
  assert.ok(!isFoundIn(Buffer.from(createBuildAuthority().certificatePem)));
});

test('object identifiers and times are written as DER wants them', () => {
  assert.equal(objectIdentifier('1.2.840.10045.4.3.2').toString('hex'), '06082a8648ce3d040302');
  assert.equal(
    time(Date.UTC(2049, 11, 31, 23, 59, 59))
      .toString('latin1')
      .slice(2),
    '491231235959Z',
  );
  assert.equal(
    time(Date.UTC(2050, 0, 1))
      .toString('latin1')
      .slice(2),
    '20500101000000Z',
  );
});
