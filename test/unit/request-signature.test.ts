/**
 * Owns the proof that our Signature Version 4 is everybody's: the examples that its specification publishes for S3.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { presignUrl, signHeaders } from '../../shared/storage/request-signature.ts';

const signer = {
  credentials: { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  region: 'us-east-1',
  nowMs: Date.UTC(2013, 4, 24),
};

test("a presigned GET has the signature of the specification's example", () => {
  const url = presignUrl(signer, 'GET', new URL('https://examplebucket.s3.amazonaws.com/test.txt'), {}, 86_400);
  const query = new URL(url).searchParams;
  assert.equal(query.get('X-Amz-Signature'), 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
  assert.equal(query.get('X-Amz-Credential'), 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request');
});

test("signed headers have the signature of the specification's example", () => {
  const url = new URL('https://examplebucket.s3.amazonaws.com/?lifecycle');
  const { authorization } = signHeaders(signer, 'GET', url, {}, new Uint8Array());
  assert.match(authorization ?? '', /Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543$/);
});

test('every header that is given becomes part of the signature', () => {
  const url = new URL('http://store.example/bucket/key');
  const signatureOf = (headers: Record<string, string>) =>
    new URL(presignUrl(signer, 'PUT', url, headers, 60)).searchParams.get('X-Amz-Signature');
  const signatures = [{}, { 'if-none-match': '*' }, { 'if-none-match': '"a"' }, { 'content-length': '1' }].map(
    signatureOf,
  );
  assert.equal(new Set(signatures).size, signatures.length);
});
