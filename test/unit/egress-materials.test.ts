/**
 * Owns the proof that records hold no secret of a URL and name exactly the bytes and commits that a build got.
 */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  isSignedQuery,
  Meter,
  toRecordedUrl,
  toRedirectTarget,
  wantedObjects,
} from '../../coordinator/egress/materials.ts';

test('signed query strings are left out whole', () => {
  for (const query of [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00ff&response-content-type=x',
    'X-Goog-Signature=1',
    'Expires=1&Signature=abc&Key-Pair-Id=K',
    'sv=2024-01-01&sr=b&sig=x%3D',
    'name=x&access_token=1',
    'private_token=1',
    'api_key=1',
    `q=${'Ab3'.repeat(20)}`,
  ])
    assert.equal(toRecordedUrl(`https://a.example/p?${query}`), 'https://a.example/p?…', query);
});

test('other query strings stay: they say what was fetched', () => {
  for (const query of ['service=git-upload-pack', 'go-get=1', 'v=1.2.3&arch=amd64', `ref=${'0af'.repeat(20)}`, ''])
    assert.equal(toRecordedUrl(`https://a.example/p?${query}`), `https://a.example/p?${query}`);
});

test('user information never reaches a record, whatever the URL looks like', () => {
  assert.equal(toRecordedUrl('https://user:secret@a.example/p#f'), 'https://a.example/p');
  assert.equal(toRecordedUrl('ftp://user:secret@a.example/p'), '');
  fc.assert(
    fc.property(fc.string(), fc.webUrl({ withQueryParameters: true }), (text, url) => {
      assert.ok(!toRecordedUrl(text).includes('hunter2'));
      const withUser = url.replace('://', '://user:hunter2@');
      assert.ok(!toRecordedUrl(withUser).includes('hunter2'));
    }),
  );
});

test('a value as long as a token is taken for one unless it is named as a revision', () => {
  assert.ok(isSignedQuery(`x=${'a'.repeat(40)}`));
  assert.ok(!isSignedQuery(`x=${'a'.repeat(39)}`));
  assert.ok(!isSignedQuery(`commit=${'a'.repeat(40)}`));
});

test('redirect targets are absolute; what can not be read is none', () => {
  assert.equal(toRedirectTarget('../x?y=1', 'https://a.example/p/q'), 'https://a.example/x?y=1');
  assert.equal(toRedirectTarget('https://[', 'https://a.example/'), null);
  assert.equal(toRedirectTarget(undefined, 'https://a.example/'), null);
});

test('a meter passes bytes unchanged and knows their digest, at the end and before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })), async (chunks) => {
      const meter = new Meter(() => null);
      const all = Buffer.concat(chunks);
      assert.deepEqual(await buffer(Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(meter)), all);
      assert.equal(meter.bytes, all.length);
      assert.equal(meter.sha256, createHash('sha256').update(all).digest('hex'));
      assert.equal(meter.sha256, meter.sha256);
    }),
    { numRuns: 50 },
  );
});

const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
const id = (digit: string): string => digit.repeat(40);

test('the wants of a git fetch are read in protocol versions 0 and 2, compressed or not', () => {
  const v0 = `${line(`want ${id('a')} multi_ack side-band-64k\n`)}${line(`want ${id('b')}\n`)}0000${line('done\n')}`;
  const v2 = `${line('command=fetch')}0001${line('thin-pack')}${line(`want ${id('c')}\n`)}${line('done\n')}0000`;
  assert.deepEqual(wantedObjects(Buffer.from(v0)), [id('a'), id('b')]);
  assert.deepEqual(wantedObjects(Buffer.from(v2)), [id('c')]);
  assert.deepEqual(wantedObjects(gzipSync(v2)), [id('c')]);
});

test('garbage in place of a git request is no want and no failure', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => wantedObjects(Buffer.from(bytes)).length === 0));
  assert.deepEqual(wantedObjects(gzipSync(Buffer.alloc(10_000_000))), []);
});
