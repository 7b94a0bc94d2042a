/**
 * Owns the proof that backups are worth something: taken while executions run, everything else destroyed, brought back elsewhere, and tenants, keys,
 * results, files, layers, receipts and agents are what they were; on one machine's stores, and on PostgreSQL with MinIO. And what is refused.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { verifyReceipt } from '../../client/typescript/client.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { createUsers, provisionMinio } from '../../ops/minio/provision.ts';
import { toSettings } from '../../ops/minio/settings.ts';
import { startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { openAgentKeys } from '../../shared/receipts/agent-key-list.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import type { ApiClient } from '../support/api-client.ts';
import { BackupStage, type Given } from '../support/backup-stage.ts';
import { checkedFetch } from '../support/checked-fetch.ts';
import { untilOver } from '../support/coordinators.ts';

/** So many that a backup of them is killed half way. */
const OBJECTS = 150;
const request = { environment: { base: 'debian-13', setup: 'make a layer' }, run: { script: 'cat /environment/file' } };

/** What a client and an operator see, to be held against what they see afterwards. */
async function see(tenant: ApiClient, operator: ApiClient, fileId: string) {
  const keys = (await operator.get<{ keys: { keyid: string }[] }>('/v1/cache/keys')).body.keys;
  const agentKeys = (await operator.get<Envelope>('/v1/agents/keys')).body;
  return {
    secret: (await tenant.get('/v1/webhooks/secret')).body,
    tenants: (await operator.get('/v1/tenants')).body,
    signingKeyIds: keys.map(({ keyid }) => keyid),
    file: (await tenant.get(`/v1/files/${fileId}`)).body,
    agents: openAgentKeys(agentKeys, null).agents,
    agentKeys,
  };
}

async function submit(tenant: ApiClient): Promise<string> {
  const answer = await tenant.post<Execution>('/v1/executions', request);
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body.id;
}

/** Submits one execution after the other until it is told to end; the ids of all that were accepted. */
async function load(tenant: ApiClient, isOver: () => boolean): Promise<string[]> {
  const accepted: string[] = [];
  while (!isOver()) {
    accepted.push(await submit(tenant));
    await untilOver(tenant, accepted.at(-1) ?? '');
  }
  return accepted;
}

async function sendFile(tenant: ApiClient, key: string): Promise<string> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/octet-stream' };
  const sent = await checkedFetch(`${tenant.baseUrl}/v1/files`, { method: 'POST', headers, body: 'sent once' });
  return ((await sent.json()) as { id: string }).id;
}

/** Fills a site, backs it up under load, destroys it, restores it as `after` says, and holds what is there against what was. */
async function destroyAndRestore(
  stage: BackupStage,
  before: Given,
  after: Given,
  filled: () => Promise<void> = async () => undefined,
): Promise<void> {
  const [first, second, copy] = ['first', 'second', 'copy'].map((name) => join(stage.folder, name));
  assert.ok(first !== undefined && second !== undefined && copy !== undefined);
  await stage.start(first, before);
  await stage.operator.put('/v1/tenants/physics', { weight: 2 });
  const asked = { name: 'k', scopes: ['execute', 'environments', 'operate'] };
  const { key } = (await stage.operator.post<{ key: string }>('/v1/tenants/physics/keys', asked)).body;
  const { token } = (await stage.operator.post<{ token: string }>('/v1/agents/enrolments', {})).body;
  const agent = await stage.startAgent('agent', token);
  const tenant = stage.as(key);
  const fileId = await sendFile(tenant, key);
  const ids = [await submit(tenant), await submit(tenant)];
  const done = [];
  for (const id of ids) done.push(await untilOver(tenant, id));
  assert.deepEqual(
    done.map(({ verdict, run }) => [verdict, run?.stdout]),
    [
      ['ok', 'from a layer\n'],
      ['ok', 'from a layer\n'],
    ],
  );
  assert.equal(stage.builds, 2, 'a base and a layer');
  const seen = await see(tenant, stage.operator, fileId);

  await filled();
  let isOver = false;
  const loading = load(tenant, () => isOver);
  const saved = await stage.backup(['save', copy], first, before);
  isOver = true;
  const meanwhile = await loading;
  assert.equal(saved.code, 0, saved.said);
  assert.equal((await stage.backup(['check', copy], first, before)).code, 0);
  assert.ok(meanwhile.length > 0);
  // The agent has seen a state then that the backup knows nothing of.
  while ((await signedIn(first)) <= (await signedIn(copy))) await wait(20);
  await agent.end('SIGTERM');
  await stage.kill();
  const lost = await signedIn(first);
  await rm(first, { recursive: true });

  const restored = await stage.backup(['restore', copy], second, after);
  assert.equal(restored.code, 0, restored.said);
  assert.ok((await signedIn(second)) > lost, 'an agent would refuse what is older');
  await stage.start(second, after);
  await assertSame(stage, { tenant, fileId, done, seen, meanwhile });
}

/** The number of the last trust state that a verifier has signed. */
async function signedIn(folder: string): Promise<number> {
  return JSON.parse(await readFile(join(folder, 'verifier/trust-ledger.json'), 'utf8')).version;
}

interface Before {
  readonly tenant: ApiClient;
  readonly fileId: string;
  readonly done: readonly Execution[];
  readonly seen: Awaited<ReturnType<typeof see>>;
  readonly meanwhile: readonly string[];
}

async function assertSame(stage: BackupStage, { tenant, fileId, done, seen, meanwhile }: Before): Promise<void> {
  const now = await see(tenant, stage.operator, fileId);
  const { agentKeys, ...rest } = now;
  assert.deepEqual({ ...rest, agentKeys: null }, { ...seen, agentKeys: null });
  assert.equal((await stage.as('envk_of_nobody').get('/v1/executions')).status, 401);
  for (const execution of done) {
    assert.deepEqual((await tenant.get(`/v1/executions/${execution.id}`)).body, execution);
    const evidence = { agentKeys, signingKeyIds: seen.signingKeyIds, execution, request, tenant: 'physics' };
    const verdict = await verifyReceipt(evidence as Parameters<typeof verifyReceipt>[0]);
    assert.ok(verdict.isValid, JSON.stringify(verdict));
  }
  // What was accepted while the backup was taken is there as a whole, or it came too late.
  for (const id of meanwhile) {
    assert.ok([200, 404].includes((await tenant.get(`/v1/executions/${id}`)).status));
  }
  // By its key, and without a token; and it believes what the restored verifier signs.
  const agent = await stage.startAgent('agent', null);
  assert.equal((await tenant.execute(request)).run?.stdout, 'from a layer\n');
  assert.deepEqual(
    agent.log.filter(({ msg }) => msg === 'trust state refused'),
    [],
  );
  await agent.end('SIGTERM');
  // It has nothing, so every layer comes from the store.
  const { token } = (await stage.operator.post<{ token: string }>('/v1/agents/enrolments', {})).body;
  await stage.startAgent('fresh', token);
  assert.equal((await tenant.execute(request)).run?.stdout, 'from a layer\n');
  assert.equal(stage.builds, 2, 'nothing was built again');
  const all = openAgentKeys((await stage.operator.get<Envelope>('/v1/agents/keys')).body, null).agents;
  assert.deepEqual(all.map(({ name }) => name).sort(), ['agent', 'fresh']);
}

/** Whose the folders of a site are, here, and what is in each. */
const owners = [
  { folder: 'coordinator', id: 70_001, inside: 'coordinator.sqlite' },
  { folder: 'verifier', id: 70_002, inside: 'signing-key.pem' },
  { folder: 'store', id: 70_003, inside: 'objects/manifests/shared' },
];

test('a site on one machine comes back elsewhere from a backup that was taken under load, to whom it belonged', async (t) => {
  const stage = await BackupStage.set(t);
  const giveAway = async () => {
    for (const { folder, id } of owners) await chown(join(stage.folder, 'first', folder), id, id + 10);
  };
  await destroyAndRestore(stage, {}, {}, giveAway);
  for (const { folder, id, inside } of owners) {
    for (const path of [folder, join(folder, inside)]) {
      const { uid, gid } = await stat(join(stage.folder, 'second', path));
      assert.deepEqual([uid, gid], [id, id + 10], path);
    }
  }
  // Secrets are nobody else's to read, in the backup and out of it.
  for (const path of [
    'copy/coordinator/instance.key',
    'copy/verifier/signing-key.pem',
    'copy/database/coordinator.sqlite',
  ])
    assert.equal((await stat(join(stage.folder, path))).mode & 0o777, 0o600, path);
  assert.equal((await stat(join(stage.folder, 'second/verifier/signing-key.pem'))).mode & 0o777, 0o600);
  assert.equal((await stat(join(stage.folder, 'copy'))).mode & 0o777, 0o700);
  const names = await readdir(join(stage.folder, 'copy'), { recursive: true });
  assert.deepEqual(
    names.filter((name) => /\.sock$|compiled|staging|incoming|agent-key\.pem/.test(name)),
    [],
  );
  const again = await stage.backup(['restore', join(stage.folder, 'copy')], join(stage.folder, 'second'));
  assert.equal(again.code, 78);
  assert.match(
    again.said,
    /^restore: there is something already in .*second\/coordinator.*; restore into places that are empty\n$/,
  );
});

/** Variables of coordinator and verifier as ops/minio/main.ts writes them, for another bucket of the server. */
async function bucketOf(server: MinioServer, bucket: string): Promise<Given> {
  const users = createUsers();
  const files = { bucket: `${bucket}-files`, users: createUsers() };
  await provisionMinio({ ...server, bucket, users, retentionDays: 1 });
  await provisionMinio({ ...server, ...files, retentionDays: null });
  const settings = toSettings({ ...server, publicEndpoint: '', bucket, users, files });
  const lines = Object.values(settings).join('').trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

async function startStores(t: TestContext, folder: string): Promise<{ before: Given; after: Given }> {
  const [postgres, minio] = await Promise.all([startPostgresServer(), startMinioServer()]);
  t.after(() => Promise.all([postgres.stop(), minio.stop()]));
  const placeOf = async (name: string): Promise<Given> => ({
    ENVICUTOR_DATABASE_URL: await postgres.createDatabase(name),
    ENVICUTOR_INSTANCE_KEY_FILE: join(folder, `${name}.key`),
    ENVICUTOR_MEMBER_TTL_MS: '1000',
    ...(await bucketOf(minio, name)),
  });
  const places = { before: await placeOf('first'), after: await placeOf('second') };
  await writeFile(join(folder, 'first.key'), randomBytes(32));
  return places;
}

test('a site on PostgreSQL and MinIO comes back in another database and other buckets', async (t) => {
  const stage = await BackupStage.set(t);
  const { before, after } = await startStores(t, stage.folder);
  await destroyAndRestore(stage, before, after);
  const copy = join(stage.folder, 'copy');
  const full = await stage.backup(['restore', copy], join(stage.folder, 'third'), after);
  assert.deepEqual([full.code, /in the database, the store of layers/.test(full.said)], [78, true], full.said);
  const other = await stage.backup(['restore', copy], join(stage.folder, 'third'), {});
  assert.deepEqual([other.code, /is of postgres, and this configuration is for sqlite/.test(other.said)], [78, true]);
});

test('what was killed half way, is newer, or was changed since is refused in one sentence, and nothing is written', async (t) => {
  const stage = await BackupStage.set(t);
  const state = join(stage.folder, 'state');
  await stage.start(state);
  await stage.kill();
  const store = new DirectoryObjectStore(join(state, 'store'));
  for (let index = 0; index < OBJECTS; index += 1) {
    const data = Buffer.from(`object ${index}`);
    await store.put(`cas/sha256/${index}`, data, describeBytes(data));
  }
  const half = join(stage.folder, 'half');
  const env = stage.variables(state);
  const program = new URL('../../coordinator/backup/main.ts', import.meta.url).pathname;
  const saving = spawn(process.execPath, [program, 'save', half], { env, stdio: 'ignore' });
  const ended = once(saving, 'exit');
  const copied = () => readdir(join(half, 'layers/cas/sha256')).catch(() => []);
  while ((await copied()).length === 0) await turn();
  saving.kill('SIGKILL');
  await ended;
  assert.ok((await copied()).length < OBJECTS, 'it was killed half way');
  await refuses(stage, half, /half is no finished backup: it has no backup\.json, which is written last/);
  const again = await stage.backup(['save', half], state);
  assert.deepEqual([again.code, /half has .*; give a backup a folder of its own/.test(again.said)], [78, true]);

  const whole = join(stage.folder, 'whole');
  assert.equal((await stage.backup(['save', whole], state)).code, 0);
  const manifest = JSON.parse(await readFile(join(whole, 'backup.json'), 'utf8'));
  const write = (changes: object) => writeFile(join(whole, 'backup.json'), JSON.stringify({ ...manifest, ...changes }));
  await write({ form: manifest.form + 1 });
  await refuses(stage, whole, /has a database of form \d+, this release knows \d+; restore it by a newer release/);
  await write({ version: 2 });
  await refuses(stage, whole, /has layout 2, this release knows 1; use the release that made it/);
  await write({});
  await writeFile(join(whole, 'layers/cas/sha256/7'), 'forged');
  const checked = await stage.backup(['check', whole], state);
  assert.match(checked.said, /sha256\/7 is not what was backed up/);
  await writeFile(join(whole, 'coordinator/instance.key'), 'forged');
  await refuses(stage, whole, /instance\.key is not what was backed up/);
});

async function refuses(stage: BackupStage, folder: string, sentence: RegExp): Promise<void> {
  const target = join(stage.folder, 'target');
  const { code, said } = await stage.backup(['restore', folder], target);
  assert.equal(code, 78, said);
  assert.match(said, sentence);
  assert.equal(said.trimEnd().split('\n').length, 1);
  assert.equal(await stat(target).catch(() => null), null);
}
