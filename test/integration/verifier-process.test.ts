/**
 * Owns the proof that the verifier works as a process: its key is made once and is nobody else's, it answers on its socket what
 * the coordinator's client expects, it is killed and comes back the same, and a bad configuration is refused in one sentence.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { createVerifierClient } from '../../coordinator/environments/verifier-client.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { manifestKey, openManifest } from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { asBase, orderFor, plainTar, stage, withKey } from '../support/staged-layers.ts';
import { revocation } from '../support/trust-states.ts';

const program = new URL('../../coordinator/environments/verifier/main.ts', import.meta.url).pathname;
const buildId = 'build_0123456789';
const tar = plainTar();
const blob = zstdCompressSync(tar);

async function createPlace(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'verifier-process-'));
  context.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'staging'));
  await stage(join(folder, 'staging'), buildId, blob);
  return { folder, socketPath: join(folder, 'verifier.sock') };
}

function spawnVerifier(context: TestContext, folder: string, more: Record<string, string> = {}): ChildProcess {
  const env = {
    ENVICUTOR_VERIFIER_SOCKET_PATH: join(folder, 'verifier.sock'),
    ENVICUTOR_VERIFIER_STATE_DIRECTORY: join(folder, 'keys'),
    ENVICUTOR_VERIFIER_STAGING_DIRECTORY: join(folder, 'staging'),
    ENVICUTOR_VERIFIER_STORE_DIRECTORY: join(folder, 'store'),
    ...more,
  };
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  return child;
}

async function start(context: TestContext, folder: string): Promise<ChildProcess> {
  const child = spawnVerifier(context, folder);
  assert.ok(child.stdout !== null);
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    if (String(chunk).includes('verifier ready')) break;
  }
  child.stdout.resume();
  return child;
}

function connect(context: TestContext, socketPath: string): ReturnType<typeof createVerifierClient> {
  const client = createVerifierClient(socketPath);
  context.after(() => client.close());
  return client;
}

test("the coordinator's client publishes, promotes and reads the keys, before and after a kill -9", async (context) => {
  const { folder, socketPath } = await createPlace(context);
  const first = await start(context, folder);
  const client = connect(context, socketPath);
  const { keys } = await client.keys();
  const order = orderFor(buildId, tar, blob);
  const { envelope, isNew } = await client.publish(order);
  assert.equal(isNew, true);
  assert.equal(openManifest(envelope, keys).key, order.key);
  const missing = client.publish({
    ...order,
    key: 'k-something-else',
    staged: { ...order.staged, buildId: 'build_nothing0' },
  });
  await assert.rejects(missing, (error) => error instanceof SystemError && /^staging-missing: /.test(error.message));
  assert.equal((await stat(join(folder, 'keys/signing-key.pem'))).mode & 0o777, 0o600);
  assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
  first.kill('SIGKILL');
  await once(first, 'exit');
  await start(context, folder);
  const again = connect(context, socketPath);
  assert.deepEqual(await again.keys(), { keys });
  assert.deepEqual(await again.publish(order), { envelope, isNew: false });
  assert.equal(openManifest((await again.promote({ envelope, key: 'k-shared-key' })).envelope, keys).scope, 'shared');
});

test("the coordinator's client has a second build compared, and hears the reason when it may not be shared", async (context) => {
  const { folder, socketPath } = await createPlace(context);
  await start(context, folder);
  const client = connect(context, socketPath);
  await stage(join(folder, 'staging'), 'build_second00', blob);
  const base = await client.publish(asBase(orderFor(buildId, tar, blob)));
  const order = withKey({ ...orderFor(buildId, tar, blob), parents: [digestOf(tar)] });
  const { envelope } = await client.publish(order);
  const candidate = { first: envelope, parents: [base.envelope], signedPlainHttpUrls: [] };
  await client.checkCandidate(candidate);
  await assert.rejects(
    client.checkCandidate({ ...candidate, parents: [] }),
    (error) =>
      error instanceof SystemError &&
      error.code === 'publication-refused' &&
      /^reproduction-parents: /.test(error.message),
  );
  const second = { ...order.staged, buildId: 'build_second00' };
  const shared = await client.reproduce({ ...candidate, second, materials: order.materials });
  assert.equal(openManifest(shared.envelope, (await client.keys()).keys).scope, 'shared');
});

test('states, rotations and sweeps survive a kill -9, and nothing that was revoked is published or promoted', async (context) => {
  const { folder, socketPath } = await createPlace(context);
  const first = await start(context, folder);
  const client = connect(context, socketPath);
  const order = orderFor(buildId, tar, blob);
  const { envelope } = await client.publish(order);
  const trust = new ManifestTrust();
  const learn = async (from: typeof client, ...revocations: ReturnType<typeof revocation>[]) =>
    trust.accept((await from.trust({ revocations })).envelope);
  await learn(client);
  await client.rotate('announce');
  await learn(client);
  const { keys } = await client.rotate('switch');
  await learn(client, revocation('key', order.key));
  assert.throws(() => trust.open(envelope), /was revoked/);
  first.kill('SIGKILL');
  await once(first, 'exit');
  await start(context, folder);
  const again = connect(context, socketPath);
  assert.deepEqual(await again.keys(), { keys });
  assert.equal(await learn(again), false, 'the same keys and revocations, under a higher number');
  const revoked = (error: unknown) => error instanceof SystemError && error.code === 'layer-revoked';
  await assert.rejects(again.publish(order), revoked);
  await assert.rejects(again.promote({ envelope, key: 'k-shared-key' }), revoked);
  const manifest = manifestKey(order.scope, order.key);
  const swept = await again.sweep({ manifests: [manifest], graceMs: 0, isRehearsal: false });
  assert.deepEqual([swept.removed, swept.blobs, swept.provenances, swept.bytesLeft], [[manifest], 1, 1, 0]);
});

test('what is no order is told so with code and detail, and SIGTERM ends the process in order', async (context) => {
  const { folder, socketPath } = await createPlace(context);
  const child = await start(context, folder);
  const ask = async (method: string, path: string, body = '') => {
    const sent = request({ socketPath, method, path }).end(body);
    const [answer] = await once(sent, 'response');
    return { http: answer.statusCode, ...(JSON.parse(await text(answer)) as { code?: string; detail?: string }) };
  };
  assert.deepEqual(await ask('GET', '/health'), { http: 200, state: 'ready' });
  assert.deepEqual((await ask('POST', '/publications', '{')).code, 'request-invalid');
  const unknown = await ask('POST', '/publications', JSON.stringify({ ...orderFor(buildId, tar), more: 1 }));
  assert.deepEqual([unknown.http, unknown.code, unknown.detail?.split(':')[0]], [400, 'request-invalid', '/more']);
  assert.equal((await ask('GET', '/publications')).http, 404);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a key that others can read, and a store without credentials, are refused with 78 and one sentence', async (context) => {
  const { folder } = await createPlace(context);
  const minio = spawnVerifier(context, folder, { ENVICUTOR_VERIFIER_STORE_KIND: 'minio' });
  const [said, [code]] = await Promise.all([text(minio.stderr as never), once(minio, 'exit')]);
  assert.equal(code, 78);
  assert.match(said, /ENVICUTOR_VERIFIER_MINIO_ENDPOINT is needed/);
  const child = await start(context, folder);
  child.kill('SIGTERM');
  await once(child, 'exit');
  await chmod(join(folder, 'keys/signing-key.pem'), 0o644);
  const open = spawnVerifier(context, folder);
  const [sentence, [exit]] = await Promise.all([text(open.stderr as never), once(open, 'exit')]);
  assert.equal(exit, 78);
  assert.match(sentence, /can be read by others; chmod 600/);
});
