/**
 * Owns the proof that a database of every form that was ever released opens with today's code and shows what was in it.
 * A new migration adds rows here that its form can hold; rows of earlier forms are never changed, like the migrations themselves.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { postgresMigrations } from '../../coordinator/executions/postgres-database.ts';
import { SHARDS, shardOf } from '../../coordinator/executions/shard-store.ts';
import { sqliteMigrations } from '../../coordinator/executions/sqlite-database.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import type { StateStore } from '../../coordinator/executions/state-store.ts';
import { PostgresStage } from '../support/postgres-stage.ts';
import { takeLeases } from '../support/state-engines.ts';

/** What a form can hold that the one before could not: the SQL of that time, and what today's store says about it. */
interface Filling {
  readonly form: number;
  readonly sql: string;
  readonly verify: (store: StateStore) => Promise<void>;
}

const everyShard = Array.from({ length: SHARDS }, (_, shard) => shard);
const json = (value: unknown) => `'${JSON.stringify(value)}'`;
const digest = `sha256:${'a'.repeat(64)}` as const;
const request = { environment: 'env_00000000', run: { script: 'true' } };
const queued = { id: 'exec_queued', stage: 'queued' };
const finished = { id: 'exec_finished', stage: 'finished' };
const building = { id: 'env_building', state: 'building' };
const ready = { id: 'env_ready', state: 'ready' };
const agent = { id: 'agent_a', name: 'a', publicKey: 'key', pool: 'default', enrolledAtMs: 5, isDraining: true };
const revocation = { kind: 'layer', value: digest, isFatal: true, reason: 'r', revokedAt: '2026-01-01T00:00:00Z' };
const manifest = { kind: 'base', tar: { digest } };

async function verifyExecutions({ executions }: StateStore): Promise<void> {
  assert.deepEqual(await executions.unfinished(everyShard), [{ tenantId: 'one', answer: queued, request }]);
  assert.deepEqual((await executions.list('one', null, 5)).items, [finished, queued]);
  assert.deepEqual(await executions.get('one', 'exec_finished'), finished);
}

const tenants = `INSERT INTO tenants (id, settings, created_at) VALUES ('two', '{"weight":2}', 5);
  INSERT INTO tenant_keys (id, tenant, name, digest, scopes, created_at) VALUES ('key_a', 'two', 'a', '${digest}', '["execute"]', 6);
  UPDATE tenants_version SET version = 9;
  INSERT INTO usage_days (tenant, day, executions, cpu_ms, wall_ms, stored_bytes) VALUES ('two', '2026-11-28', 1, 2, 3, 4);
  INSERT INTO audit (at, tenant, key, key_name, address, request_id, action, target, detail)
    VALUES (7, 'one', 'k', 'n', '::1', 'req_1', 'PUT /v1/tenants/:id', 'two', '');`;

async function verifyTenants(store: StateStore): Promise<void> {
  const times = { createdAtMs: 6, expiresAtMs: null, lastUsedAtMs: null };
  assert.deepEqual(await store.tenants.read(), {
    version: 9,
    tenants: [{ id: 'two', settings: { weight: 2 }, createdAtMs: 5 }],
    keys: [{ id: 'key_a', tenantId: 'two', name: 'a', digest, scopes: ['execute'], ...times }],
  });
  const day = { tenantId: 'two', day: '2026-11-28', executions: 1, cpuMs: 2, wallMs: 3, storedBytes: 4 };
  assert.deepEqual(await store.usage.days('two', ''), [day]);
  const [entry] = (await store.audit.list(null, 5)).items;
  assert.deepEqual([entry?.atMs, entry?.target, entry?.outcome], [7, 'two', null]);
}

/** Goes last: it writes. */
async function verifyWriting(store: StateStore): Promise<void> {
  const lease = (await takeLeases(store, 'new'))('one');
  const idempotency = { key: 'k', bodyDigest: digest, ttlMs: 600_000 } as const;
  const entry = { tenantId: 'one', answer: { ...queued, id: 'exec_new' } as never, request, idempotency };
  assert.equal(await store.executions.accept(entry, lease), null, 'the old key is over');
  assert.deepEqual(await store.executions.accept(entry, lease), { ids: ['exec_new'], bodyDigest: digest });
  await store.executions.finish({ ...queued, stage: 'cancelled' } as never, lease);
  const left = await store.executions.unfinished([shardOf('one')]);
  assert.deepEqual(
    left.map(({ answer }) => answer.id),
    ['exec_new'],
  );
  await store.check();
}

async function verifyEnvironments({ environments }: StateStore): Promise<void> {
  const row = { tenantId: 'one', request: { setup: 'true' }, manifests: ['m1'], specs: [], fingerprint: 'f' };
  const [unfinished] = await environments.unfinished([shardOf('one')]);
  assert.deepEqual(unfinished, { ...row, id: 'env_building', answer: building });
  assert.deepEqual(await environments.get('one', 'env_ready'), { ...row, id: 'env_ready', answer: ready });
  const known = (await environments.list('one', null, 9)).items.map(({ id }) => id);
  assert.deepEqual(known.slice(-2), ['env_ready', 'env_building']);
}

async function verifyAgents({ agents }: StateStore): Promise<void> {
  assert.deepEqual(await agents.list(), [agent]);
  const other = { ...agent, id: 'agent_b', publicKey: 'other' } as never;
  assert.deepEqual(await agents.enrol(digest, other, 900), other, 'the token is good');
}

async function verifyUsage({ buildUsage }: StateStore): Promise<void> {
  const used = { egressBytes: 5, egressRequests: 2, buildMs: 1500 };
  assert.deepEqual(await buildUsage.get('one', '2026-11-28'), used);
}

async function verifyCache({ cache }: StateStore): Promise<void> {
  assert.deepEqual(await cache.revocations(), [revocation]);
  assert.deepEqual((await cache.layers(null, 5)).items, [{ objectKey: 'manifests/a', manifest, lastUsedAtMs: 7 }]);
  assert.deepEqual(await cache.pins(), [{ digest, agentId: null }]);
}

const verifyMembers =
  (epoch: number) =>
  async ({ shards }: StateStore): Promise<void> => {
    const { held } = await shards.beat({ id: 'later', url: 'http://later.example' }, 1000, []);
    assert.equal(held.find(({ shard }) => shard === 3)?.epoch, epoch);
    await shards.leave('later');
  };

const policy = { owner: 'one', tenants: ['*'] };
const pools = `INSERT INTO pools (name, owner, policy) VALUES ('lab', 'one', ${json(policy)});
               INSERT INTO enrolment_tokens (digest, expires_at, pool) VALUES ('bound', 1000, 'lab');`;

async function verifyPools({ pools, agents }: StateStore): Promise<void> {
  const known = [
    { name: 'default', owner: null, policy: null },
    { name: 'lab', owner: 'one', policy },
  ];
  assert.deepEqual(await pools.list(), known);
  const bound = { ...agent, id: 'agent_c', publicKey: 'third' } as never;
  assert.deepEqual(await agents.enrol('bound' as never, bound, 900), { ...agent, ...(bound as object), pool: 'lab' });
}

const columns = 'tenant, key, body_digest, execution, expires_at';
const deliveries = `INSERT INTO idempotency_keys (${columns}, executions)
    VALUES ('one', 'many', '${digest}', 'exec_a', 9999999999999, '["exec_a","exec_b"]');
  INSERT INTO deliveries (id, tenant, shard, execution, event, url, host, state, attempts, round, created_at, begun_at, next_at)
    VALUES ('delivery_a', 'one', ${shardOf('one')}, 'exec_finished', 'execution.finished', 'https://a.example/', 'a.example', 'waiting', 3, 1, 5, 6, 7);
  INSERT INTO webhook_secrets (tenant, generation, rotated_at) VALUES ('one', 4, 8);`;

async function verifyDeliveries({ executions, deliveries }: StateStore): Promise<void> {
  const taken = { ids: ['exec_a', 'exec_b'], bodyDigest: digest };
  assert.deepEqual(await executions.findKey('one', 'many'), taken);
  const none = { ids: [], tenants: [], hosts: [], receivers: [] };
  const [due] = await deliveries.due([shardOf('one')], 7, none, 9);
  assert.deepEqual([due?.id, due?.attempts, due?.round, due?.begunAtMs], ['delivery_a', 3, 1, 6]);
  assert.deepEqual(await deliveries.secretOf('one'), { generation: 4, rotatedAtMs: 8 });
}

const environment = (answer: { readonly id: string; readonly state: string }) =>
  `'one', '${answer.id}', ${json({ setup: 'true' })}, '${answer.state}', ${json(answer)}, '["m1"]', 'f'`;

const sqlite: readonly Filling[] = [
  {
    form: 1,
    sql: `INSERT INTO executions (id, tenant, is_finished, request, answer) VALUES
            ('exec_queued', 'one', 0, ${json(request)}, ${json(queued)}), ('exec_finished', 'one', 1, NULL, ${json(finished)});
          INSERT INTO idempotency_keys (tenant, key, body_digest, execution, expires_at) VALUES ('one', 'k', '${digest}', 'exec_finished', 800);`,
    verify: verifyExecutions,
  },
  {
    form: 1,
    sql: `INSERT INTO environments (tenant, id, request, state, answer, manifests, fingerprint)
            VALUES (${environment(building)}), (${environment(ready)});`,
    verify: verifyEnvironments,
  },
  {
    form: 1,
    sql: `INSERT INTO agents VALUES ('agent_a', 'a', 'key', 'default', 5, 1);
          INSERT INTO enrolment_tokens (digest, expires_at) VALUES ('${digest}', 1000);`,
    verify: verifyAgents,
  },
  { form: 2, sql: `INSERT INTO build_usage VALUES ('one', '2026-11-28', 5, 2, 1500);`, verify: verifyUsage },
  {
    form: 3,
    sql: `INSERT INTO revocations (kind, value, is_fatal, reason, revoked_at)
            VALUES ('layer', '${digest}', 1, 'r', '2026-01-01T00:00:00Z');
          INSERT INTO layers (object_key, digest, manifest, last_used_at) VALUES ('manifests/a', '${digest}', ${json(manifest)}, 7);
          INSERT INTO pins VALUES ('${digest}', '');`,
    verify: verifyCache,
  },
  {
    form: 4,
    sql: `INSERT INTO environments (tenant, id, request, state, answer, manifests, fingerprint, specs)
            VALUES ('two', 'env_whole', '{}', 'ready', '{}', '[]', 'f', '[{"kind":"base"}]');`,
    verify: async ({ environments }) => {
      assert.deepEqual((await environments.get('two', 'env_whole'))?.specs, [{ kind: 'base' }]);
    },
  },
  {
    form: 5,
    sql: `INSERT INTO members VALUES ('old', 'http://old.example'); UPDATE shards SET holder = 'old', epoch = 41;`,
    verify: verifyMembers(42),
  },
  { form: 6, sql: pools, verify: verifyPools },
  { form: 7, sql: deliveries, verify: verifyDeliveries },
  { form: 8, sql: tenants, verify: verifyTenants },
];

const postgres: readonly Filling[] = [
  {
    form: 1,
    sql: `INSERT INTO executions (id, tenant, shard, is_finished, request, answer) VALUES
            ('exec_queued', 'one', ${shardOf('one')}, false, ${json(request)}, ${json(queued)}),
            ('exec_finished', 'one', ${shardOf('one')}, true, NULL, ${json(finished)});
          INSERT INTO idempotency_keys (tenant, key, body_digest, execution, expires_at)
            VALUES ('one', 'k', '${digest}', 'exec_finished', 800);`,
    verify: verifyExecutions,
  },
  {
    form: 1,
    sql: [building, ready]
      .map(
        (answer) => `INSERT INTO environments (shard, specs, tenant, id, request, state, answer, manifests, fingerprint)
                       VALUES (${shardOf('one')}, '[]', ${environment(answer)});`,
      )
      .join(' '),
    verify: verifyEnvironments,
  },
  {
    form: 1,
    sql: `INSERT INTO agents (id, name, public_key, pool, enrolled_at, is_draining)
            VALUES ('agent_a', 'a', 'key', 'default', 5, true);
          INSERT INTO enrolment_tokens (digest, expires_at) VALUES ('${digest}', 1000);`,
    verify: verifyAgents,
  },
  {
    form: 1,
    sql: `INSERT INTO build_usage (tenant, day, egress_bytes, egress_requests, build_ms)
            VALUES ('one', '2026-11-28', 5, 2, 1500);`,
    verify: verifyUsage,
  },
  {
    form: 1,
    sql: `INSERT INTO revocations (kind, value, is_fatal, reason, revoked_at)
            VALUES ('layer', '${digest}', true, 'r', '2026-01-01T00:00:00Z');
          INSERT INTO layers (object_key, digest, manifest, last_used_at) VALUES ('manifests/a', '${digest}', ${json(manifest)}, 7);
          INSERT INTO pins (digest, agent) VALUES ('${digest}', '');`,
    verify: verifyCache,
  },
  {
    form: 1,
    sql: `INSERT INTO members (id, url, joined_at, expires_at)
            VALUES ('old', 'http://old.example', '2026-01-01', '2026-01-02');
          UPDATE shards SET holder = 'old', epoch = 41;`,
    verify: verifyMembers(42),
  },
  { form: 2, sql: pools, verify: verifyPools },
  { form: 3, sql: deliveries, verify: verifyDeliveries },
  { form: 4, sql: tenants, verify: verifyTenants },
];

/** Everything that a database of this form could hold. */
const upTo = (fillings: readonly Filling[], form: number) => fillings.filter((filling) => filling.form <= form);

async function verifyAll(store: StateStore, fillings: readonly Filling[]): Promise<void> {
  for (const { verify } of fillings) await verify(store);
  await verifyWriting(store);
  await store.close();
}

let folder: string;
let stage: PostgresStage;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'envicutor-forms-'));
  stage = await PostgresStage.start();
});
after(async () => {
  await stage.stop();
  await rm(folder, { recursive: true });
});

test('every form has rows here', () => {
  const formsOf = (fillings: readonly Filling[]) => new Set(fillings.map(({ form }) => form)).size;
  assert.equal(formsOf(sqlite), sqliteMigrations.length);
  assert.equal(formsOf(postgres), postgresMigrations.length);
});

for (let form = 1; form <= sqliteMigrations.length; form += 1) {
  test(`a SQLite database of form ${form} opens and shows what was in it`, async () => {
    const path = join(folder, `form-${form}.sqlite`);
    const database = new DatabaseSync(path);
    const fillings = upTo(sqlite, form);
    for (const sql of sqliteMigrations.slice(0, form)) database.exec(sql);
    for (const { sql } of fillings) database.exec(sql);
    database.exec(`PRAGMA user_version = ${form}`);
    database.close();
    await verifyAll(openSqliteStateStore(path), fillings);
  });
}

for (let form = 1; form <= postgresMigrations.length; form += 1) {
  test(`a PostgreSQL database of form ${form} opens and shows what was in it`, async () => {
    const url = await stage.createDatabase();
    const client = await stage.connect(url);
    const fillings = upTo(postgres, form);
    await client.query('CREATE TABLE forms (form integer PRIMARY KEY)');
    for (const [index, sql] of postgresMigrations.slice(0, form).entries()) {
      await client.query(sql);
      await client.query('INSERT INTO forms VALUES ($1)', [index + 1]);
    }
    for (const { sql } of fillings) await client.query(sql);
    await verifyAll(await stage.open(url), fillings);
  });
}

test('a SQLite database of a newer release is refused and left alone', () => {
  const path = join(folder, 'newer.sqlite');
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 99');
  assert.throws(() => openSqliteStateStore(path), {
    code: 'state-store-unavailable',
    message: /form 99.*newer release/,
  });
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 99);
  database.close();
});
