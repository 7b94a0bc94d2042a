/**
 * Owns the proof that writing to the bucket is not writing to the cache: by the forged PUT of CVE-2026-41145, for which the access key of
 * somebody who may write is enough, blobs and manifests are replaced in a real MinIO, and every reader refuses them by their named reason.
 * What is published is published by the real verifier, and fetched by presigned URL as an agent does.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { crc32, zstdCompressSync } from 'node:zlib';
import { request } from 'undici';
import { readLayer } from '../../coordinator/environments/manifest.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import {
  blobKey,
  decodeEnvelope,
  encodeEnvelope,
  manifestKey,
  openManifest,
  signManifest,
} from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import type { LayerManifest } from '../../shared/model/manifest.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { readObject } from '../../shared/storage/object-store.ts';
import { createTestKey } from '../support/signed-layers.ts';
import { orderFor, plainTar, stage } from '../support/staged-layers.ts';
import { startVerifier } from '../support/two-builds.ts';

let server: MinioServer;
let store: MinioObjectStore;
before(async () => {
  server = await startMinioServer();
  store = new MinioObjectStore(server);
});
after(() => server.stop());

/** A PUT with a signature of zeros, whose unsigned body ends in a trailer: MinIO does not look at the signature then. */
async function forge(accessKey: string, key: string, content: Buffer): Promise<string> {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(content));
  const trailer = `\r\n0\r\nx-amz-checksum-crc32:${checksum.toString('base64')}\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from(trailer)]);
  const date = new Date(systemClock.nowMs()).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const parameters = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKey}/${date.slice(0, 8)}/${server.region}/s3/aws4_request`,
    'X-Amz-Date': date,
    'X-Amz-Expires': '300',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': '0'.repeat(64),
  };
  const answer = await request(`${server.endpoint}/${server.bucket}/${key}?${new URLSearchParams(parameters)}`, {
    method: 'PUT',
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-date': date,
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(content.length),
    },
    body,
  });
  const said = /<Code>(\w+)</.exec(await answer.body.text())?.[1] ?? '';
  return `${answer.statusCode} ${said}`.trim();
}

/** Replaces an object as somebody who has learnt the writer's access key. */
async function replace(key: string, content: Buffer): Promise<void> {
  assert.equal(await forge(server.writer.accessKey, key, content), '200', 'this MinIO has the hole');
  assert.deepEqual(Buffer.from((await readObject(store, key, 1e6)) ?? []), content);
}

/** A layer of this text that the verifier has published in the bucket, and what reads it as the coordinator and an agent do. */
async function publish(context: TestContext, text: string) {
  const { staging, keys, verifier } = await startVerifier(context, () => store);
  const tar = plainTar(text);
  const blob = zstdCompressSync(tar);
  const buildId = `build_${text.padEnd(10, '0')}`;
  await stage(staging, buildId, blob);
  const order = orderFor(buildId, tar, blob);
  const { envelope } = await verifier.publish(order);
  const place = manifestKey(order.scope, order.key);
  const read = () => readLayer(store, place, new ManifestTrust(keys.trusted));
  assert.deepEqual((await read())?.envelope, envelope);
  return { staging, keys, verifier, order, blob, envelope, place, read };
}

const withCode = (code: string) => (error: unknown) => error instanceof SystemError && error.code === code;

test('the access key that every URL shows is one that may not write, forged or not', async () => {
  const credential = new URL(store.presignGet('cas/any', 60)).searchParams.get('X-Amz-Credential');
  const shown = credential?.split('/')[0] ?? '';
  assert.equal(shown, server.reader.accessKey);
  assert.equal(await forge(shown, 'cas/any', Buffer.from('forged')), '403 AccessDenied');
  assert.equal(await forge(server.purger.accessKey, 'cas/any', Buffer.from('forged')), '403 AccessDenied');
  assert.equal(await store.head('cas/any'), null);
});

test('a blob that was replaced by a forged write is fetched by nobody, and no manifest is signed for it again', async (t) => {
  const { staging, verifier, order, blob } = await publish(t, 'blob');
  const key = blobKey(order.staged.blob.digest);
  const directory = await mkdtemp(join(tmpdir(), 'forged-'));
  t.after(() => rm(directory, { recursive: true }));
  const fetcher = new LayerFetcher({ directory });
  t.after(() => fetcher.close());
  const fetch = () => fetcher.fetch(store.presignGet(key, 60), { ...order.staged.blob, codec: 'zstd' });
  await (await fetch()).close();
  const flipped = Buffer.from(blob);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  for (const poison of [
    flipped,
    blob.subarray(0, -1),
    Buffer.concat([blob, blob]),
    zstdCompressSync(plainTar('evil')),
  ]) {
    await replace(key, poison);
    await assert.rejects(fetch(), withCode('layer-corrupt'));
  }
  const buildId = 'build_again00000';
  await stage(staging, buildId, blob);
  const again = { ...order, staged: { ...order.staged, buildId }, key: 'k-another-of-the-same-bytes' };
  await assert.rejects(verifier.publish(again), withCode('layer-corrupt'));
  assert.equal(await store.head(manifestKey(again.scope, again.key)), null);
});

test('a manifest that was replaced by a forged write is read by nobody, whatever stands in its place', async (t) => {
  const { keys, verifier, order, envelope, place, read } = await publish(t, 'manifest');
  const genuine = encodeEnvelope(envelope);
  const manifest = openManifest(envelope, keys.trusted);
  const other = await publish(t, 'other');
  const stranger = createTestKey().signing;
  const evil: LayerManifest = { ...manifest, tar: { ...manifest.tar, digest: other.order.staged.tar.digest } };
  const reworded = { ...envelope, payload: Buffer.from(JSON.stringify(evil)).toString('base64') };
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["signed by a stranger's key", encodeEnvelope(signManifest(evil, stranger)), 'layer-untrusted'],
    ['other words under the signature', encodeEnvelope(reworded), 'layer-untrusted'],
    ['cut off', genuine.subarray(0, -2), 'layer-untrusted'],
    ['no signature', Buffer.from(JSON.stringify({ ...decodeEnvelope(genuine), signatures: [] })), 'layer-untrusted'],
    ['noise', Buffer.alloc(3000, 7), 'layer-untrusted'],
  ];
  for (const [what, poison, code] of cases) {
    await replace(place, poison);
    await assert.rejects(read(), withCode(code), what);
    await assert.rejects(verifier.publish(order), withCode(code), `${what}, to the verifier`);
  }
  // The verifier's own signature, on what belongs elsewhere.
  const elsewhere = await verifier.promote({ envelope, key: 'k-shared-by-an-operator' });
  await replace(place, encodeEnvelope(elsewhere.envelope));
  await assert.rejects(read(), withCode('layer-corrupt'));
  await assert.rejects(verifier.publish(order), withCode('layer-untrusted'));
  await replace(place, genuine);
  assert.deepEqual((await read())?.envelope, envelope, 'what was there is good again');
});
