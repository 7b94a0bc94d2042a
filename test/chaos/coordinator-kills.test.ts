/**
 * Owns the proof that several coordinators on one PostgreSQL, with MinIO and real agents, lose nothing that they accepted and finish nothing twice,
 * whatever of them is killed, stands still or is cut off. Moments follow from the seed.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../ops/local/private-instance.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { storeBase } from '../support/base-builds.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { Coordinators } from '../support/coordinators.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';
import { History } from '../support/history.ts';
import { JoinedAgent } from '../support/joined-agent.ts';
import { atRest } from '../support/launcher-vitals.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const CLIENTS = 8;
const wanted = howMany('ENVICUTOR_CHAOS_EXECUTIONS', 500, 10_000);
const tenants = ['one', 'two', 'three'];
const MEMBER_TTL_MS = 3000;

/** What a client asks, and the one answer that is right. */
const orders = [
  { run: { script: 'echo begun; sleep 0.2; echo done' }, verdict: 'ok', stdout: 'begun\ndone\n' },
  { run: { script: 'exit 3' }, verdict: 'nonzero-exit', stdout: '' },
  { compile: { script: 'echo made > program' }, run: { script: 'cat program' }, verdict: 'ok', stdout: 'made\n' },
  { run: { script: 'sleep 60', limits: { wallTimeMs: 300 } }, verdict: 'wall-time-exceeded', stdout: '' },
] as const;

/** Everything that may be killed. */
class Stage {
  readonly coordinators: Coordinators;
  readonly minio: MinioServer;
  readonly ports: readonly number[];
  readonly members: CoordinatorProcess[] = [];
  /** With what leads from each to the coordinators. */
  readonly agents: { readonly agent: JoinedAgent; readonly relays: readonly CuttableRelay[] }[] = [];

  private constructor(coordinators: Coordinators, minio: MinioServer, ports: readonly number[]) {
    this.coordinators = coordinators;
    this.minio = minio;
    this.ports = ports;
  }

  static async set(test: TestContext): Promise<Stage> {
    const minio = await startMinioServer();
    test.after(() => minio.stop());
    const store = new MinioObjectStore({ ...minio });
    const { reader } = minio;
    const variables = {
      ...{ STORE_KIND: 'minio', MINIO_ENDPOINT: minio.endpoint, MINIO_BUCKET: minio.bucket },
      ...{ MINIO_REGION: minio.region, MINIO_ACCESS_KEY: reader.accessKey, MINIO_SECRET_KEY: reader.secretKey },
      ...{ MEMBER_TTL_MS: String(MEMBER_TTL_MS), LEASE_TTL_MS: '4000', REPORT_INTERVAL_MS: '1000', RETRIES_MAX: '10' },
      LOG_LEVEL: 'info',
    };
    const coordinators = await Coordinators.prepare(test, { tenants, variables, store });
    coordinators.services.script = await storeBase(store);
    const stage = new Stage(coordinators, minio, [await freePort(), await freePort(), await freePort()]);
    for (const index of stage.ports.keys()) await stage.startMember(index);
    for (let index = 0; index < 2; index += 1) await stage.#addAgent();
    return stage;
  }

  async startMember(index: number): Promise<void> {
    this.members[index] = await this.coordinators.start({ LISTEN_PORT: String(this.ports[index]) });
  }

  async #addAgent(): Promise<void> {
    const relays = await Promise.all(this.ports.map((port) => CuttableRelay.open(port)));
    this.coordinators.atEnd(() => Promise.all(relays.map((relay) => relay.close())));
    const name = `chaos${this.agents.length}`;
    const agent = await JoinedAgent.prepare(this.coordinators, this.members[0] as CoordinatorProcess, name, {
      COORDINATOR_URL: relays.map(({ port }) => `ws://127.0.0.1:${port}/agents`).join(),
      ...{ SLOTS: '4', HEARTBEAT_MS: '1000', REDIAL_MAX_MS: '1000' },
    });
    this.agents.push({ agent, relays });
    await agent.start();
  }
}

type Client = ReturnType<Coordinators['as']>;
type Answer = Awaited<ReturnType<Client['get']>>;

/** What is counted besides. */
interface Sums {
  /** Failures of ours by what was said. */
  readonly failures: Map<string, number>;
  ours: number;
  retried: number;
}

/** Asks any of the coordinators until one answers as it should. */
async function insist(
  stage: Stage,
  tenant: string,
  random: SeededNumbers,
  ask: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    const member = random.of(stage.members);
    const answer = await ask(stage.coordinators.as(tenant, member)).catch(() => null);
    if (answer !== null && answer.status < 500 && answer.status !== 429) return answer;
    await wait(50 + random.below(100));
  }
}

async function client(stage: Stage, number: number, history: History, sums: Sums): Promise<void> {
  const random = new SeededNumbers(`${testSeed} client ${number}`);
  for (let count = 0; history.ended < wanted; count += 1) {
    const tenant = random.of(tenants);
    const order = random.below(orders.length);
    const { verdict: _verdict, stdout: _stdout, ...request } = orders[order] as (typeof orders)[number];
    const key = `${number}-${count}-${order}`;
    const body = { environment: { base: 'debian-13' }, ...request };
    const ask = (api: Client) => api.post('/v1/executions', body, { 'idempotency-key': key });
    const accepted = await insist(stage, tenant, random, ask);
    assert.equal(accepted.status, 202, `seed ${testSeed}: ${JSON.stringify(accepted.body)}`);
    const { id } = accepted.body as Execution;
    history.acceptedAs(tenant, key, id);
    for (;;) {
      const found = await insist(stage, tenant, random, (api) => api.get(`/v1/executions/${id}`));
      const answer = found.status === 200 ? (found.body as Execution) : null;
      history.told({ id, tenantId: tenant, answer });
      if (answer === null) break;
      if (answer.finishedAt !== null) {
        countOutcome(answer, sums);
        break;
      }
      await wait(100);
    }
  }
}

function countOutcome(execution: Execution, sums: Sums): void {
  if (execution.attempts > 1) sums.retried += 1;
  if (execution.stage !== 'failed') return;
  sums.ours += 1;
  const said = `${execution.failure?.code}: ${execution.failure?.detail}`.replaceAll(/(agent|lease|exec)_\w+/g, '$1');
  sums.failures.set(said, (sums.failures.get(said) ?? 0) + 1);
}

/** Is this what the program of that key earned, or a failure of ours by name? */
function isRight(key: string, { stage, verdict, run, failure }: Execution): boolean {
  if (stage === 'failed') return failure !== null && verdict === null;
  const order = orders[Number(key.split('-')[2])];
  return stage === 'finished' && verdict === order?.verdict && run?.stdout === order.stdout;
}

/** Ways in which things go wrong, by name. */
function faults(stage: Stage, random: SeededNumbers): Readonly<Record<string, () => Promise<void>>> {
  const one = () => random.below(stage.members.length);
  const any = () => stage.agents[random.below(stage.agents.length)];
  return {
    'coordinator killed': async () => {
      const index = one();
      await stage.members[index]?.end('SIGKILL');
      await wait(random.below(1000));
      await stage.startMember(index);
    },
    'coordinator stopped': async () => {
      const index = one();
      await stage.members[index]?.end('SIGTERM');
      await stage.startMember(index);
    },
    'coordinator stood still': async () => {
      const member = stage.members[one()];
      member?.signal('SIGSTOP');
      await wait(MEMBER_TTL_MS * 1.5);
      member?.signal('SIGCONT');
    },
    'database restarted': async () => {
      await stage.coordinators.postgres.kill();
      await wait(random.below(1500));
      await stage.coordinators.postgres.revive();
    },
    'database stood still': async () => {
      stage.coordinators.postgres.pause();
      await wait(1000 + random.below(1500));
      stage.coordinators.postgres.resume();
    },
    'agent killed': async () => {
      const killed = any();
      await killed?.agent.end('SIGKILL');
      await killed?.agent.start();
    },
    'launcher killed': async () => any()?.agent.launcher.restart(),
    'agent cut off': async () => {
      const cables = any()?.relays ?? [];
      for (const cable of cables) cable.cut();
      await wait(1000 + random.below(6000));
      for (const cable of cables) cable.mend();
    },
    'object store restarted': async () => {
      await stage.minio.kill();
      await wait(random.below(1000));
      await stage.minio.revive();
    },
  };
}

async function sumOfLeases(stage: Stage): Promise<number> {
  let sum = 0;
  for (const member of stage.members) {
    sum += await stage.coordinators.as('operator', member).metric('envicutor_leases');
  }
  return sum;
}

test(`${wanted} executions on three coordinators end once each, whatever is killed, stands still or is cut off`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const stage = await Stage.set(context);
  const random = new SeededNumbers(`${testSeed} faults`);
  const history = new History(isRight);
  const sums: Sums = { failures: new Map(), ours: 0, retried: 0 };
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(stage, number, history, sums)));
  const counts: Record<string, number> = {};
  const chaos = async () => {
    const ways = Object.entries(faults(stage, random));
    // All of them in turn, then by chance.
    for (let count = 0; !isOver; count += 1) {
      const [name, fault] = count < ways.length ? (ways[count] as (typeof ways)[number]) : random.of(ways);
      await wait(random.below(1500));
      if (isOver) break;
      context.diagnostic(`${((performance.now() - from) / 1000).toFixed(1)} s: ${name}`);
      await fault();
      counts[name] = (counts[name] ?? 0) + 1;
    }
  };
  await Promise.all([clients.finally(end), chaos().finally(end)]);
  // What was told once is told for ever, by whomever is asked.
  for (const { id, tenantId } of history.ids()) {
    for (const member of stage.members) {
      const { status, body } = await stage.coordinators.as(tenantId, member).get(`/v1/executions/${id}`);
      history.told({ id, tenantId, answer: status === 200 ? (body as Execution) : null });
    }
  }
  const violations = history.check();
  const deadline = performance.now() + 30_000;
  while ((await sumOfLeases(stage)) > 0 && performance.now() < deadline) await wait(200);
  const leases = await sumOfLeases(stage);
  for (const { agent } of stage.agents) await atRest(agent.launcher);
  const { ours, retried, failures } = sums;
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  const of = (rule: string) => violations.filter((violation) => violation.rule === rule).length;
  const wrong = { lost: of('lost') + of('never-ended'), 'committed twice': of('changed') + of('went-back') };
  const ledger = { executions: history.ended, ...wrong, 'leaked leases': leases, ours, retried };
  context.diagnostic(JSON.stringify({ ...ledger, ...counts, seconds }));
  for (const [said, times] of failures) context.diagnostic(`${times} × ${said}`);
  noteInLedger('coordinators', { ...ledger, ...counts, seed: testSeed, seconds });
  assert.deepEqual(violations.slice(0, 5), [], `seed ${testSeed}`);
  assert.equal(leases, 0);
  assert.ok(history.ended >= wanted);
  assert.ok(ours <= wanted * 0.02, `${ours} failures of ours`);
});
