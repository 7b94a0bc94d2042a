/**
 * Owns the proof that MinIO can stand behind the cache: the verifier writes and deletes with credentials of its own, the coordinator presigns with
 * one that can only read, the agent and the builder pull by URL. Real MinIO, real instance, an environment of two layers.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { ApiClient } from '../support/api-client.ts';

const instance = new PrivateInstance();
let server: MinioServer | null = null;

before(
  async () => {
    server = await startMinioServer();
    const shared = {
      MINIO_ENDPOINT: server.endpoint,
      MINIO_BUCKET: server.bucket,
      MINIO_REGION: server.region,
      STORE_KIND: 'minio',
    };
    const reader = { MINIO_ACCESS_KEY: server.reader.accessKey, MINIO_SECRET_KEY: server.reader.secretKey };
    const writer = {
      MINIO_WRITER_ACCESS_KEY: server.writer.accessKey,
      MINIO_WRITER_SECRET_KEY: server.writer.secretKey,
    };
    const purger = {
      MINIO_PURGER_ACCESS_KEY: server.purger.accessKey,
      MINIO_PURGER_SECRET_KEY: server.purger.secretKey,
    };
    await instance.start({
      ...withPrefix('ENVICUTOR_', { ...shared, ...reader }),
      ...withPrefix('ENVICUTOR_VERIFIER_', { ...shared, ...reader, ...writer, ...purger }),
    });
  },
  { timeout: 600_000 },
);
after(async () => {
  await instance.stop();
  await server?.stop();
});

function withPrefix(prefix: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [prefix + name, value]));
}

/** The keys below a prefix, as the purger may list them. */
async function keysBelow(prefix: string): Promise<string[]> {
  assert.ok(server !== null);
  const keys: string[] = [];
  for await (const entry of new MinioObjectStore(server).list(prefix)) keys.push(entry.key);
  return keys;
}

test('layers are written to MinIO once and pulled from it by URL', async () => {
  const api = new ApiClient(instance.url);
  const environment = { setup: 'echo kept in a bucket > /environment/word' };
  const run = { script: 'cat /environment/word' };
  const built = await api.execute({ environment, run });
  assert.equal(built.run?.stdout, 'kept in a bucket\n', JSON.stringify(built));
  assert.equal((await keysBelow('cas/sha256/')).length, 2);
  assert.equal((await keysBelow('provenance/sha256/')).length, 2);
  const scopes = (await keysBelow('manifests/')).map((key) => key.split('/')[1]);
  assert.deepEqual(scopes.sort(), ['shared', 'tenant-local']);
  const again = await api.execute({ environment, run });
  assert.deepEqual(
    again.environment?.layers.map((layer) => layer.origin),
    ['local', 'local'],
  );
});

test('a layer is revoked and purged with everything real: its bytes leave the bucket, and the next request runs on another build', async () => {
  const api = new ApiClient(instance.url);
  const request = { environment: { setup: 'date +%N > /environment/word' }, run: { script: 'cat /environment/word' } };
  const before = await api.execute(request);
  const digest = before.environment?.layers[1]?.digest ?? '';
  const { body } = await api.get<{ items: { digest: string; agents: string[] }[] }>('/v1/cache');
  assert.equal(body.items.find((layer) => layer.digest === digest)?.agents.length, 1);
  const blobs = (await keysBelow('cas/sha256/')).length;
  const revoked = await api.post('/v1/cache/revoke', { layers: [digest], kill: true, reason: 'a test' });
  assert.equal(revoked.status, 200, JSON.stringify(revoked.body));
  const purged = await api.post<{ removed: number; blobs: number }>('/v1/cache/purge', { digests: [digest] });
  assert.deepEqual([purged.status, purged.body.removed, purged.body.blobs], [200, 1, 1], JSON.stringify(purged.body));
  assert.equal((await keysBelow('cas/sha256/')).length, blobs - 1);
  const after = await api.execute(request);
  assert.equal(after.verdict, 'ok', JSON.stringify(after));
  assert.notEqual(after.run?.stdout, before.run?.stdout);
  assert.equal(after.environment?.id, before.environment?.id);
});
