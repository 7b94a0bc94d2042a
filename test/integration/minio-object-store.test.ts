/**
 * Owns what is particular to MinIO: what each user may and may not do, what a signed URL allows, a server that dies.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { request } from 'undici';
import { PublicationsUnderWay } from '../../coordinator/environments/verifier/publications-under-way.ts';
import { Sweeper } from '../../coordinator/environments/verifier/sweeper.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { systemClock } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { blobKey, encodeEnvelope, manifestKey } from '../../shared/layers/layer-manifest.ts';
import { silentLogger } from '../../shared/logger.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { describeBytes, readObject } from '../../shared/storage/object-store.ts';
import { presignUrl, type StoreCredentials } from '../../shared/storage/request-signature.ts';
import { assertNothingLeft, takeInventory } from '../support/inventory.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';

const data = Buffer.from('the bytes of an object');
let server: MinioServer;
let store: MinioObjectStore;

before(async () => {
  server = await startMinioServer();
  store = new MinioObjectStore(server);
  await store.put('a/b', data, describeBytes(data));
});
after(() => server.stop());

async function send(method: 'GET' | 'PUT' | 'DELETE', url: string, headers = {}, body: Buffer | null = null) {
  const answer = await request(url, { method, headers, body });
  return { status: answer.statusCode, text: await answer.body.text() };
}

function sign(
  credentials: StoreCredentials,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): string {
  const signer = { credentials, region: server.region, nowMs: systemClock.nowMs() };
  return presignUrl(signer, method, new URL(`/${server.bucket}${path}`, server.endpoint), headers, 60);
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof SystemError && error.code === 'object-store-unavailable' && /AccessDenied/.test(error.message)
  );
}

test('a presigned GET serves the object and its ranges to whoever holds it, and nothing else', async () => {
  const url = store.presignGet('a/b', 60);
  assert.deepEqual(await send('GET', url), { status: 200, text: data.toString() });
  assert.deepEqual(await send('GET', url, { range: 'bytes=4-8' }), { status: 206, text: data.toString('utf8', 4, 9) });
  assert.equal((await send('GET', url.replace('/a/b?', '/a/c?'))).status, 403);
  assert.equal((await send('GET', url.replace('Expires=60', 'Expires=600'))).status, 403);
  assert.equal((await send('PUT', url, {}, data)).status, 403);
  assert.equal((await send('DELETE', url)).status, 403);
});

test('a store that is closed keeps no connection', async () => {
  // Its own agents and this process's: only the descriptors tell.
  const before = takeInventory();
  const closing = new MinioObjectStore(server);
  assert.equal((await closing.head('a/b'))?.bytes, data.length);
  assert.deepEqual(Buffer.from((await readObject(closing, 'a/b', 100)) ?? []), data);
  assert.notDeepEqual(takeInventory().descriptors, before.descriptors);
  await closing.close();
  await assertNothingLeft(before);
});

test('a presigned GET is over when its time is over', async () => {
  const past = new MinioObjectStore({ ...server, clock: { nowMs: () => systemClock.nowMs() - 120_000 } });
  assert.equal((await send('GET', past.presignGet('a/b', 300))).status, 200);
  assert.equal((await send('GET', past.presignGet('a/b', 60))).status, 403);
});

test('URLs are signed for the address by which agents reach the store', async () => {
  const elsewhere = new MinioObjectStore({ ...server, publicEndpoint: 'https://store.example:9443' });
  assert.match(elsewhere.presignGet('a/b', 60), /^https:\/\/store\.example:9443\/envicutor\/a\/b\?/);
});

test('the reader may get, and neither put, list nor delete', async () => {
  const { reader } = server;
  const asReader = new MinioObjectStore({ ...server, writer: reader, purger: reader });
  assert.deepEqual(Buffer.from((await readObject(asReader, 'a/b', 100)) ?? []), data);
  await assert.rejects(asReader.put('a/new', data, describeBytes(data)), isRefusal);
  await assert.rejects(Readable.from(asReader.list('')).toArray(), isRefusal);
  await assert.rejects(asReader.delete('a/b'), isRefusal);
});

test('the writer may put, and neither read, list nor delete; the purger may not put', async () => {
  const { writer, purger } = server;
  assert.equal((await send('GET', sign(writer, 'GET', '/a/b'))).status, 403);
  assert.equal((await send('DELETE', sign(writer, 'DELETE', '/a/b'))).status, 403);
  await assert.rejects(
    Readable.from(new MinioObjectStore({ ...server, purger: writer }).list('')).toArray(),
    isRefusal,
  );
  assert.equal((await send('PUT', sign(purger, 'PUT', '/a/new'), {}, data)).status, 403);
});

test('a process without credentials for something says which it lacks', async () => {
  const { endpoint, bucket, region, reader } = server;
  const readOnly = new MinioObjectStore({ endpoint, bucket, region, reader });
  await assert.rejects(readOnly.put('a/new', data, describeBytes(data)), /no writer's credentials for envicutor/);
  await assert.rejects(readOnly.delete('a/b'), /no purger's credentials for envicutor/);
});

test('an upload whose signed headers are left out or changed is refused', async () => {
  const headers = { 'if-none-match': '*', 'content-length': String(data.length) };
  const url = sign(server.writer, 'PUT', '/a/b', headers);
  assert.equal((await send('PUT', url, headers, data)).status, 412);
  const without = await send('PUT', url, { 'content-length': headers['content-length'] }, data);
  assert.match(without.text, /<Code>AccessDenied</);
  assert.equal((await send('PUT', url, { ...headers, 'if-none-match': '"other"' }, data)).status, 403);
  assert.equal((await send('PUT', url, { ...headers, 'content-length': '3' }, data.subarray(0, 3))).status, 403);
});

test('a writer that overwrites without the condition makes a version and loses none; deleting removes them all', async () => {
  const forged = Buffer.from('forged');
  await store.put('a/forged', data, describeBytes(data));
  assert.equal((await send('PUT', sign(server.writer, 'PUT', '/a/forged'), {}, forged)).status, 200);
  const versions = await send('GET', sign(server.purger, 'GET', '?versions=&prefix=a/forged'));
  assert.equal(versions.text.match(/<Version>/g)?.length, 2);
  await store.delete('a/forged');
  const afterwards = await send('GET', sign(server.purger, 'GET', '?versions=&prefix=a/forged'));
  assert.equal(afterwards.status, 200);
  assert.doesNotMatch(afterwards.text, /<Version>|<DeleteMarker>/);
});

test('a wrong secret and a server that is gone are failures of the store, not absent objects', async () => {
  const stranger = new MinioObjectStore({ ...server, reader: { ...server.reader, secretKey: 'wrong-secret' } });
  await assert.rejects(stranger.get('a/b'), { code: 'object-store-unavailable', message: /403 SignatureDoesNotMatch/ });
  const gone = new MinioObjectStore({ ...server, endpoint: 'http://127.0.0.1:1' });
  await assert.rejects(gone.get('a/b'), { code: 'object-store-unavailable' });
  await assert.rejects(gone.head('a/b'), { code: 'object-store-unavailable' });
  await assert.rejects(gone.put('a/b', data, describeBytes(data)), { code: 'object-store-unavailable' });
  await assert.rejects(new MinioObjectStore({ ...server, bucket: 'absent' }).get('a/b'), /AccessDenied|NoSuchBucket/);
});

test('what a sweep removes is gone with every version, by a store that can not write, and what is needed stays', async () => {
  const { signing } = createTestKey();
  const [kept, gone] = [createTestLayer(signing, 'kept'), createTestLayer(signing, 'gone')];
  const place = ({ manifest }: typeof kept) => manifestKey(manifest.scope, manifest.key);
  for (const layer of [kept, gone]) {
    const stored = encodeEnvelope(layer.reference.envelope);
    await store.put(blobKey(layer.manifest.blob.digest), layer.blob, describeBytes(layer.blob));
    await store.put(place(layer), stored, describeBytes(stored));
  }
  const { endpoint, bucket, region, reader, writer, purger } = server;
  const purged = new MinioObjectStore({ endpoint, bucket, region, reader, purger });
  await assert.rejects(purged.put('a/c', data, describeBytes(data)), /no writer's credentials/);
  const underWay = new PublicationsUnderWay();
  const rest = { underWay, clock: systemClock, logger: silentLogger };
  const order = { manifests: [place(gone)], graceMs: 86_400_000, isRehearsal: false };
  const refusing = new Sweeper({ store: new MinioObjectStore({ endpoint, bucket, region, reader, writer }), ...rest });
  await assert.rejects(refusing.sweep(order), /no purger's credentials/);
  const result = await new Sweeper({ store: purged, ...rest }).sweep(order);
  assert.deepEqual([result.removed, result.blobs, result.bytes], [[place(gone)], 1, gone.blob.length]);
  assert.equal(await store.get(blobKey(gone.manifest.blob.digest)), null);
  assert.notEqual(await store.head(blobKey(kept.manifest.blob.digest)), null);
  // Gone for good, not behind a mark: the same key can be written once, and only once, again.
  assert.equal(await store.put(blobKey(gone.manifest.blob.digest), gone.blob, describeBytes(gone.blob)), 'stored');
  assert.equal(await store.put(blobKey(gone.manifest.blob.digest), gone.blob, describeBytes(gone.blob)), 'exists');
});

test('the command prepares a bucket, gives each process its own users only, and says what is missing', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'minio-settings-'));
  context.after(() => rm(folder, { recursive: true }));
  const { endpoint, root } = server;
  const program = join(import.meta.dirname, '../../ops/minio/main.ts');
  const run = (options: readonly string[], secretKey: string) =>
    spawnSync(process.execPath, [program, ...options], {
      env: { MINIO_ROOT_USER: root.accessKey, MINIO_ROOT_PASSWORD: secretKey },
      encoding: 'utf8',
    });
  const place = ['--endpoint', endpoint, '--bucket', 'prepared', '--output', folder];
  const done = run(place, root.secretKey);
  assert.equal(done.status, 0, done.stderr);
  const read = async (name: string) => {
    const text = await readFile(join(folder, name), 'utf8');
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
    for (const [, secret] of text.matchAll(/_SECRET_KEY=(.+)/g)) assert.ok(!done.stdout.includes(secret ?? ''));
    return Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=')),
    );
  };
  const coordinator = await read('coordinator.env');
  const verifier = await read('verifier.env');
  const writing = Object.keys(coordinator).filter((name) => /WRITER|PURGER/.test(name));
  assert.equal(writing.length, 4);
  for (const name of writing) assert.match(name, /^ENVICUTOR_MINIO_FILES_/, 'of the layers it may only read');
  const user = (variables: Record<string, string>, prefix: string): StoreCredentials => ({
    accessKey: variables[`${prefix}_ACCESS_KEY`] ?? '',
    secretKey: variables[`${prefix}_SECRET_KEY`] ?? '',
  });
  const reader = user(coordinator, 'ENVICUTOR_MINIO');
  const whole = {
    ...{ endpoint, region: 'us-east-1', bucket: 'prepared', reader },
    writer: user(verifier, 'ENVICUTOR_VERIFIER_MINIO_WRITER'),
    purger: user(verifier, 'ENVICUTOR_VERIFIER_MINIO_PURGER'),
  };
  const prepared = new MinioObjectStore(whole);
  const filesUsers = Object.fromEntries(
    ['reader', 'writer', 'purger'].map((role) => [
      role,
      user(coordinator, `ENVICUTOR_MINIO_FILES_${role.toUpperCase()}`),
    ]),
  ) as Pick<typeof whole, 'reader' | 'writer' | 'purger'>;
  const bucket = coordinator['ENVICUTOR_MINIO_FILES_BUCKET'] ?? '';
  const files = new MinioObjectStore({ ...whole, ...filesUsers, bucket });
  assert.equal(await files.put('a/b', data, describeBytes(data)), 'stored');
  await files.delete('a/b');
  assert.equal(await files.head('a/b'), null);
  await files.close();
  const stranger = new MinioObjectStore({ ...whole, ...filesUsers, reader });
  await assert.rejects(stranger.put('cas/two', data, describeBytes(data)), isRefusal);
  await assert.rejects(stranger.delete('cas/one'), isRefusal);
  await stranger.close();
  assert.equal(await prepared.put('cas/one', data, describeBytes(data)), 'stored');
  assert.deepEqual(Buffer.from((await readObject(prepared, 'cas/one', 1000)) ?? ''), data);
  await prepared.delete('cas/one');
  assert.equal(await prepared.head('cas/one'), null);
  await assert.rejects(
    new MinioObjectStore({ ...whole, writer: reader }).put('cas/two', data, describeBytes(data)),
    isRefusal,
  );
  assert.deepEqual([run(place, 'wrong').status, run(['--endpoint', endpoint], root.secretKey).status], [78, 78]);
});
