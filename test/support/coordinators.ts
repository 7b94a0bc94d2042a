/**
 * Owns several coordinators for tests: real processes on one real PostgreSQL, with fake builder and verifier, and scripted agents wherever a test
 * wants them. Never balances load: a test says whom it asks.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { SHARDS, shardOf } from '../../coordinator/executions/shard-store.ts';
import { type PostgresServer, startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { ApiClient } from './api-client.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { startBuildServices } from './fake-build-services.ts';
import { type AgentScript, ScriptedAgent } from './scripted-agent.ts';

/** What every request of these tests asks for, unless a test says otherwise. */
export const simpleRequest = { environment: { base: 'debian-13' }, run: { script: 'echo hello' } };

/** Settings of a test. */
export interface CoordinatorsOptions {
  /** Besides the operator; each has weight 1. */
  readonly tenants?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  /** A server that is there already; else one is started for this test. */
  readonly postgres?: PostgresServer;
  /** Where layers are; absent: in a folder. */
  readonly store?: ObjectStore;
}

type Services = Awaited<ReturnType<typeof startBuildServices>>;

/** Coordinators on one database; everything ends with the test. */
export class Coordinators {
  readonly postgres: PostgresServer;
  readonly services: Services;
  readonly folder: string;
  readonly all: CoordinatorProcess[] = [];
  readonly agents: ScriptedAgent[] = [];
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #databaseUrl: string;
  readonly #variables: Readonly<Record<string, string>>;
  readonly #keys: ReadonlyMap<string, string>;

  private constructor(
    postgres: PostgresServer,
    services: Services,
    folder: string,
    databaseUrl: string,
    keys: ReadonlyMap<string, string>,
    variables: Readonly<Record<string, string>>,
  ) {
    this.postgres = postgres;
    this.services = services;
    this.folder = folder;
    this.#databaseUrl = databaseUrl;
    this.#keys = keys;
    this.#variables = variables;
  }

  static async prepare(test: TestContext, options: CoordinatorsOptions = {}): Promise<Coordinators> {
    const postgres = options.postgres ?? (await startPostgresServer());
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-coordinators-'));
    const store = options.store ?? new DirectoryObjectStore(join(folder, 'store'));
    const services = await startBuildServices(folder, store);
    const keys = new Map(['operator', ...(options.tenants ?? [])].map((id) => [id, randomBytes(16).toString('hex')]));
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const tenants = [...keys].map(([id, key]) => ({
      ...{ id, isOperator: id === 'operator', keys: [{ name: 'test', sha256: sha256(key) }] },
    }));
    await writeFile(join(folder, 'tenants.json'), JSON.stringify({ tenants }));
    await writeFile(join(folder, 'instance.key'), randomBytes(32));
    const url = await postgres.createDatabase(`test_${randomBytes(6).toString('hex')}`);
    const coordinators = new Coordinators(postgres, services, folder, url, keys, options.variables ?? {});
    test.after(async () => {
      for (const end of coordinators.#ends.splice(0).reverse()) await end();
      for (const agent of coordinators.agents) agent.socket.terminate();
      await Promise.all(coordinators.all.map((one) => one.end('SIGKILL')));
      services.builder.closeAllConnections();
      services.verifier.closeAllConnections();
      await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
      await services.settled();
      if (options.postgres === undefined) await postgres.stop();
      await rm(folder, { recursive: true, maxRetries: 5 });
    });
    return coordinators;
  }

  /** What is to be ended with the test, before the folder goes; the last first. */
  atEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  /** Starts one more; resolves when it serves. */
  async start(variables: Readonly<Record<string, string>> = {}): Promise<CoordinatorProcess> {
    const state = join(this.folder, `state-${this.all.length}`);
    await mkdir(state, { recursive: true });
    const coordinator = new CoordinatorProcess({
      LISTEN_PORT: '0',
      STATE_DIRECTORY: state,
      STORE_DIRECTORY: join(this.folder, 'store'),
      BUILDER_SOCKET_PATH: join(this.folder, 'builder.sock'),
      VERIFIER_SOCKET_PATH: join(this.folder, 'verifier.sock'),
      FILES_DIRECTORY: join(this.folder, 'files'),
      TENANTS_FILE: join(this.folder, 'tenants.json'),
      INSTANCE_KEY_FILE: join(this.folder, 'instance.key'),
      DATABASE_URL: this.#databaseUrl,
      REPRODUCE_BUILDS: 'off',
      DRAIN_MS_MAX: '5000',
      MEMBER_TTL_MS: '3000',
      ...this.#variables,
      ...variables,
    });
    this.all.push(coordinator);
    await coordinator.ready();
    return coordinator;
  }

  /** Asks a coordinator as a tenant. */
  as(tenant: string, coordinator: CoordinatorProcess): ApiClient {
    return new ApiClient(coordinator.url, this.keyOf(tenant));
  }

  /** The key of a tenant. */
  keyOf(tenant: string): string {
    const key = this.#keys.get(tenant);
    if (key === undefined) throw new Error(`there is no tenant ${tenant}`);
    return key;
  }

  /** A token for one agent. */
  async token(coordinator: CoordinatorProcess): Promise<string> {
    const answer = await this.as('operator', coordinator).post<{ token: string }>('/v1/agents/enrolments', {});
    return answer.body.token;
  }

  /** An agent that is connected to this coordinator and has been let in. */
  async join(coordinator: CoordinatorProcess, script: AgentScript = {}): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent(coordinator.url, { token: await this.token(coordinator), ...script });
    this.agents.push(agent);
    await agent.heard('session.welcome');
    return agent;
  }

  /** Which coordinator answers for a tenant, by the database; empty while nobody does. */
  async ownerOf(tenant: string): Promise<string> {
    return await this.#ask(
      `SELECT members.url FROM shards JOIN members ON id = holder WHERE shard = ${shardOf(tenant)}`,
    );
  }

  async #ask(sql: string): Promise<string> {
    const database = new URL(this.#databaseUrl).pathname.slice(1);
    return (await this.postgres.psql(sql, database)).trim();
  }

  /** Waits until every shard is somebody's, and one that came last has its share: none is about to move. */
  async #settled(): Promise<void> {
    const held = 'SELECT count(shard) AS held FROM members LEFT JOIN shards ON id = holder GROUP BY id';
    for (;;) {
      const seen = await this.#ask(`SELECT count(*), sum(held), max(held) FROM (${held}) AS of_each`);
      const [members = 0, all = 0, most = SHARDS] = seen.split('|').map(Number);
      if (members > 1 && all === SHARDS && most <= Math.ceil(SHARDS / members)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** One that does answer for a tenant, and one that does not. */
  async split(tenant: string): Promise<{ owner: CoordinatorProcess; other: CoordinatorProcess }> {
    await this.#settled();
    const url = await this.ownerOf(tenant);
    const owner = this.all.find((one) => one.url === url);
    const other = this.all.find((one) => one.url !== url);
    if (owner === undefined || other === undefined) throw new Error(`nobody is at ${url}`);
    return { owner, other };
  }
}

/** Asks until an execution is over. */
export async function untilOver(client: ApiClient | (() => ApiClient), id: string): Promise<Execution> {
  for (;;) {
    const { status, body } = await (typeof client === 'function' ? client() : client).get<Execution>(
      `/v1/executions/${id}`,
    );
    if (status === 200 && body.finishedAt !== null) return body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
