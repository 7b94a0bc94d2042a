/**
 * Owns the running instances of the end-to-end cases: one embedded, one with tenants and keys, and a second agent beside the first.
 * Never reaches into a process: it looks through HTTP and signals, as an operator would.
 * Invariant: after stop() nothing of them is left but what a case asserts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { PROMISE_BROKEN } from '../../shared/http/answer-text.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { ApiClient } from './api-client.ts';

const root = join(import.meta.dirname, '../..');

const keys = { operator: 'test-operator-key', a: 'test-key-a', b: 'test-key-b' };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

interface AgentRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** The embedded instance of the cases, and what some of them start beside it. */
export class Instance {
  readonly #main = new PrivateInstance();
  readonly #withTenants = new PrivateInstance();
  readonly #folder = mkdtempSync(join(tmpdir(), 'envicutor-tenants-'));
  #api: ApiClient | null = null;
  #tenants: { operator: ApiClient; a: ApiClient; b: ApiClient } | null = null;

  get api(): ApiClient {
    assert.ok(this.#api !== null, 'the instance is started');
    return this.#api;
  }

  /** Three clients of an instance that requires keys. */
  async tenants(): Promise<{ operator: ApiClient; a: ApiClient; b: ApiClient }> {
    if (this.#tenants === null) {
      const path = join(this.#folder, 'tenants.json');
      chmodSync(this.#folder, 0o755);
      const tenant = (id: string, key: string, isOperator: boolean) => ({
        id,
        isOperator,
        keys: [{ name: 'test', sha256: sha256(key) }],
      });
      const tenants = [tenant('operator', keys.operator, true), tenant('a', keys.a, false), tenant('b', keys.b, false)];
      writeFileSync(path, JSON.stringify({ tenants }), { mode: 0o644 });
      // What apt fetches without TLS it checks by signature.
      const signed = 'http://*/dists/*,http://*/pool/*';
      await this.#withTenants.start({ ENVICUTOR_TENANTS_FILE: path, ENVICUTOR_SIGNED_PLAIN_HTTP_URLS: signed });
      const { url } = this.#withTenants;
      this.#tenants = {
        operator: new ApiClient(url, keys.operator),
        a: new ApiClient(url, keys.a),
        b: new ApiClient(url, keys.b),
      };
    }
    return this.#tenants;
  }

  async start(): Promise<void> {
    await this.#main.start();
    this.#api = new ApiClient(this.#main.url);
  }

  async stop(): Promise<void> {
    await this.#withTenants.stop();
    await this.#main.stop();
    for (const { output } of [this.#main, this.#withTenants])
      assert.deepEqual(
        output.filter((line) => line.includes(PROMISE_BROKEN)),
        [],
      );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Everything that the processes have said, once a line that fits is among it. */
  async untilSaid(fits: (line: string) => boolean): Promise<readonly string[]> {
    while (!this.#main.output.some(fits)) await new Promise((resolve) => setImmediate(resolve));
    return [...this.#main.output];
  }

  async agents(): Promise<readonly AgentRow[]> {
    return (await this.api.get<{ items: AgentRow[] }>('/v1/agents')).body.items;
  }

  /** The agent that `make run` started. */
  async firstAgent(): Promise<AgentRow> {
    const found = (await this.agents()).find((agent) => agent.name !== 'second');
    assert.ok(found !== undefined, 'the embedded agent is listed');
    return found;
  }

  async killAgent(): Promise<void> {
    await this.#main.killAgent(async () => (await this.firstAgent()).state === 'ready');
  }

  /** Asks until the execution is over, also while nobody answers. */
  async untilFinished(id: string): Promise<Execution> {
    for (;;) {
      const answer = await this.api.get<Execution>(`/v1/executions/${id}`).catch(() => null);
      if (answer?.status === 200 && answer.body.finishedAt !== null) return answer.body;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Kills a process of the coordinator's side. */
  kill(program: 'builder' | 'verifier' | 'coordinator'): void {
    const paths = {
      builder: 'coordinator/builder/main.ts',
      verifier: 'coordinator/environments/verifier/main.ts',
      coordinator: 'coordinator/main.ts',
    } as const;
    this.#main.kill(paths[program]);
  }

  /** A second agent with a launcher and a layer store of its own; `stop` ends both. */
  async startSecondAgent(): Promise<{ name: string; stop(): Promise<void> }> {
    const state = mkdtempSync(join(tmpdir(), 'envicutor-second-'));
    const socket = join(state, 'launcher.sock');
    const tokenFile = join(state, 'token');
    const { body } = await this.api.post<{ token: string }>('/v1/agents/enrolments', {});
    writeFileSync(tokenFile, body.token);
    const launcher = spawn(
      join(root, 'shared/sandbox/launcher/build/envicutor-launcher'),
      [
        '--socket',
        socket,
        '--client-uid',
        '0',
        '--store',
        join(state, 'layers'),
        '--cgroup',
        `envicutor-second-${process.pid}`,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const agent = spawn(process.execPath, [join(root, 'agent/main.ts')], {
      env: {
        ...process.env,
        ENVICUTOR_AGENT_NAME: 'second',
        ENVICUTOR_AGENT_COORDINATOR_URL: `${this.#main.url.replace('http', 'ws')}/agents`,
        ENVICUTOR_AGENT_STATE_DIRECTORY: state,
        ENVICUTOR_AGENT_LAUNCHER_SOCKET_PATH: socket,
        ENVICUTOR_AGENT_ENROLMENT_TOKEN_FILE: tokenFile,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const stop = async (): Promise<void> => {
      for (const child of [agent, launcher]) {
        child.kill('SIGTERM');
        if (child.exitCode === null) await once(child, 'exit');
      }
      rmSync(state, { recursive: true, force: true });
    };
    while (!(await this.agents()).some((row) => row.name === 'second' && row.state === 'ready')) {
      if (agent.exitCode === null) continue;
      await stop();
      throw new Error(`the second agent ended with ${agent.exitCode}`);
    }
    return { name: 'second', stop };
  }
}
